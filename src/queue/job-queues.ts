import type { BackoffOptions, Job, JobsOptions, Queue } from 'bullmq'
import {
  type Backoff,
  MAX_QUEUES,
  regionQueue,
  type Submission,
  type SubmissionRecord,
} from '../core/rounds/job.ts'
import { type RoundId, roundKey } from '../core/rounds/round.ts'
import type { JobContent, JobMadeOf, JobQueues, JobReader, JobSight } from '../core/rounds/round-ports.ts'
import { GoneError } from '../errors.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { defineSteps, type Steps } from '../redis/steps.ts'
import type { Want } from '../redis/wants.ts'
import { addRecorded, type RecordingStep, recordAsAdded } from './add-recorded.ts'
import { jobOptions } from './job-options.ts'
import { openQueue } from './open-queue.ts'
import { OpenQueues } from './open-queues.ts'
import { queueKey } from './queue-keys.ts'
import { QueueNames, type QueueState } from './queue-names.ts'

/** How many queues a process has open; the board shows fewer. */
const MAX_OPEN = 400
/** Jobs that are taken out of a queue in one go before it is forgotten; the rest the next time. */
const MAX_CLEANED = 10_000

/** Where a job may be, and where it is told that one is there no more, in the order of remove-job.lua. */
const PARTS_OF_JOBS = ['completed', 'failed', 'delayed', 'prioritized', 'wait', 'paused', 'active', 'events']

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
  private readonly steps: Steps<'remove-job'>

  /**
   * @param client one with a command timeout: a dead Redis must be an answer, not a hang
   * @param keptMs how long a queue is remembered that nobody uses
   * @param recordingLua the step that records a submission, for `addRecorded`
   * @param isServedIn whether an instance of the worker takes jobs that are for the region; missing: none does
   */
  constructor(
    private readonly client: RedisClient,
    private readonly keptMs: number,
    recordingLua?: string,
    private readonly isServedIn?: (worker: string, region: string) => Promise<boolean>,
  ) {
    if (recordingLua !== undefined) recordAsAdded(client, recordingLua)
    this.names = new QueueNames(client, keptMs)
    this.steps = defineSteps(client, {
      beside: import.meta.url,
      prefix: 'gone',
      names: ['remove-job'],
      keyCount: 3 + PARTS_OF_JOBS.length,
    })
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
    // Whoever has told the queue before may have found its region served, or not.
    if (submission.runTerms.region !== undefined && (await this.job(id, submission))) return
    const queue = await this.queueFor(submission)
    await this.names.note(queue)
    await this.put(id, submission, queue)
    // A call's round is its own, and its job may have ended and be gone by now.
    if (submission.runTerms.call) return
    const { submittedAtMs } = submission
    const madeAtMs = await this.madeAtMs(id, queue)
    if (madeAtMs === submittedAtMs) return
    // Who adds this one was held up meanwhile: the round was opened again, or its record lost and submitted anew.
    if (madeAtMs !== undefined && madeAtMs > submittedAtMs)
      throw new Error(`a job of a later submission is in ${queue}`)
    // An earlier submission's, whose record is gone: a job's id is its round's, so BullMQ takes the new one for the same.
    if (madeAtMs !== undefined) await this.take(id, queue, madeAtMs)
    await this.put(id, submission, queue)
    if ((await this.madeAtMs(id, queue)) !== submittedAtMs)
      throw new Error(`a job of an earlier submission is being run in ${queue}`)
  }

  /** Its region's own, while somebody takes jobs there. */
  private async queueFor({
    queue,
    runTerms: { region },
  }: Pick<Submission, 'queue' | 'runTerms'>): Promise<string> {
    const isServed = region !== undefined && (await this.isServedIn?.(queue, region))
    return isServed ? regionQueue(queue, region) : queue
  }

  /**
   * Records a submission and queues its job, which has not to wait for its time, in one script.
   *
   * @returns what the step that records it answers
   */
  async addRecorded(id: RoundId, submission: Submission, step: RecordingStep): Promise<unknown[]> {
    const queue = await this.queueFor(submission)
    await this.names.note(queue)
    return addRecorded(this.open(queue), id, submission, step)
  }

  private async put(id: RoundId, submission: QueuedSubmission, queue: string): Promise<void> {
    const { data, submittedAtMs, notBeforeMs } = submission
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

  /** When the submission was made that the round's job in the queue is of; undefined where there is none. */
  private async madeAtMs(id: RoundId, queue: string): Promise<number | undefined> {
    const atMs = await this.client.hget(queueKey(queue, roundKey(id), this.client), 'timestamp')
    return typeof atMs === 'string' ? Number(atMs) : undefined
  }

  async find(id: RoundId, submission: JobMadeOf): Promise<JobContent | undefined> {
    const job = await this.job(id, submission)
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

  async readJob(id: RoundId, submission: JobMadeOf, lines: number): Promise<JobSight | undefined> {
    const job = await this.job(id, submission)
    if (job === undefined) return undefined
    const queue = this.open(job.queueName)
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
    { queue, submittedAtMs, runTerms = {} }: JobMadeOf,
  ): Promise<Job | undefined> {
    for (const name of queuesOf(queue, runTerms.region)) {
      const job = await attempt('look for a job', () => this.open(name).getJob(roundKey(id)))
      if (job?.timestamp === submittedAtMs) return job
    }
    return undefined
  }

  /** How many take jobs of the queue, as Redis lists its clients. */
  async consumers(queue: string): Promise<number> {
    return attempt('look who takes jobs', () => this.open(queue).getWorkersCount())
  }

  async hasten(id: RoundId, submission: JobMadeOf): Promise<void> {
    const job = await this.job(id, submission)
    if (await job?.isDelayed()) await job?.promote()
  }

  /** True if the round has a job there that has not ended. */
  async isPending(id: RoundId, queue: string, region?: string): Promise<boolean> {
    const found = await attempt('look for a job', () =>
      Promise.all(
        queuesOf(queue, region).map((name) =>
          this.client.hmget(queueKey(name, roundKey(id), this.client), 'timestamp', 'finishedOn'),
        ),
      ),
    )
    return found.some(([made, ended]) => made !== null && ended === null)
  }

  async remove(id: RoundId, submission: JobMadeOf): Promise<void> {
    const job = await this.job(id, submission)
    if (job) await attempt('remove a job', () => this.take(id, job.queueName, submission.submittedAtMs))
  }

  /** Takes the round's job out of the queue if it was made of the submission of that time, and no worker has it. */
  private async take(id: RoundId, queue: string, madeAtMs: number): Promise<void> {
    const key = queueKey(queue, roundKey(id), this.client)
    const parts = PARTS_OF_JOBS.map((part) => queueKey(queue, part, this.client))
    await this.steps['remove-job'](key, `${key}:lock`, `${key}:logs`, ...parts, roundKey(id), madeAtMs)
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

/** Where the job of a submission may be: one for a region is moved on where nobody takes it there. */
function queuesOf(queue: string, region: string | undefined): readonly string[] {
  return region === undefined ? [queue] : [regionQueue(queue, region), queue]
}

function backoffOf({ type, delay = 0 }: Exclude<BackoffOptions, string>): Backoff {
  return { type: type === 'exponential' ? 'exponential' : 'fixed', delayMs: delay }
}
