import type { Census } from '../core/alert-ports.ts'
import { escapePart, type RoundId, roundKey } from '../core/round.ts'
import { GoneError } from '../errors.ts'
import type { RedisClient } from '../redis/connections.ts'
import { redisTrouble } from '../redis/trouble.ts'

/**
 * Counts of candidates in Redis: a set a round, in its system's Cluster slot. Not PFADD: of three candidates it would lose
 * one in some thousands of rounds, each a false alarm.
 */
export class RedisCensus implements Census {
  constructor(private readonly redis: RedisClient) {}

  async add(id: RoundId, identities: readonly string[], keepMs: number): Promise<void> {
    await this.attempt(`count candidates of ${roundKey(id)}`, async () => {
      const key = keyOf(id)
      // Sent together: one round trip.
      await Promise.all([this.redis.sadd(key, ...identities), this.redis.pexpire(key, keepMs)])
    })
  }

  async count(id: RoundId): Promise<number | undefined> {
    return this.attempt(
      `read the candidates of ${roundKey(id)}`,
      async () => (await this.redis.scard(keyOf(id))) || undefined,
    )
  }

  private async attempt<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      throw new GoneError('STORE_UNAVAILABLE', `cannot ${what}: ${redisTrouble(cause)}; safe to retry`, {
        cause,
      })
    }
  }
}

function keyOf({ system, round }: RoundId): string {
  return `gone:{${escapePart(system)}}:candidates:${escapePart(round)}`
}
