import { callIdentity } from '../core/candidate.ts'
import type { JobQueues, Log, Records } from '../core/ports.ts'
import { MAX_DEADLINE_MS } from '../core/record.ts'
import { formatRound, type RoundId, roundKey } from '../core/round.ts'
import { GoneError } from '../errors.ts'
import type { Completer } from './completer.ts'

/** A leader may change as often between our look and our report, each time with a start of its own. */
const MAX_TRIES = 10

export interface CancellerParts {
  readonly records: Records
  readonly completer: Completer
  readonly jobs: JobQueues
  readonly log: Log
}

/** Ends rounds that nobody wants any more. */
export class Canceller {
  constructor(private readonly parts: CancellerParts) {}

  /**
   * Ends the round as failed, if it has not ended, and takes its job out of the queue. A handler that runs is told within
   * some seconds, when its worker looks at the record. Harmless if it is done twice.
   *
   * @param reason what the record says of it
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  async cancel(id: RoundId, reason: string): Promise<void> {
    const { records, completer, log } = this.parts
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const { record, submission } = await records.read(id)
      if (record === undefined && submission === undefined) return
      if (record === undefined || record.completion === undefined) {
        const reporter = {
          address: 'schedule',
          identity: callIdentity(`cancel ${roundKey(id)}`),
          // Its fence proves any leadership, of a worker or a caller.
          ...(record && { fence: record.fence }),
        }
        const report = { outcome: 'failed', detail: reason } as const
        const { verdict } = await completer.complete(id, reporter, report, { deadlineMs: MAX_DEADLINE_MS })
        if (verdict === 'refused') continue
        log.info({ round: roundKey(id) }, `round ended: ${reason}`)
      }
      if (submission) await this.takeOut(id, submission.queue)
      return
    }
    throw new GoneError(
      'STORE_UNAVAILABLE',
      `${formatRound(id)}: its leader changes all the time; safe to retry`,
    )
  }

  /** A job that is left there is found to be finished by whoever takes it. */
  private async takeOut(id: RoundId, queue: string): Promise<void> {
    try {
      await this.parts.jobs.remove(id, queue)
    } catch (error) {
      this.parts.log.warn(
        { round: roundKey(id), cause: String(error) },
        'job of an ended round left in its queue',
      )
    }
  }
}
