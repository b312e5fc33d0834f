import { performance } from 'node:perf_hooks'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import type { LoadResult } from './load.ts'

/** What the same Redis does for a client that asks it for one thing only. */
export class RedisLimits {
  private readonly client: Redis
  private readonly queue: Queue
  private calls = 0

  /** @param path the unix socket of the Redis */
  constructor(path: string) {
    this.client = new Redis({ path, maxRetriesPerRequest: 1 })
    this.queue = new Queue('limit', { connection: this.client, prefix: '{bench}', skipVersionCheck: true })
    // A connection that breaks fails the command under way, and with it the bench.
    this.client.on('error', () => undefined)
    this.queue.on('error', () => undefined)
  }

  /** `SET NX` of new keys through ioredis. */
  readonly set = (inFlight: number, durationMs: number): Promise<LoadResult> =>
    repeat(inFlight, durationMs, async () => {
      const key = `bench:set:${this.calls++}`
      if ((await this.client.set(key, '1', 'NX')) !== 'OK') throw new Error(`SET ${key} NX: expected OK`)
    })

  /** `queue.add` of new job ids, with what a round's job carries. */
  readonly add = (inFlight: number, durationMs: number): Promise<LoadResult> =>
    repeat(inFlight, durationMs, async () => {
      await this.queue.add(
        'limit',
        { leader: '127.0.0.1:50158', fence: 1 },
        { jobId: `limit~${this.calls++}` },
      )
    })

  async stop(): Promise<void> {
    await this.queue.close()
    this.client.disconnect()
  }
}

async function repeat(inFlight: number, durationMs: number, call: () => Promise<void>): Promise<LoadResult> {
  const latencies: number[] = []
  const startedMs = performance.now()
  let lastMs = startedMs
  const work = async () => {
    for (let sentMs = performance.now(); sentMs - startedMs < durationMs; sentMs = lastMs) {
      await call()
      lastMs = performance.now()
      latencies.push(lastMs - sentMs)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, work))
  return {
    answers: latencies.length,
    elapsedMs: lastMs - startedMs,
    latenciesMs: Float64Array.from(latencies).sort(),
  }
}
