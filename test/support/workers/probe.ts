import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { defineWorker, type WorkerContext, type WorkerJob } from '../../../src/index.ts'

/** What a test asks of the probe. */
export interface ProbeData {
  /** How long the handler takes; it does not listen to its signal, as handlers may not. */
  readonly sleepMs?: number
  /** Goes on once there is this key in Redis. */
  readonly untilKey?: string
  /** Fails the first so many attempts. */
  readonly failures?: number
  /** Starts something that it does not await, and that is rejected. */
  readonly leaves?: 'progress' | 'log' | 'promise'
}

// A worker whose every start and end can be counted from outside, in Redis itself.
const redis = new Redis(process.env.REDIS_URL ?? '')

export default defineWorker(
  { concurrency: 20, attempts: 3, backoff: { type: 'fixed', delay: 50 }, lock: '1s' },
  async (job: WorkerJob<ProbeData | null>, context) => {
    const { fence, attempt } = context
    await redis.rpush(`probe:started:${job.id}`, `${process.pid}:${fence}`)
    const { sleepMs = 0, untilKey, failures = 0, leaves } = job.data ?? {}
    if (leaves) void leave(leaves, context)
    if (sleepMs > 0) await sleep(sleepMs)
    while (untilKey !== undefined && (await redis.exists(untilKey)) === 0) await sleep(50)
    if (attempt <= failures) throw new Error(`attempt ${attempt} fails as asked`)
    await redis.rpush(`probe:ended:${job.id}`, `${process.pid}:${fence}`)
    return { fence, pid: process.pid }
  },
)

function leave(what: 'progress' | 'log' | 'promise', context: WorkerContext): Promise<unknown> {
  const unwritable = { sent: 7n }
  if (what === 'progress') return context.progress(unwritable)
  if (what === 'log') return context.log(unwritable as unknown as string)
  return Promise.reject(unwritable)
}
