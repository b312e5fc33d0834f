// Preloaded into the processes under test, and never part of what is shipped: their end with the harness, clocks that
// go wrong, and points at which they fail. What it reads is set by the harness alone.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const { CHAOS_CLOCK_OFFSET_MS, CHAOS_FAILPOINTS } = process.env

// The channel to the harness closes when that ends, in whatever way.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.channel?.unref()

if (CHAOS_CLOCK_OFFSET_MS) shiftClock(Number(CHAOS_CLOCK_OFFSET_MS))
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

type Method = (this: unknown, id: { round: string }, ...rest: unknown[]) => unknown
type Prototype = Record<string, Method>

/** The process fails where a round asks for it by its name, such as `3.after-decide`, once. */
async function setFailpoints(signal: 'SIGKILL' | 'SIGSTOP'): Promise<void> {
  const load = (file: string) => import(pathToFileURL(join(process.cwd(), 'src', file)).href)
  const [{ RedisRecords }, { BullRoundQueue }, { BullJobQueues }] = await Promise.all([
    load('records/redis-records.js'),
    load('queue/round-queue.js'),
    load('queue/job-queues.js'),
  ])
  const failed = new Set<string>()
  const failAt = (point: string, round: string) => {
    if (!round.endsWith(`.${point}`) || failed.has(round)) return
    failed.add(round)
    process.kill(process.pid, signal)
  }
  for (const name of ['decide', 'complete', 'submit', 'acknowledge'])
    wrap(RedisRecords.prototype, name, name, failAt)
  for (const name of ['open', 'close']) wrap(BullRoundQueue.prototype, name, name, failAt)
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
  prototype[method] = function (id, ...rest) {
    failAt(`before-${name}`, id.round)
    const outcome = original.call(this, id, ...rest)
    if (!(outcome instanceof Promise)) {
      failAt(`after-${name}`, id.round)
      return outcome
    }
    return outcome.then((value: unknown) => {
      failAt(`after-${name}`, id.round)
      return value
    })
  }
}
