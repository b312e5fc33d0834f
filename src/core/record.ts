/** The longest deadline. Records outlive it, so that an unreported round is never forgotten before it is red. */
export const MAX_DEADLINE_MS = 7 * 86_400_000

/** How a round ended: its work is done, or its leader gave up with a reason. */
export type Outcome = 'completed' | 'failed'

/**
 * `submitted` until a worker starts, `led` while the leader works, `overdue` once the deadline has passed without a report,
 * also where no worker has started it, else how it ended.
 */
export type RoundState = 'submitted' | 'led' | 'overdue' | Outcome

/** What may be asked of a new leadership. */
export interface Terms {
  /** How long the leader may be silent before another may take over; none means never. */
  readonly leaseMs?: number
  /** How long after the election an unreported round counts as overdue. */
  readonly deadlineMs: number
}

/** The one final report of a round. */
export interface Completion {
  readonly outcome: Outcome
  /** The completer's address, for display. */
  readonly by: string
  readonly atMs: number
  /** What the completer said: a JSON text if completed, the reason if failed. Empty if it said nothing. */
  readonly detail: string
  /** The completer's identity where it was not the proven leader (anybody may report a round led without a token). */
  readonly identity?: string
}

/** The facts of a led round, all times in ms of the record store's clock. */
export interface RoundRecord {
  readonly leader: string
  readonly identity: string
  readonly fence: number
  readonly electedAtMs: number
  readonly deadlineMs: number
  readonly lease?: { readonly ms: number; readonly expiresAtMs: number }
  /** The value under which the gate holds this leadership, if it passed a gate. */
  readonly gate?: string
  /** How often a worker has started the round's job; missing if no job leads it. */
  readonly starts?: number
  readonly completion?: Completion
}

export function deadlineAtMs(record: RoundRecord): number {
  return record.electedAtMs + record.deadlineMs
}

export function stateOf(record: RoundRecord, nowMs: number): Exclude<RoundState, 'submitted'> {
  if (record.completion) return record.completion.outcome
  return nowMs >= deadlineAtMs(record) ? 'overdue' : 'led'
}

/** True if who leads the round, or under which fence, can change: it has a lease or is led by its job, and is not finished. */
export function isReplaceable(record: RoundRecord): boolean {
  return (record.lease !== undefined || record.starts !== undefined) && record.completion === undefined
}
