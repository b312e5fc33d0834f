import { deadlineAtMs, type Outcome, type RoundRecord, type RoundState, stateOf } from './record.ts'
import type { RoundId } from './round.ts'

/** A round as HTTP shows it. Times are ISO 8601 of the record store's clock. */
export interface RoundJson {
  readonly system: string
  readonly round: string
  readonly state: RoundState
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

/** An error as HTTP shows it: RFC 9457, with the code of the closed list. */
export interface ProblemJson {
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly retryable: boolean
}

/** The record without what identifies its leader: whoever reads it could otherwise complete in the leader's place. */
export function roundJson(id: RoundId, record: RoundRecord, nowMs: number): RoundJson {
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

function detailJson(outcome: Outcome, detail: string): { result?: unknown; reason?: string } {
  if (detail === '') return {}
  return outcome === 'completed' ? { result: JSON.parse(detail) as unknown } : { reason: detail }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
