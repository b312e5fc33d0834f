import type { OrderedEnd } from '../app/instance.ts'
import { ProcessUsage } from '../app/process-usage.ts'
import { type ReleasesFolder, releaseFolder } from '../app/releases.ts'
import { type FromInstance, type ToInstance, WITHOUT_STORE } from '../core/fleet/supervised.ts'
import { GoneError } from '../errors.ts'
import { exitWhenRead } from '../process/exit.ts'
import { isFinal } from '../redis/trouble.ts'
import { pause } from '../waiting.ts'
import { runWorkers, type WorkersChosen, workSetup } from './run-workers.ts'
import { exitWith, heedUnread, sayError } from './terminal.ts'

/** What a supervisor starts an instance with. */
export interface SupervisedStart extends WorkersChosen {
  readonly place: string
  /** What of yours it runs, in place of a folder. */
  readonly release?: ReleasesFolder & { readonly name: string }
}

// One of the processes of `gone work --instances`. Its supervisor starts it, hears of it, and has it end.

const TICK_EVERY_MS = 1_000

const { place, release, ...given } = JSON.parse(process.argv[2] ?? '{}') as SupervisedStart
/** What has been asked of the supervisor, and is not answered. */
const asked: { readonly how: OrderedEnd; readonly answer: (why: string | undefined) => void }[] = []
let isSending = false

try {
  // Without its supervisor nobody reads what it prints, nor starts another when it dies: it ends, as at a signal.
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
  heedUnread(true)
  const chosen = release ? { ...given, folder: await releaseFolder(release, release.name) } : given
  const running = await runWorkers(chosen, process.env, await workSetup(process.env), { place, onOrdered })
  const { instance, locks } = running
  const usage = new ProcessUsage()
  const now = () => ({ facts: instance.facts(), rssBytes: process.memoryUsage.rss() })
  const tick = () => {
    const { cpuPercent, loopDelayMs } = usage.take()
    tell({ kind: 'tick', ...now(), ...instance.jobs, busy: { cpu: cpuPercent, loop: loopDelayMs } })
  }
  process.on('message', (word: ToInstance) => {
    switch (word.kind) {
      case 'rest':
        answerAll(['restart', 'stop'], undefined)
        void instance.rest().then(tick)
        return running.retell()
      case 'press':
        void instance.press(word.cause).then(tick)
        return running.retell()
      case 'refused':
        return answerAll(['restart'], word.why)
      case 'retell':
        return running.retell()
    }
  })
  // Nothing may be lost of these: they are sent whatever is on its way. It may die as soon as it is listed.
  process.send?.({ kind: 'begins', facts: instance.facts(), locks } satisfies FromInstance)
  await running.listed
  process.send?.({ kind: 'ready', ...now() } satisfies FromInstance)
  while (process.connected) {
    await pause(TICK_EVERY_MS)
    tick()
  }
} catch (error) {
  const isUnreachable = error instanceof GoneError && error.code === 'REDIS_NOT_FOUND'
  // What Redis refuses for good is no outage.
  if (!isUnreachable || isFinal(error.cause)) await exitWith(error)
  sayError(error)
  await exitWhenRead(WITHOUT_STORE)
}

/** A supervisor that is stopped for a while reads nothing: what would only pile up is left out. */
function tell(word: FromInstance): void {
  if (isSending || !process.connected) return
  isSending = true
  process.send?.(word, undefined, undefined, () => {
    isSending = false
  })
}

/** Resolves when the supervisor has another in this one's place, or has nobody take it. */
function onOrdered(how: OrderedEnd): Promise<void> {
  if (how === 'stop') answerAll(['restart'], 'it was told to stop')
  return new Promise((resolve, reject) => {
    asked.push({ how, answer: (why) => (why === undefined ? resolve() : reject(new Error(why))) })
    process.send?.({ kind: 'ordered', how } satisfies FromInstance)
  })
}

function answerAll(hows: readonly OrderedEnd[], why: string | undefined): void {
  const [answered, left] = [
    asked.filter(({ how }) => hows.includes(how)),
    asked.filter(({ how }) => !hows.includes(how)),
  ]
  asked.splice(0, asked.length, ...left)
  for (const { answer } of answered) answer(why)
}
