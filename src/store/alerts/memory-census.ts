import type { Census } from '../../core/alerts/alert-ports.ts'
import { type RoundId, roundKey } from '../../core/rounds/round.ts'

/** The twin of RedisCensus in memory, for tests. */
export class MemoryCensus implements Census {
  private readonly rounds = new Map<string, Set<string>>()
  private readonly calls = new Map<string, Map<string, Set<string>>>()

  async add(id: RoundId, identities: readonly string[]): Promise<void> {
    const known = this.rounds.get(roundKey(id)) ?? new Set()
    for (const identity of identities) known.add(identity)
    this.rounds.set(roundKey(id), known)
  }

  async call({ system, round }: RoundId, names: readonly string[]): Promise<void> {
    const rounds = this.calls.get(system) ?? new Map<string, Set<string>>()
    rounds.set(round, new Set([...(rounds.get(round) ?? []), ...names]))
    this.calls.set(system, rounds)
  }

  async called(system: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    return this.calls.get(system) ?? new Map()
  }

  async count(id: RoundId): Promise<number | undefined> {
    return this.rounds.get(roundKey(id))?.size
  }
}
