import type { BackoffOptions, Job, JobsOptions, Queue } from 'bullmq'
import { type Backoff, MAX_QUEUES, type Submission, type SubmissionRecord } from '../core/rounds/job.ts'
import { type RoundId, roundKey } from '../core/rounds/round.ts'
import type { JobContent, JobQueues, JobReader, JobSight } from '../core/rounds/round-ports.ts'
import { GoneError } from '../errors.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import type { Want } from '../redis/wants.ts'
import { addRecorded, type RecordingStep, recordAsAdded } from './add-recorded.ts'
import { jobOptions } from './job-options.ts'
import { openQueue, QUEUE_PREFIX } from './open-queue.ts'
import { OpenQueues } from './open-queues.ts'
import { QueueNames, type QueueState } from './queue-names.ts'

/** How many queues a process has open; the board shows fewer. */
const MAX_OPEN = 400
/** Jobs that are taken out of a queue in one go before it is forgotten; the rest the next time. */
const MAX_CLEANED = 10_000

type QueuedSubmission = SubmissionRecord & JobContent

/** What a job says of the submission that it was made of, by which its worker knows the record. */
export interface MadeFor {
  readonly submittedAt?: number
  readonly traceparent?: string
}

/** The workers' queues in BullMQ, opened when they are first used. */
export class BullJobQueues implements JobQueues, JobReader {
  private readonly queues = new OpenQueues(MAX_OPEN, (name) => openQueue(name, this.client))
  private readonly names: QueueNames

  /**
   * @param client one with a command timeout: a dead Redis must be an answer, not a hang
   * @param keptMs how long a queue is remembered that nobody uses
   * @param recordingLua the step that records a submission, for `addRecorded`
   */
  constructor(
    private readonly client: RedisClient,
    private readonly keptMs: number,
    recordingLua?: string,
  ) {
    if (recordingLua !== undefined) recordAsAdded(client, recordingLua)
    this.names = new QueueNames(client, keptMs)
  }

  async admit(queue: string): Promise<void> {
    if (await attempt(`look for the queue ${queue}`, () => this.names.admits(queue))) return
    throw new GoneError(
      'QUOTA_EXCEEDED',
      `${queue}: ${MAX_QUEUES} workers are submitted to already; one that nobody uses is forgotten in time`,
      { retryAfterS: 60 },
    )
  }

  /** Notes that somebody asks the queue for jobs: it is not to be forgotten. */
  serve(queue: string): Promise<void> {
    return this.names.serve(queue)
  }

  async add(id: RoundId, submission: QueuedSubmission): Promise<void> {
    await this.names.note(submission.queue)
    await this.put(id, submission)
    // A call's round is its own, and its job may have ended and be gone by now.
    if (submission.runTerms.call || (await this.isOf(id, submission))) return
    // An earlier submission's, whose record is gone: a job's id is its round's, so BullMQ takes the new one for the same.
    await this.remove(id, submission.queue)
    await this.put(id, submission)
    if (!(await this.isOf(id, submission)))
      throw new Error(`a job of an earlier submission is being run in ${submission.queue}`)
  }

  /**
   * Records a submission and queues its job, which has not to wait for its time, in one script.
   *
   * @returns what the step that records it answers
   */
  async addRecorded(id: RoundId, submission: Submission, step: RecordingStep): Promise<unknown[]> {
    await this.names.note(submission.queue)
    return addRecorded(this.open(submission.queue), id, submission, step)
  }

  private async put(id: RoundId, submission: QueuedSubmission): Promise<void> {
    const { queue, data, submittedAtMs, notBeforeMs } = submission
    const delayMs = notBeforeMs === undefined ? 0 : notBeforeMs - submittedAtMs
    const marked: JobsOptions & MadeFor = {
      jobId: roundKey(id),
      // The record's, so by the clock of Redis. A delay is counted from there.
      timestamp: submittedAtMs,
      submittedAt: submittedAtMs,
      ...jobOptions(submission),
      ...(delayMs > 0 && { delay: delayMs }),
    }
    await this.open(queue).add(id.system, data ?? null, marked)
  }

  /** Whether the round's job in the queue is the one that was made of this submission. */
  private async isOf(id: RoundId, { queue, submittedAtMs }: QueuedSubmission): Promise<boolean> {
    const madeAtMs = await this.client.hget(`${QUEUE_PREFIX}:${queue}:${roundKey(id)}`, 'timestamp')
    return Number(madeAtMs) === submittedAtMs
  }

