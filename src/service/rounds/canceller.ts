import type { CancelVerdict } from '../../core/rounds/completion.ts'
import { formatRound, type RoundId, roundKey } from '../../core/rounds/round.ts'
import type {
  CancelRuling,
  JobQueues,
  Log,
  Records,
  Ruling,
  Sighting,
} from '../../core/rounds/round-ports.ts'
import { GoneError } from '../../errors.ts'
import { orLater } from '../or-later.ts'
import type { Completer } from './completer.ts'

/** A round may be submitted anew as often between our look and our step. */
const MAX_TRIES = 10

export interface CancellerParts {
  readonly records: Records
  readonly completer: Pick<Completer, 'follow'>
  readonly jobs: JobQueues
  readonly log: Log
}

export interface CancelOrder {
  /** Who wants it, for display. */
  readonly by: string
  /** What the record says of it. */
  readonly reason: string
  /** Looks at the round before anything is done. @throws where it is not to be cancelled by whoever asks */
  readonly check?: (seen: Sighting) => void
}

/** `none`: nobody has led or submitted the round. */
export type Cancellation =
  | Exclude<CancelRuling, { readonly verdict: 'another' }>
  | { readonly verdict: 'none' }

/** Ends rounds that nobody wants any more. */
export class Canceller {
  constructor(private readonly parts: CancellerParts) {}

  /**
   * Ends the round as failed, if it has not ended, and takes its job out of the queue. A handler that runs is told within
   * some seconds, when its worker looks at the record. Harmless if it is done twice.
   *
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  async cancel(id: RoundId, { by, reason, check }: CancelOrder): Promise<Cancellation> {
    const { records, jobs } = this.parts
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const seen = await records.read(id)
      const { record, submission } = seen
      if (record === undefined && submission === undefined) return { verdict: 'none' }
      check?.(seen)
      const job = submission && (submission.pending ?? (await jobs.find(id, submission)))
      const ruling = await records.cancel(id, by, reason, {
        ...(submission && { submittedAtMs: submission.submittedAtMs }),
        ...(job && { job }),
      })
      if (ruling.verdict === 'another') continue
      if (ruling.verdict !== 'ended') await this.follow(id, ruling, reason)
      return ruling
    }
    throw new GoneError('STORE_UNAVAILABLE', `${formatRound(id)}: it changes all the time; safe to retry`)
  }

  private async follow(id: RoundId, ruling: Ruling<CancelVerdict>, reason: string): Promise<void> {
    const { completer, jobs, log } = this.parts
    const about = { round: roundKey(id) }
    if (ruling.verdict === 'cancelled') log.info(about, `round ended: ${reason}`)
    await completer.follow(id, ruling)
    const { record, submission } = ruling
    if (submission === undefined) return
    // A job that is left there is found to be finished by whoever takes it. One that was started shows on the board how it ended, and
    // to be removed it could have ended meanwhile.
    const words = 'job of an ended round left in its queue'
    await orLater(log, about, words, () =>
      record.starts ? jobs.hasten(id, submission) : jobs.remove(id, submission),
    )
  }
}
