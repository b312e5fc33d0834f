import type { CallWait, CallWaits } from '../../core/rounds/round-ports.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { defineSteps, type Steps } from '../../redis/steps.ts'

/** Which jobs wait for calls, in Redis: a sorted set a worker, by when each wait ends. */
export class RedisCallWaits implements CallWaits {
  private readonly steps: Steps<'enter-call'>

  constructor(private readonly redis: RedisClient) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      prefix: 'gone',
      names: ['enter-call'],
      keyCount: 1,
    })
  }

  enter(
    worker: string,
    waits: readonly CallWait[],
    slots: number,
    forMs: number,
  ): Promise<readonly CallWait[] | undefined> {
    return attempt(`note who waits for ${worker}`, async () => {
      const call = waits[0]?.call ?? ''
      const jobs = waits.map(({ job }) => `${job.round} ${job.fence}`)
      const [verdict, ...noted] = await this.steps['enter-call'](keyOf(worker), call, slots, forMs, ...jobs)
      return verdict === 'refused' ? noted.map((text) => waitOf(String(text))) : undefined
    })
  }

  async leave(worker: string, waits: readonly CallWait[]): Promise<void> {
    if (waits.length === 0) return
    await attempt(`note who waits for ${worker}`, () =>
      this.redis.zrem(keyOf(worker), ...waits.map(({ job, call }) => `${job.round} ${job.fence} ${call}`)),
    )
  }
}

function waitOf(text: string): CallWait {
  const [round = '', fence, call = ''] = text.split(' ')
  return { job: { round, fence: Number(fence) }, call }
}

function keyOf(worker: string): string {
  return `gone:{~calls}:waits:${worker}`
}
