import {
  type Submission,
  type SubmissionRecord,
  submissionDeadlineAtMs,
  submissionDigest,
} from '../core/job.ts'
import type { JobQueues, Log, Records, RoundQueue, Sighting } from '../core/ports.ts'
import { type RoundId, roundKey } from '../core/round.ts'

/** What a submission comes to. */
export interface Dispatch extends Sighting {
  /** True for the one submission that made the job. */
  readonly isFirst: boolean
  /** True if the round was submitted before, for another worker or with other data, which are kept. */
  readonly isConflict: boolean
}

export interface DispatcherParts {
  readonly records: Records
  readonly jobs: JobQueues
  readonly rounds: RoundQueue
  readonly log: Log
}

/** Turns the submissions of many replicas into one job. */
export class Dispatcher {
  constructor(private readonly parts: DispatcherParts) {}

  /**
   * Submits the round's job. A round that was led or finished, over HTTP or by a worker, is not run again, also where
   * its job has been removed since.
   *
   * @throws GoneError `STORE_UNAVAILABLE`: the same call again is answered as if it were the first
   */
  async submit(id: RoundId, submission: Submission): Promise<Dispatch> {
    const { verdict, ...seen } = await this.parts.records.submit(id, submission)
    const isFirst = verdict === 'submitted'
    const isConflict =
      seen.submission !== undefined && seen.submission.digest !== submissionDigest(submission)
    // A job that nobody has started may have been lost before it was queued, or been removed: adding it again is harmless.
    if (isFirst || (seen.submission && !seen.record)) await this.queue(id, submission, seen, isConflict)
    return { ...seen, isFirst, isConflict }
  }

  /** Queues what the record has, or the same that was submitted again. What fails here is done by the sweeper. */
  private async queue(
    id: RoundId,
    submission: Submission,
    seen: Sighting,
    isConflict: boolean,
  ): Promise<void> {
    const kept = seen.submission?.pending ?? (isConflict ? undefined : submission)
    if (kept === undefined || seen.submission === undefined) return
    try {
      await queueJob(this.parts, id, { ...seen.submission, pending: kept }, seen.nowMs)
      this.parts.records.acknowledge(id, 'submitted')
    } catch (error) {
      this.parts.log.warn(
        { round: roundKey(id), cause: String(error) },
        'job not queued yet; the sweeper will',
      )
    }
  }
}

/** Puts a submission whose data is still at hand into its worker's queue, and its deadline on watch. */
export async function queueJob(
  { jobs, rounds }: Pick<DispatcherParts, 'jobs' | 'rounds'>,
  id: RoundId,
  submission: SubmissionRecord,
  nowMs: number,
): Promise<void> {
  const { queue, pending } = submission
  if (pending) await jobs.add(id, { queue, ...pending })
  const deadlineAtMs = submissionDeadlineAtMs(submission)
  if (deadlineAtMs !== undefined) await rounds.watch(id, queue, deadlineAtMs - nowMs)
}
