import type { Reporter } from '../../core/rounds/candidate.ts'
import type { CompletionVerdict } from '../../core/rounds/completion.ts'
import { hasRoundJob } from '../../core/rounds/job.ts'
import type { Terms } from '../../core/rounds/record.ts'
import type { RoundId } from '../../core/rounds/round.ts'
import type { Gate, Records, Report, Ruling } from '../../core/rounds/round-ports.ts'
import type { Board } from './board.ts'
import { gateValueOf } from './job-hold.ts'
import type { RoundMemory } from './round-memory.ts'

export interface CompleterParts {
  readonly records: Records
  readonly board: Pick<Board, 'tell'>
  readonly memory: RoundMemory
  readonly gate?: Gate
  readonly nowMs: () => number
}

/** Records how rounds end. */
export class Completer {
  constructor(private readonly parts: CompleterParts) {}

  /**
   * Records the round's one completion.
   *
   * @throws GoneError `STORE_UNAVAILABLE`: the same call again is answered as if it were the first
   */
  async complete(
    id: RoundId,
    reporter: Reporter,
    report: Report,
    terms: Terms,
  ): Promise<Ruling<CompletionVerdict>> {
    const { records, memory } = this.parts
    const sentAtMs = this.parts.nowMs()
    const ruling = await records.complete(id, reporter, report, terms)
    memory.remember(id, ruling, sentAtMs)
    if (ruling.verdict !== 'refused') await this.follow(id, ruling)
    return ruling
  }

  /** Does what follows from an end that is recorded: its job ends too, and the gate is given back. */
  async follow(id: RoundId, ruling: Ruling<unknown>): Promise<void> {
    const { board, gate } = this.parts
    const value = gateValueOf(ruling.record)
    await Promise.all([
      hasRoundJob(ruling) ? board.tell({ id, ...ruling }, 'finished') : undefined,
      value === undefined ? undefined : gate?.release(id, value),
    ])
  }
}
