// Preloaded into the processes under test, and never part of what is shipped: their end with the harness, clocks that
// go wrong, and points at which they fail. What it reads is set by the harness alone.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

const { CHAOS_CLOCK_OFFSET_MS, CHAOS_FAILPOINTS, CHAOS_POKES, CHAOS_WEDGE } = process.env

// The channel to the harness closes when that ends, in whatever way.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.channel?.unref()

if (CHAOS_CLOCK_OFFSET_MS) shiftClock(Number(CHAOS_CLOCK_OFFSET_MS))
if (CHAOS_POKES === 'lost') await losePokes()
if (CHAOS_WEDGE) await wedgeBy(CHAOS_WEDGE)
if (CHAOS_FAILPOINTS) await setFailpoints(CHAOS_FAILPOINTS === 'stop' ? 'SIGSTOP' : 'SIGKILL')

/** What the process takes for the time of day is wrong by so much. Its monotonic clock is not. */
function shiftClock(offsetMs: number): void {
  const RealDate = Date
  const nowMs = () => RealDate.now() + offsetMs
  const Shifted = function (this: unknown, ...args: unknown[]) {
    if (!new.target) return new RealDate(nowMs()).toString()
    return args.length === 0 ? new RealDate(nowMs()) : Reflect.construct(RealDate, args)
  }
  Object.setPrototypeOf(Shifted, RealDate)
  globalThis.Date = Object.assign(Shifted, {
    prototype: RealDate.prototype,
    now: nowMs,
    parse: RealDate.parse,
    UTC: RealDate.UTC,
  }) as unknown as DateConstructor
}

/** What it is told by publish and subscribe is not heard. */
async function losePokes(): Promise<void> {
  const { RedisPokes } = await load('store/fleet/redis-pokes.js')
  RedisPokes.prototype.listen = async () => () => undefined
}

function load(file: string) {
  return import(pathToFileURL(join(process.cwd(), 'src', file)).href)
}

/** While there is such a file its workers ask for no job, and do all else. */
async function wedgeBy(file: string): Promise<void> {
  const { Worker } = await import('bullmq')
  const prototype = Worker.prototype as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  const ask = prototype.moveToActive
  if (ask === undefined) throw new Error('no method "moveToActive" to wedge')
  prototype.moveToActive = async function (...args) {
    while (existsSync(file)) await sleep(100)
    return ask.apply(this, args)
  }
}

/** Told of a round by its id, or of several that have one. */
type Told = { round: string } | readonly { id: { round: string } }[]
type Method = (this: unknown, told: Told, ...rest: unknown[]) => unknown
type Prototype = Record<string, Method>

/** The process fails where a round asks for it by its name, such as `3.after-decide`, once. */
async function setFailpoints(signal: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
  const [{ RedisRecords }, { BullRoundQueue }, { BullJobQueues }] = await Promise.all([
    load('store/records/redis-records.js'),
    load('queue/round-queue.js'),
    load('queue/job-queues.js'),
  ])
  const failed = new Set<string>()
  const failAt = (point: string, round: string) => {
    if (!round.endsWith(`.${point}`) || failed.has(round)) return
    failed.add(round)
    process.kill(process.pid, signal)
  }
  for (const name of ['decide', 'complete', 'submit', 'start', 'expire', 'acknowledge'])
    wrap(RedisRecords.prototype, name, name, failAt)
  wrap(BullRoundQueue.prototype, 'show', 'show', failAt)
  wrap(BullJobQueues.prototype, 'add', 'add', failAt)
}

function wrap(
  prototype: Prototype,
  method: string,
  name: string,
  failAt: (point: string, round: string) => void,
): void {
  const original = prototype[method]
  if (original === undefined) throw new Error(`no method "${method}" to set a failpoint at`)
  prototype[method] = function (told, ...rest) {
    const rounds = 'round' in told ? [told.round] : told.map(({ id }) => id.round)
    const failAtAny = (point: string) => {
      for (const round of rounds) failAt(point, round)
    }
    failAtAny(`before-${name}`)
    const outcome = original.call(this, told, ...rest)
    if (!(outcome instanceof Promise)) {
      failAtAny(`after-${name}`)
      return outcome
    }
    return outcome.then((value: unknown) => {
      failAtAny(`after-${name}`)
      return value
    })
  }
}
