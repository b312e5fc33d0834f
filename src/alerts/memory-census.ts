import type { Census } from '../core/alert-ports.ts'
import { type RoundId, roundKey } from '../core/round.ts'

/** The twin of RedisCensus in memory, for tests. */
export class MemoryCensus implements Census {
  private readonly rounds = new Map<string, Set<string>>()

  async add(id: RoundId, identities: readonly string[]): Promise<void> {
    const known = this.rounds.get(roundKey(id)) ?? new Set()
    for (const identity of identities) known.add(identity)
    this.rounds.set(roundKey(id), known)
  }

  async count(id: RoundId): Promise<number | undefined> {
    return this.rounds.get(roundKey(id))?.size
  }
}
