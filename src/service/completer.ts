import type { Reporter } from '../core/candidate.ts'
import type { CompletionVerdict } from '../core/completion.ts'
import { hasRoundJob } from '../core/job.ts'
import type { Gate, Log, Records, Report, RoundQueue, Ruling } from '../core/ports.ts'
import type { Terms } from '../core/record.ts'
import { type RoundId, roundKey } from '../core/round.ts'
import type { RoundMemory } from './round-memory.ts'

export interface CompleterParts {
  readonly records: Records
  readonly queue: RoundQueue
  readonly memory: RoundMemory
  readonly gate?: Gate
  readonly log: Log
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
    const { records, memory, gate } = this.parts
    const sentAtMs = this.parts.nowMs()
    const ruling = await records.complete(id, reporter, report, terms)
    memory.remember(id, ruling, sentAtMs)
    if (ruling.verdict === 'refused') return ruling
    await Promise.all([
      this.showEnd(id, ruling),
      ruling.record.gate === undefined ? undefined : gate?.release(id, ruling.record.gate),
    ])
    return ruling
  }

  /** Ends the round's job. What fails here is done by the sweeper: the completion is recorded. */
  private async showEnd(id: RoundId, ruling: Ruling<CompletionVerdict>): Promise<void> {
    try {
      if (hasRoundJob(ruling)) await this.parts.queue.close(id)
      this.parts.records.acknowledge(id, 'finished')
    } catch (error) {
      this.parts.log.warn(
        { round: roundKey(id), cause: String(error) },
        'round still open in its queue; the sweeper closes it',
      )
    }
  }
}
