import { submissionDeadlineAtMs, submissionStateOf } from './job.ts'
import {
  deadlineAtMs,
  isVacant,
  type Outcome,
  type RoundEnd,
  type RoundEvent,
  type RoundRecord,
  type RoundState,
  stateOf,
} from './record.ts'
import type { RoundId } from './round.ts'
import type { JobSight, Sighting } from './round-ports.ts'

/** How a round had ended before it was opened again. */
export interface RoundEndJson {
  readonly outcome: 'failed' | 'overdue'
  readonly leader?: string
  readonly fence?: number
  readonly by?: string
  readonly at: string
  readonly reason?: string
  readonly retriedAt: string
  readonly retriedBy: string
  readonly retriedFor?: string
}

/** Something that has become of a round on the way to its end. */
export interface RoundEventJson {
  readonly what: RoundEvent['kind']
  readonly at: string
  readonly by?: string
  readonly fence?: number
  readonly reason?: string
  readonly outcome?: Outcome
}

interface AnyRoundJson {
  readonly system: string
  readonly round: string
  /** Its earlier ends, newest first; missing if it was never opened again. */
  readonly history?: readonly RoundEndJson[]
  /** What has become of it on the way, oldest first; missing if it went straight to its end. */
  readonly events?: readonly RoundEventJson[]
  /** The job that a submitted round is. */
  readonly job?: {
    readonly worker: string
    /** Where it is run as long as an instance of its worker takes jobs there. */
    readonly region?: string
    readonly submittedAt: string
    /** How often it was submitted, with the same data; missing: once. */
    readonly submissions?: number
    readonly starts: number
  }
}

/** A round that no worker has started yet, or that was opened again and nobody leads yet. */
export interface SubmittedRoundJson extends AnyRoundJson {
  readonly state: 'submitted' | 'open' | 'overdue'
  /** Missing if the submission set none. */
  readonly deadlineAt?: string
  readonly leader?: undefined
  readonly fence?: undefined
  readonly completion?: undefined
}

/** A round that has a leader, or had one. */
export interface LedRoundJson extends AnyRoundJson {
  readonly state: Exclude<RoundState, 'submitted' | 'open'>
  /** The leader's address, `ip:port`. */
  readonly leader: string
  /** What the leader calls itself; missing where it has not said. */
  readonly leaderName?: string
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

/** A page of the history as HTTP shows it. */
export interface RoundListJson {
  readonly rounds: readonly RoundJson[]
  /** The cursor of the next page; missing on the last. */
  readonly next?: string
  /** How far was looked for them, where they were looked for. */
  readonly looked?: { readonly entries: number; readonly until?: string }
}

/** States of rounds that somebody may have to look after. */
export type LookedAfter = 'overdue' | 'led' | 'submitted' | 'failed'

/** Rounds counted, as HTTP shows it. */
export interface TallyJson {
  /** How many rounds are in which state; the overdue ones of all rounds, also of those not looked at, where nothing is narrowed. */
  readonly counts: Readonly<Record<RoundState, number>>
  readonly looked: { readonly entries: number; readonly until?: string }
  /** The newest of each state that somebody may have to look after. */
  readonly newest: Readonly<Record<LookedAfter, readonly RoundJson[]>>
  /** True if older rounds were not looked at: there may be more. */
  readonly hasMore: boolean
  /** By the minute in which they came, oldest first, of the last hour or as far as was looked. */
  readonly minutes: readonly { readonly at: string; readonly came: number; readonly failed: number }[]
  /** From the election to the report, in ms. */
  readonly took?: SpreadJson
  /** From the submission to the start, in ms, of those that a worker has started. */
  readonly waited?: SpreadJson
  readonly now: string
}

/** Half of them are below the first, all but one of a hundred below the second. */
export interface SpreadJson {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** A round's job as HTTP shows it. */
export interface RoundJobJson {
  readonly system: string
  readonly round: string
  readonly worker: string
  readonly state: string
  readonly attemptsMade: number
  readonly attempts?: number
  readonly data: unknown
  readonly progress?: unknown
  readonly log: { readonly lines: readonly string[]; readonly count: number }
  readonly now: string
}

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
  const { leader, leaderName, fence, lease, completion } = record
  return {
    ...id,
    // Of one that nobody leads `roundJson` makes something else.
    state: stateOf(record, nowMs) as LedRoundJson['state'],
    leader,
    ...(leaderName !== undefined && { leaderName }),
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
  { record, submission, history, events }: Omit<Sighting, 'nowMs'>,
  nowMs: number,
): RoundJson | undefined {
  const more = {
    ...(submission && {
      job: {
        worker: submission.queue,
        ...(submission.runTerms.region !== undefined && { region: submission.runTerms.region }),
        submittedAt: iso(submission.submittedAtMs),
        ...(submission.repeats !== undefined && { submissions: submission.repeats + 1 }),
        starts: record?.starts ?? 0,
      },
    }),
    ...(history && { history: history.map(endJson) }),
    ...(events && { events: inTime(events).map(eventJson) }),
  }
  if (record && isVacant(record)) {
    const state = stateOf(record, nowMs) as SubmittedRoundJson['state']
    return { ...id, state, deadlineAt: iso(deadlineAtMs(record)), ...more }
  }
  if (record) return { ...ledRoundJson(id, record, nowMs), ...more }
  if (submission === undefined) return undefined
  const atMs = submissionDeadlineAtMs(submission)
  return {
    ...id,
    state: submissionStateOf(submission, nowMs),
    ...(atMs !== undefined && { deadlineAt: iso(atMs) }),
    ...more,
  }
}

export function roundJobJson(id: RoundId, worker: string, job: JobSight, nowMs: number): RoundJobJson {
  return { ...id, worker, ...job, now: iso(nowMs) }
}

function endJson({ atMs, retriedAtMs, ...end }: RoundEnd): RoundEndJson {
  return { ...end, at: iso(atMs), retriedAt: iso(retriedAtMs) }
}

/** Within one ms in the order in which they follow one another. */
const ORDER: readonly RoundEvent['kind'][] = ['submitted', 'led', 'started', 'failed', 'givenBack', 'refused']

/** A start is noted as late as the next one comes. */
function inTime(events: readonly RoundEvent[]): readonly RoundEvent[] {
  return events.toSorted(
    (a, b) =>
      a.atMs - b.atMs || (a.fence ?? 0) - (b.fence ?? 0) || ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind),
  )
}

function eventJson({ kind, atMs, ...event }: RoundEvent): RoundEventJson {
  return { what: kind, at: iso(atMs), ...event }
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
