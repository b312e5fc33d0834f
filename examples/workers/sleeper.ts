/**
 * The fault injector: a worker that misbehaves as it is told, to see what becomes of it. Not for production.
 *
 * `gone submit sleeper faults r1 --data '{"fault":"exit"}'`
 */

import { setTimeout as sleep } from 'node:timers/promises'
import { defineWorker, JobFailed, type WorkerContext, type WorkerJob } from '../../src/index.ts'

interface SleeperData {
  /** How long it works, in ms. Default 100. */
  readonly ms?: number
  /** What goes wrong then; missing: nothing. */
  readonly fault?: Fault
  /** Only at the first start of the round, so that what comes after is seen. Default true. */
  readonly once?: boolean
}

interface Slept {
  readonly slept: number
  readonly fence: number
  readonly pid: number
}

const FAULTS = ['fail', 'exit', 'kill', 'stop', 'block', 'leak', 'print', 'deaf'] as const
type Fault = (typeof FAULTS)[number]

const LEAKED: Buffer[] = []
const MEGABYTE = 1_048_576

/** What each fault does, within `ms`. */
const DO: Readonly<Record<Fault, (ms: number, context: WorkerContext) => Promise<void> | void>> = {
  fail() {
    throw new Error('told to fail')
  },
  exit: () => process.exit(1),
  kill: () => void process.kill(process.pid, 'SIGKILL'),
  // Whoever watches it has to end it, or continue it.
  stop: () => void process.kill(process.pid, 'SIGSTOP'),
  block(ms) {
    const endMs = performance.now() + ms
    while (performance.now() < endMs);
  },
  // It is never given back: 5 MB a second.
  async leak(ms, { signal }) {
    for (let leftMs = ms; leftMs > 0 && !signal.aborted; leftMs -= 200) {
      LEAKED.push(Buffer.alloc(MEGABYTE, 1))
      await sleep(200)
    }
  },
  async print(ms, { signal }) {
    const endMs = performance.now() + ms
    while (performance.now() < endMs && !signal.aborted) {
      process.stdout.write(`${'sleeper talks in its sleep '.repeat(40)}\n`)
      await sleep(0)
    }
  },
  // It does not look at its signal.
  deaf: (ms) => sleep(ms),
}

const sleeper = defineWorker(
  { concurrency: 32, attempts: 3, lock: '10s' },
  async ({ data }: WorkerJob<SleeperData>, context): Promise<Slept> => {
    const { ms = 100, fault, once = true } = data ?? {}
    if (fault !== undefined && !FAULTS.includes(fault))
      throw new JobFailed(`data.fault: expected one of ${FAULTS.join(', ')}`)
    const isDue = fault !== undefined && !(once && (await wasHere(context)))
    if (fault !== 'block' && fault !== 'deaf') await sleep(ms, undefined, { signal: context.signal })
    if (isDue) await DO[fault](ms, context)
    return { slept: ms, fence: context.fence, pid: process.pid }
  },
)

/**
 * Whether an earlier start of this round got here. It asked the same with the same token, so it was given the same answer; and as
 * fences only grow within a system, what an earlier start was answered is below ours.
 */
async function wasHere({ callOnce, system, round, fence }: WorkerContext): Promise<boolean> {
  const request = encodeURIComponent(round).slice(0, 128)
  const noted = await callOnce<typeof sleeper>('sleeper', { ms: 0 }, { system, request })
  return noted.fence < fence
}

export default sleeper