  async find(
    id: RoundId,
    { queue, submittedAtMs }: Pick<SubmissionRecord, 'queue' | 'submittedAtMs'>,
  ): Promise<JobContent | undefined> {
    const job = await this.job(id, { queue, submittedAtMs })
    if (job === undefined) return undefined
    const { attempts, backoff, priority } = job.opts
    const { traceparent } = job.opts as MadeFor
    return {
      data: job.data,
      queueTerms: {
        ...(attempts && { attempts }),
        ...(typeof backoff === 'object' && { backoff: backoffOf(backoff) }),
        ...(priority && { priority }),
        ...(traceparent && { traceparent }),
      },
    }
  }

  async readJob(
    id: RoundId,
    submission: Pick<SubmissionRecord, 'queue' | 'submittedAtMs'>,
    lines: number,
  ): Promise<JobSight | undefined> {
    const job = await this.job(id, submission)
    if (job === undefined) return undefined
    const queue = this.open(submission.queue)
    // Its last lines come last first.
    const [state, { logs, count }] = await attempt('look at a job', () =>
      Promise.all([job.getState(), queue.getJobLogs(roundKey(id), 0, lines - 1, false)]),
    )
    return {
      state,
      attemptsMade: job.attemptsMade,
      ...(job.opts.attempts && { attempts: job.opts.attempts }),
      data: job.data,
      ...(job.progress !== 0 && { progress: job.progress }),
      log: { lines: logs.toReversed(), count },
    }
  }

  /** The job that was made of this submission. */
  private async job(
    id: RoundId,
    { queue, submittedAtMs }: Pick<SubmissionRecord, 'queue' | 'submittedAtMs'>,
  ): Promise<Job | undefined> {
    const job = await attempt('look for a job', () => this.open(queue).getJob(roundKey(id)))
    return job?.timestamp === submittedAtMs ? job : undefined
  }

  /** How many take jobs of the queue, as Redis lists its clients. */
  async consumers(queue: string): Promise<number> {
    return attempt('look who takes jobs', () => this.open(queue).getWorkersCount())
  }

  async hasten(id: RoundId, queue: string): Promise<void> {
    const job = await this.open(queue).getJob(roundKey(id))
    if (await job?.isDelayed()) await job?.promote()
  }

  /** True if the round has a job there that has not ended. */
  async isPending(id: RoundId, queue: string): Promise<boolean> {
    const [made, ended] = await attempt('look for a job', () =>
      this.client.hmget(`${QUEUE_PREFIX}:${queue}:${roundKey(id)}`, 'timestamp', 'finishedOn'),
    )
    return made !== null && ended === null
  }

  async remove(id: RoundId, queue: string): Promise<void> {
    await this.open(queue).remove(roundKey(id))
  }

  async counts(): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>> {
    const states = await attempt('count jobs', () => this.states())
    return Object.fromEntries(states.map(({ name, counts }) => [name, counts]))
  }

  /** How all queues stand that are used. */
  states(): Promise<readonly QueueState[]> {
    return this.names.states()
  }

  /** When something is to be done for one of them. */
  wants(): readonly Want[] {
    return this.names.wants()
  }

  /** The queues that were used last, and of these others those that are used at all. */
  async recent(limit: number, others: readonly string[]): Promise<readonly Queue[]> {
    const [last, known] = await Promise.all([this.names.recent(limit), this.names.known(others)])
    return [...new Set([...last, ...known])].sort().map((name) => this.open(name))
  }

  /** Forgets queues that nobody has used for as long as jobs are kept, and in which none waits; how many it were. */
  async forget(): Promise<number> {
    return attempt('forget queues that nobody uses', () =>
      this.names.forget(async (name) => {
        const queue = this.open(name)
        for (const state of ['completed', 'failed'] as const)
          await queue.clean(this.keptMs / 2, MAX_CLEANED, state)
      }),
    )
  }

  /** Lists queues anew as they are used: the store may have lost that they are listed. */
  relist(): void {
    this.names.relist()
  }

  async stop(): Promise<void> {
    await this.queues.close()
  }

  private open(name: string): Queue {
    return this.queues.open(name)
  }
}

function backoffOf({ type, delay = 0 }: Exclude<BackoffOptions, string>): Backoff {
  return { type: type === 'exponential' ? 'exponential' : 'fixed', delayMs: delay }
}
