import type { KeyUses } from '../core/api-key.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { redisNowMs } from '../redis/redis-clock.ts'

export const USES_KEY = 'gone:{~keys}:used'

/** When keys were last used, in Redis: one hash, a field a key, until it is revoked. */
export class RedisKeyUses implements KeyUses {
  constructor(private readonly redis: RedisClient) {}

  async note(agesMs: ReadonlyMap<string, number>): Promise<void> {
    const nowMs = await redisNowMs(this.redis)
    const times = [...agesMs].flatMap(([id, ageMs]) => [id, String(Math.round(nowMs - ageMs))])
    await attempt('note when keys were used', () => this.redis.hset(USES_KEY, ...times))
  }

  async read(): Promise<ReadonlyMap<string, number>> {
    const times = await attempt('read when keys were used', () => this.redis.hgetall(USES_KEY))
    return new Map(Object.entries(times).map(([id, ms]) => [id, Number(ms)]))
  }
}
