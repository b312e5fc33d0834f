import { createHash } from 'node:crypto'
import type { CallTerms } from './call.ts'
import type { RoundRecord } from './record.ts'
import { escapePart, isEscapedPart, unescapePart } from './round.ts'

/** The queue of the rounds led over HTTP; no worker may have its name. */
export const ROUNDS_QUEUE = 'rounds'

/** The queue of the schedules' wakes, which the board and Redis call alarms; no worker may have its name. */
export const WAKES_QUEUE = 'alarms'

/** The queue of what is to be told of alerts; no worker may have its name. */
export const ALERTS_QUEUE = 'alerts'

/** How many workers may be submitted to, as long as all are used: a new name beyond is refused. */
export const MAX_QUEUES = 10_000

/** Of a system's name of 128 bytes, each of them escaped. */
export const MAX_WORKER_NAME = 384

/** A worker's name is its file's and its queue's. Escaped system names are among them, and no other use of `%`. */
export function isWorkerName(name: string): boolean {
  const ours: readonly string[] = [ROUNDS_QUEUE, WAKES_QUEUE, ALERTS_QUEUE]
  const isShort = name.length <= MAX_WORKER_NAME
  return (
    isShort && /^[A-Za-z0-9_%-][A-Za-z0-9_.%-]*$/.test(name) && isEscapedPart(name) && !ours.includes(name)
  )
}

/** The queue of the jobs of a worker that are for a region. No worker can have its name: "~" is in none. */
export function regionQueue(worker: string, region: string): string {
  return `${worker}~${escapePart(region)}`
}

/** Whose queue it is, and of which region. */
export function ownerOf(queue: string): { readonly worker: string; readonly region?: string } {
  const [worker = '', region] = queue.split('~')
  return { worker, ...(region !== undefined && { region: unescapePart(region) }) }
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
  /** From the submission on. */
  readonly delayMs?: number
  /** When it starts at the earliest, in place of `delayMs`, by the store's clock. */
  readonly atMs?: number
  readonly priority?: number
  /** The trace that the submission is part of, as W3C writes it. */
  readonly traceparent?: string
}

/** How a round's job is run. */
export interface RunTerms {
  readonly timeoutMs?: number
  /** When the round turns red if it has not ended, counted from the submission. */
  readonly deadlineMs?: number
  /** Whether a job whose worker died is started again. `fail`: it is started once, ever. Missing: `rerun`. */
  readonly ifExecutorDies?: 'rerun' | 'fail'
  /** Where it is run as long as an instance of its worker takes jobs there; missing: wherever one is free. */
  readonly region?: string
  /** Of a call. */
  readonly call?: CallTerms
}

/** How a worker's jobs are run where they say nothing else. */
export interface UsualTerms {
  readonly attempts?: number
  readonly backoff?: Backoff
  readonly timeoutMs?: number
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
  /** By when a worker has to start it, where it says nothing else, counted from the submission; missing: told no more, or none. */
  readonly untakenMs?: number
  /** How often the same was submitted again, which has changed nothing; missing: never. */
  readonly repeats?: number
  /** When its job may be started at the earliest; missing: at once. */
  readonly notBeforeMs?: number
  /** The submission itself, until its queue has it. */
  readonly pending?: Pick<Submission, 'data' | 'queueTerms'>
}

/** When a round turns red that no worker has started; undefined if never. */
export function submissionDeadlineAtMs({
  submittedAtMs,
  runTerms,
  untakenMs,
}: SubmissionRecord): number | undefined {
  const deadlineMs = runTerms.deadlineMs ?? untakenMs
  return deadlineMs === undefined ? undefined : submittedAtMs + deadlineMs
}

/** The state of a round that no worker has started. */
export function submissionStateOf(submission: SubmissionRecord, nowMs: number): 'submitted' | 'overdue' {
  return nowMs >= (submissionDeadlineAtMs(submission) ?? Number.POSITIVE_INFINITY) ? 'overdue' : 'submitted'
}

/**
 * True if the round has a job in the queue `rounds`: one led over HTTP, or one whose submission set a deadline. Other
 * submitted rounds show in their worker's queue alone, and calls nowhere once they have ended.
 */
export function hasRoundJob({
  record,
  submission,
}: {
  readonly record?: RoundRecord
  readonly submission?: SubmissionRecord
}): boolean {
  if (submission?.runTerms.call) return false
  return (
    (record !== undefined && record.starts === undefined) || submission?.runTerms.deadlineMs !== undefined
  )
}

/** The identity of a submitted round's leader: the job, whichever worker runs it. No token's digest looks like this. */
export const JOB_IDENTITY = '#job'

/** How many starts a job survives that came to no end, before it is taken to be what kills its workers. */
export const MAX_DEATHS = 25

/** From so many on it is not run beside another of its kind: the one that kills its worker takes no innocent one along. */
export const SUSPECT_DEATHS = 5

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
