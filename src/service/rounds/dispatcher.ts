import { type Submission, type SubmissionRecord, submissionDigest } from '../../core/rounds/job.ts'
import { type RoundId, roundKey } from '../../core/rounds/round.ts'
import type { JobQueues, Log, Records, Sighting } from '../../core/rounds/round-ports.ts'
import type { Tracer } from '../../core/tracing.ts'
import { GoneError } from '../../errors.ts'
import { orLater } from '../or-later.ts'
import type { DeadlineWatch } from './deadline-watch.ts'
import { submissionSpan } from './round-spans.ts'

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
  readonly deadlines: Pick<DeadlineWatch, 'expect'>
  readonly log: Log
  /** Told of each submission; missing: nobody is. */
  readonly tracer?: Tracer
  /** By when a worker has to start a round whose submission sets no deadline; 0: ever. */
  readonly submissionDeadlineMs: number
}

/** Turns the submissions of many replicas into one job. */
export class Dispatcher {
  constructor(private readonly parts: DispatcherParts) {}

  /** Lets the worker be submitted to. @throws GoneError `QUOTA_EXCEEDED`, `STORE_UNAVAILABLE` */
  admit({ queue }: Pick<Submission, 'queue'>): Promise<void> {
    return this.parts.jobs.admit(queue)
  }

  /** Whether a submission of the round would be its first. */
  async isFresh(id: RoundId): Promise<boolean> {
    const { record, submission } = await this.parts.records.read(id)
    return record === undefined && submission === undefined
  }

  /**
   * Claims a share for the round's job. One that is used up refuses no round that is there: what was submitted before is no job more.
   *
   * @throws GoneError `QUOTA_EXCEEDED`, and what `claim` throws
   */
  async claim(id: RoundId, claim: () => Promise<void>): Promise<void> {
    try {
      await claim()
    } catch (error) {
      const isUsedUp = error instanceof GoneError && error.code === 'QUOTA_EXCEEDED'
      // Asked only now: most submissions are spared the question.
      if (!isUsedUp || (await this.isFresh(id))) throw error
    }
  }

  /**
   * Submits the round's job. A round that was led or finished, over HTTP or by a worker, is not run again, also where
   * its job has been removed since.
   *
   * @throws GoneError `STORE_UNAVAILABLE`: the same call again is answered as if it were the first
   */
  async submit(id: RoundId, submission: Submission): Promise<Dispatch> {
    const { tracer } = this.parts
    if (tracer === undefined) return this.record(id, submission)
    const { span, traced } = submissionSpan(tracer, id, submission)
    try {
      const dispatch = await this.record(id, traced)
      span.end({ attributes: { 'gone.first': dispatch.isFirst } })
      return dispatch
    } catch (error) {
      span.end({ error: String(error) })
      throw error
    }
  }

  private async record(id: RoundId, submission: Submission): Promise<Dispatch> {
    const { records, deadlines, submissionDeadlineMs } = this.parts
    // A call has a time of its own.
    const untakenMs = submission.runTerms.call ? 0 : submissionDeadlineMs
    const { verdict, ...seen } = await records.submit(id, submission, untakenMs)
    const isFirst = verdict === 'submitted'
    const { deadlineMs } = submission.runTerms
    if (isFirst && deadlineMs !== undefined) deadlines.expect(deadlineMs, id.system)
    const isConflict =
      seen.submission !== undefined && seen.submission.digest !== submissionDigest(submission)
    // While the record has the data, the queue may not have the job: adding it again is harmless. Afterwards a job that is not there was
    // removed, and a submission that is answered "nothing was changed" makes none.
    if (seen.submission?.pending && !seen.record) await this.queue(id, seen.submission, seen)
    return { ...seen, isFirst, isConflict }
  }

  /** Queues what the record has. What fails here is done by the sweeper. */
  private async queue(id: RoundId, submission: SubmissionRecord, seen: Sighting): Promise<void> {
    await orLater(
      this.parts.log,
      { round: roundKey(id) },
      'job not queued yet; the sweeper will',
      async () => {
        await queueJob(this.parts.jobs, id, submission)
        this.parts.records.acknowledge(id, 'submitted', seen)
      },
    )
  }
}

/** Puts a submission whose data is still at hand into its worker's queue. */
export async function queueJob(jobs: JobQueues, id: RoundId, submission: SubmissionRecord): Promise<void> {
  const { pending } = submission
  if (pending) await jobs.add(id, { ...submission, ...pending })
}
