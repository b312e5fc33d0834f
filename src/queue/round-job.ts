import type { SubmissionRecord } from '../core/rounds/job.ts'
import { submissionDeadlineAtMs } from '../core/rounds/job.ts'
import { type Completion, deadlineAtMs } from '../core/rounds/record.ts'
import type { SeenRound } from '../core/rounds/round-ports.ts'
import { formatDuration } from '../core/time/duration.ts'

/** What the board shows of a round as the job's data. The rest is in the job's id and timestamps. */
export interface RoundJobData {
  readonly leader?: string
  readonly leaderName?: string
  readonly fence?: number
  /** The worker that it was submitted to. */
  readonly worker?: string
}

/** A finished round's return value. */
export interface RoundJobResult {
  readonly outcome: 'completed'
  readonly completedBy: string
  readonly result?: unknown
}

/** How much was known of a round when it was seen under a fence: more is never shown as less. */
export const RANKS = { led: 0, overdue: 1, reported: 2 } as const

/** The job of a round as it was seen. */
export interface RoundJob {
  /** `nowhere`: it has not ended. */
  readonly as: 'completed' | 'failed' | 'nowhere'
  /** 0 where nobody has led it. */
  readonly fence: number
  readonly rank: (typeof RANKS)[keyof typeof RANKS]
  readonly data: RoundJobData
  /** When it was submitted, or else elected. */
  readonly addedAtMs: number
  readonly endedAtMs: number
  readonly result?: RoundJobResult
  /** Why it is red. */
  readonly reason?: string
}

export function roundJobOf({ record, submission, nowMs }: SeenRound): RoundJob {
  const data: RoundJobData = {
    ...(submission && { worker: submission.queue }),
    ...(record && {
      ...(record.leader && { leader: record.leader }),
      ...(record.leaderName && { leaderName: record.leaderName }),
      fence: record.fence,
    }),
  }
  const addedAtMs = submission?.submittedAtMs ?? record?.electedAtMs ?? nowMs
  const shared = { fence: record?.fence ?? 0, data, addedAtMs }
  if (record?.completion) {
    const rank = RANKS.reported
    return { ...shared, ...endOf(record.completion), endedAtMs: record.completion.atMs, rank }
  }
  const overdueAtMs = record ? deadlineAtMs(record) : deadlineOf(submission)
  if (nowMs < overdueAtMs) return { ...shared, as: 'nowhere', endedAtMs: nowMs, rank: RANKS.led }
  const reason = record ? unreportedWithin(record.deadlineMs) : NOT_STARTED
  return { ...shared, as: 'failed', endedAtMs: overdueAtMs, rank: RANKS.overdue, reason }
}

/** How a report shows on the board. */
export function endOf({ outcome, by, detail }: Completion): Pick<RoundJob, 'as' | 'result' | 'reason'> {
  if (outcome === 'failed')
    return { as: outcome, reason: detail || 'the leader reported a failure without a reason' }
  return { as: outcome, result: { outcome, completedBy: by, ...(detail && { result: resultOf(detail) }) } }
}

/** One that is no JSON, which we do not write, is shown as it is: it must not keep others from the board. */
function resultOf(detail: string): unknown {
  try {
    return JSON.parse(detail)
  } catch {
    return detail
  }
}

export const NOT_STARTED = 'no worker has started it by its deadline'

export function unreportedWithin(deadlineMs: number): string {
  return `no completion reported within ${formatDuration(deadlineMs)}`
}

function deadlineOf(submission: SubmissionRecord | undefined): number {
  return (submission && submissionDeadlineAtMs(submission)) ?? Number.POSITIVE_INFINITY
}
