import { MAX_QUEUES, type Submission, type SubmissionRecord } from '../core/rounds/job.ts'
import { type RoundId, roundKey } from '../core/rounds/round.ts'
import type { JobContent, JobMadeOf, JobQueues } from '../core/rounds/round-ports.ts'
import { GoneError } from '../errors.ts'

/** A round's job in memory. */
export interface MemoryJob extends Pick<Submission, 'queue' | 'data' | 'queueTerms'> {
  readonly id: RoundId
  readonly submittedAtMs: number
  readonly notBeforeMs?: number
  /** True while a worker has it. */
  isActive: boolean
}

/** The twin of BullJobQueues in memory, for tests of what stands on queues. Nobody runs what is in them. */
export class MemoryJobQueues implements JobQueues {
  private readonly queues = new Map<string, Map<string, MemoryJob>>()

  async admit(queue: string): Promise<void> {
    if (this.queues.has(queue)) return
    if (this.queues.size >= MAX_QUEUES)
      throw new GoneError('QUOTA_EXCEEDED', `${queue}: ${MAX_QUEUES} workers are submitted to already`, {
        retryAfterS: 60,
      })
    this.queues.set(queue, new Map())
  }

  async add(
    id: RoundId,
    submission: SubmissionRecord & Pick<Submission, 'data' | 'queueTerms'>,
  ): Promise<void> {
    const jobs = this.queues.get(submission.queue) ?? new Map<string, MemoryJob>()
    this.queues.set(submission.queue, jobs)
    const { queue, data, queueTerms, submittedAtMs, notBeforeMs } = submission
    const key = roundKey(id)
    const known = jobs.get(key)
    if (known?.submittedAtMs === submittedAtMs) return
    if (known && known.submittedAtMs > submittedAtMs)
      throw new Error(`a job of a later submission is in ${queue}`)
    if (known?.isActive) throw new Error(`a job of an earlier submission is being run in ${queue}`)
    jobs.set(key, {
      id,
      queue,
      data: data ?? null,
      queueTerms,
      submittedAtMs,
      isActive: false,
      ...(notBeforeMs !== undefined && { notBeforeMs }),
    })
  }

  async find(
    id: RoundId,
    { queue, submittedAtMs }: Pick<SubmissionRecord, 'queue' | 'submittedAtMs'>,
  ): Promise<JobContent | undefined> {
    const job = this.job(id, queue)
    if (job?.submittedAtMs !== submittedAtMs) return undefined
    const { attempts, backoff, priority, traceparent } = job.queueTerms
    return {
      data: job.data,
      queueTerms: {
        ...(attempts && { attempts }),
        ...(backoff && { backoff }),
        ...(priority && { priority }),
        ...(traceparent && { traceparent }),
      },
    }
  }

  async hasten(id: RoundId, { queue, submittedAtMs }: JobMadeOf): Promise<void> {
    const jobs = this.queues.get(queue)
    const job = jobs?.get(roundKey(id))
    if (job?.notBeforeMs === undefined || job.submittedAtMs !== submittedAtMs) return
    const { notBeforeMs: _, ...due } = job
    jobs?.set(roundKey(id), due)
  }

  async remove(id: RoundId, { queue, submittedAtMs }: JobMadeOf): Promise<void> {
    const job = this.job(id, queue)
    if (job?.submittedAtMs === submittedAtMs && !job.isActive) this.queues.get(queue)?.delete(roundKey(id))
  }

  async counts(): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>> {
    const counts = [...this.queues].map(([name, jobs]) => {
      const states = { waiting: 0, active: 0, delayed: 0, prioritized: 0, completed: 0, failed: 0 }
      for (const job of jobs.values()) states[stateOf(job)] += 1
      return [name, states] as const
    })
    return Object.fromEntries(counts)
  }

  /** The round's job, if its queue has one. */
  job(id: RoundId, queue: string): MemoryJob | undefined {
    return this.queues.get(queue)?.get(roundKey(id))
  }
}

function stateOf({
  isActive,
  notBeforeMs,
  queueTerms,
}: MemoryJob): 'waiting' | 'active' | 'delayed' | 'prioritized' {
  if (isActive) return 'active'
  if (notBeforeMs !== undefined) return 'delayed'
  return queueTerms.priority ? 'prioritized' : 'waiting'
}
