import type { Census } from '../core/alert-ports.ts'
import { escapePart, type RoundId, roundKey } from '../core/round.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'

/**
 * Counts of candidates in Redis: a set a round, in its system's Cluster slot. Not PFADD: of three candidates it would lose
 * one in some thousands of rounds, each a false alarm.
 */
export class RedisCensus implements Census {
  constructor(private readonly redis: RedisClient) {}

  async add(id: RoundId, identities: readonly string[], keepMs: number): Promise<void> {
    await attempt(`count candidates of ${roundKey(id)}`, async () => {
      const key = keyOf(id)
      // Sent together: one round trip.
      await Promise.all([this.redis.sadd(key, ...identities), this.redis.pexpire(key, keepMs)])
    })
  }

  async count(id: RoundId): Promise<number | undefined> {
    return attempt(
      `read the candidates of ${roundKey(id)}`,
      async () => (await this.redis.scard(keyOf(id))) || undefined,
    )
  }
}

function keyOf({ system, round }: RoundId): string {
  return `gone:{${escapePart(system)}}:candidates:${escapePart(round)}`
}
