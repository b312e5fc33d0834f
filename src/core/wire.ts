import { type SubmissionRecord, submissionDeadlineAtMs, submissionStateOf } from './job.ts'
import { deadlineAtMs, type Outcome, type RoundRecord, type RoundState, stateOf } from './record.ts'
import type { RoundId } from './round.ts'

interface AnyRoundJson {
  readonly system: string
  readonly round: string
  /** The job that a submitted round is. */
  readonly job?: {
    readonly worker: string
    readonly submittedAt: string
    readonly starts: number
  }
}

/** A round that no worker has started yet. */
export interface SubmittedRoundJson extends AnyRoundJson {
  readonly state: 'submitted' | 'overdue'
  /** Missing if the submission set none. */
  readonly deadlineAt?: string
  readonly leader?: undefined
  readonly fence?: undefined
  readonly completion?: undefined
}

/** A round that has a leader, or had one. */
export interface LedRoundJson extends AnyRoundJson {
  readonly state: Exclude<RoundState, 'submitted'>
  /** The leader's address, `ip:port`. */
  readonly leader: string
  readonly fence: number
  readonly electedAt: string
  readonly deadlineAt: string
  readonly leaseMs?: number
  readonly leaseExpiresAt?: string
  readonly completion?: {
    readonly outcome: Outcome
    readonly by: string
    readonly at: string
    /** What the completer sent as its result, any JSON. */
    readonly result?: unknown
    /** Why the leader gave up. */
    readonly reason?: string
  }
}

/** A round as HTTP shows it. Times are ISO 8601 of the record store's clock. */
export type RoundJson = SubmittedRoundJson | LedRoundJson

/** The slot that is now, as HTTP shows it: null where a timetable has none yet, or none any more. */
export interface SlotNowJson {
  readonly slot: string | null
  readonly at: string | null
  readonly next: { readonly slot: string; readonly at: string } | null
  readonly now: string
}

/** An error as HTTP shows it: RFC 9457, with the code of the closed list. */
export interface ProblemJson {
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly retryable: boolean
}

/** The record without what identifies its leader: whoever reads it could otherwise complete in the leader's place. */
export function ledRoundJson(id: RoundId, record: RoundRecord, nowMs: number): LedRoundJson {
  const { leader, fence, lease, completion } = record
  return {
    ...id,
    state: stateOf(record, nowMs),
    leader,
    fence,
    electedAt: iso(record.electedAtMs),
    deadlineAt: iso(deadlineAtMs(record)),
    ...(lease && { leaseMs: lease.ms, leaseExpiresAt: iso(lease.expiresAtMs) }),
    ...(completion && {
      completion: {
        outcome: completion.outcome,
        by: completion.by,
        at: iso(completion.atMs),
        ...detailJson(completion.outcome, completion.detail),
      },
    }),
  }
}

/** A round as it was seen; undefined if it was neither led nor submitted. */
export function roundJson(
  id: RoundId,
  { record, submission }: { readonly record?: RoundRecord; readonly submission?: SubmissionRecord },
  nowMs: number,
): RoundJson | undefined {
  const job = submission && {
    job: {
      worker: submission.queue,
      submittedAt: iso(submission.submittedAtMs),
      starts: record?.starts ?? 0,
    },
  }
  if (record) return { ...ledRoundJson(id, record, nowMs), ...job }
  if (submission === undefined) return undefined
  const deadlineAtMs = submissionDeadlineAtMs(submission)
  return {
    ...id,
    state: submissionStateOf(submission, nowMs),
    ...(deadlineAtMs !== undefined && { deadlineAt: iso(deadlineAtMs) }),
    ...job,
  }
}

function detailJson(outcome: Outcome, detail: string): { result?: unknown; reason?: string } {
  if (detail === '') return {}
  return outcome === 'completed' ? { result: JSON.parse(detail) as unknown } : { reason: detail }
}

/** A time as all JSON has it. */
export function iso(ms: number): string {
  return new Date(ms).toISOString()
}

/** Where a round is found. */
export function linkOf({ system, round }: RoundId): string {
  return `/api/v1/rounds/${encodeURIComponent(system)}/${encodeURIComponent(round)}`
}
