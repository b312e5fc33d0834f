import type { Census } from '../../core/alerts/alert-ports.ts'
import { escapePart, type RoundId, roundKey } from '../../core/rounds/round.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'

const MAX_COUNTED = 10_000
/** Notes of who asked, of a system: of a round there is one for each server that was asked. */
const MAX_CALLS = 1_000
const CALLS_KEPT_MS = 7 * 86_400_000

/**
 * Counts of candidates in Redis: a set a round, in its system's Cluster slot. Not PFADD: of three candidates it would lose
 * one in some thousands of rounds, each a false alert.
 */
export class RedisCensus implements Census {
  constructor(private readonly redis: RedisClient) {}

  async add(id: RoundId, identities: readonly string[], keepMs: number): Promise<void> {
    await attempt(`count candidates of ${roundKey(id)}`, async () => {
      const key = keyOf(id)
      // Nobody expects so many: a count beyond says nothing, and would be somebody's to make grow.
      if ((await this.redis.scard(key)) >= MAX_COUNTED) return
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

  async call({ system, round }: RoundId, names: readonly string[]): Promise<void> {
    await attempt(`note who asks for rounds of ${system}`, async () => {
      const key = callsOf(system)
      await Promise.all([
        this.redis.xadd(key, 'MAXLEN', '~', MAX_CALLS, '*', 'round', round, 'names', JSON.stringify(names)),
        this.redis.pexpire(key, CALLS_KEPT_MS),
      ])
    })
  }

  async called(system: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const notes = await attempt(`read who asked for rounds of ${system}`, () =>
      this.redis.xrevrange(callsOf(system), '+', '-', 'COUNT', MAX_CALLS),
    )
    const called = new Map<string, Set<string>>()
    for (const [, [, round = '', , names = '[]']] of notes) {
      const known = called.get(round) ?? new Set()
      for (const name of JSON.parse(names) as readonly string[]) known.add(name)
      called.set(round, known)
    }
    return called
  }
}

function callsOf(system: string): string {
  return `gone:{${escapePart(system)}}:calls`
}

function keyOf({ system, round }: RoundId): string {
  return `gone:{${escapePart(system)}}:candidates:${escapePart(round)}`
}
