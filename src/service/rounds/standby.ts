import type { Candidate } from '../../core/rounds/candidate.ts'
import type { Terms } from '../../core/rounds/record.ts'
import type { RoundId } from '../../core/rounds/round.ts'
import type { Records, RoundNews, Sighting } from '../../core/rounds/round-ports.ts'
import type { CallEar } from './call-ear.ts'
import type { Election, Elector } from './elector.ts'
import type { RoundMemory } from './round-memory.ts'
import { type MadeCall, RoundWatch } from './round-watch.ts'

export interface StandbyParts {
  readonly elector: Elector
  readonly records: Records
  readonly memory: RoundMemory
  readonly news: RoundNews
  readonly nowMs: () => number
}

/** Requests that wait for a round: losers that stand by for the lead, and readers that wait for its end. */
export class Standby {
  private readonly rounds: RoundWatch

  constructor(private readonly parts: StandbyParts) {
    const { records, news, nowMs, memory } = parts
    this.rounds = new RoundWatch({
      records,
      news,
      nowMs,
      remember(id, { record, nowMs: seenAtMs }, sentAtMs) {
        if (record) memory.remember(id, { record, nowMs: seenAtMs }, sentAtMs)
      },
    })
  }

  /**
   * Stands by for `waitMs`: answers as soon as this candidate leads or the round is finished, else the last answer.
   *
   * @param caller aborted when the caller has gone, so that nobody absent is elected
   * @throws GoneError as `Elector.elect`, `TOO_MANY_STANDBYS`, and `SHUTTING_DOWN` when this server stops meanwhile
   */
  async elect(
    id: RoundId,
    candidate: Candidate,
    terms: Terms,
    waitMs: number,
    caller: AbortSignal,
  ): Promise<Election> {
    const isGone = () => caller.aborted
    const first = await this.parts.elector.elect(id, candidate, terms, isGone)
    if (isSettled(first)) return first
    return this.rounds.watch(id, waitMs, caller, async (seen) => {
      const { record, nowMs } = seen
      // Nobody who has gone is to be elected.
      if (caller.aborted) return { answer: { verdict: 'lost' }, isOpen: false }
      const answer: Election = record?.completion
        ? { verdict: 'lost', leadership: record, seen: { record, nowMs } }
        : await this.parts.elector.elect(id, candidate, terms, isGone)
      return { answer, isOpen: !isSettled(answer) }
    })
  }

  /** The record once the round is finished, or as it is after `waitMs`. */
  finish(id: RoundId, waitMs: number, caller: AbortSignal, made?: MadeCall): Promise<Sighting> {
    return this.rounds.finish(id, waitMs, caller, made)
  }

  /** As `RoundWatch.ear`. */
  ear(id: RoundId): CallEar | undefined {
    return this.rounds.ear(id)
  }

  /** Answers who waits with an error that says retry, elsewhere. */
  drain(): void {
    this.rounds.drain()
  }
}

function isSettled({ verdict, leadership, seen }: Election): boolean {
  return verdict !== 'lost' || leadership?.state === 'completed' || seen?.record.completion !== undefined
}
