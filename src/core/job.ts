import { createHash } from 'node:crypto'
import type { RoundRecord } from './record.ts'

/** The queue of the rounds led over HTTP; no worker may have its name. */
export const ROUNDS_QUEUE = 'rounds'

/** The queue of the schedules' alarms; no worker may have its name. */
export const ALARMS_QUEUE = 'alarms'

/** The queue of what is to be told of alerts; no worker may have its name. */
export const ALERTS_QUEUE = 'alerts'

/** A worker's name is its file's and its queue's. Escaped system names are among them. */
export function isWorkerName(name: string): boolean {
  const ours: readonly string[] = [ROUNDS_QUEUE, ALARMS_QUEUE, ALERTS_QUEUE]
  return /^[A-Za-z0-9_%-][A-Za-z0-9_.%-]{0,383}$/.test(name) && !ours.includes(name)
}

/** What a new attempt waits after a failed one. */
export interface Backoff {
  readonly type: 'fixed' | 'exponential'
  readonly delayMs: number
}

/** How a round's job is queued. What is missing is the worker's to say, or the queue's. */
export interface QueueTerms {
  readonly attempts?: number
  readonly backoff?: Backoff
  readonly delayMs?: number
  readonly priority?: number
}

/** How a round's job is run. */
export interface RunTerms {
  readonly timeoutMs?: number
  /** When the round turns red if it has not ended, counted from the submission. */
  readonly deadlineMs?: number
  /** Whether a job whose worker died is started again. `fail`: it is started once, ever. Missing: `rerun`. */
  readonly ifExecutorDies?: 'rerun' | 'fail'
}

/** A round's work as it was submitted. */
export interface Submission {
  /** The worker that runs it: its queue's name. */
  readonly queue: string
  /** Any JSON. */
  readonly data: unknown
  readonly queueTerms: QueueTerms
  readonly runTerms: RunTerms
}

/** What the record keeps of a submission. */
export interface SubmissionRecord {
  readonly queue: string
  readonly submittedAtMs: number
  readonly digest: string
  readonly runTerms: RunTerms
  /** The submission itself, until its queue has it. */
  readonly pending?: Pick<Submission, 'data' | 'queueTerms'>
}

/** When a round turns red that no worker has started; undefined if never. */
export function submissionDeadlineAtMs({ submittedAtMs, runTerms }: SubmissionRecord): number | undefined {
  return runTerms.deadlineMs === undefined ? undefined : submittedAtMs + runTerms.deadlineMs
}

/** The state of a round that no worker has started. */
export function submissionStateOf(submission: SubmissionRecord, nowMs: number): 'submitted' | 'overdue' {
  return nowMs >= (submissionDeadlineAtMs(submission) ?? Number.POSITIVE_INFINITY) ? 'overdue' : 'submitted'
}

/**
 * True if the round has a job in the queue `rounds`: one led over HTTP, or one whose submission set a deadline. Other
 * submitted rounds show in their worker's queue alone.
 */
export function hasRoundJob({
  record,
  submission,
}: {
  readonly record?: RoundRecord
  readonly submission?: SubmissionRecord
}): boolean {
  return (
    (record !== undefined && record.starts === undefined) || submission?.runTerms.deadlineMs !== undefined
  )
}

/** The identity of a submitted round's leader: the job, whichever worker runs it. No token's digest looks like this. */
export const JOB_IDENTITY = '#job'

/** How many starts a job survives in which its worker died, before it is taken to be what kills it. */
export const MAX_DEATHS = 25

/**
 * A digest of the worker and data that two submissions share if they ask for the same work, in whatever order their
 * members are written.
 */
export function submissionDigest({ queue, data }: Pick<Submission, 'queue' | 'data'>): string {
  return createHash('sha256')
    .update(canonicalJson([queue, data ?? null]))
    .digest('base64url')
    .slice(0, 22)
}

/** JSON that is the same for the same data, in whatever order its members are written. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) => {
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
