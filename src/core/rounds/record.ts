/** The longest deadline. Records outlive it, so that an unreported round is never forgotten before it is red. */
export const MAX_DEADLINE_MS = 7 * 86_400_000
/** Before that by which a worker has passed a gate elsewhere, as the record keeps it: no gate's value, and no hold, begins so. */
export const PASS_MARK = '='

/**
 * What the same start says again by which it is behind a gate elsewhere, or held over HTTP: by whom, and how often its queue had handed the
 * job out; the lease may be another.
 */
export function startMark(by: string): string {
  const [, who, turn] = /^(\S+) \d+ (\{"turn":\d+)/.exec(by) ?? []
  return who === undefined ? by : `${who} ${turn}`
}

/** How a round ended: its work is done, or its leader gave up with a reason. */
export type Outcome = 'completed' | 'failed'

/**
 * `submitted` until a worker starts, `open` where anybody may lead a round that was led before, `led` while the leader works, `overdue` once the deadline has passed without a report,
 * also where no worker has started it, else how it ended.
 */
export type RoundState = 'submitted' | 'open' | 'led' | 'overdue' | Outcome

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
  /** What the leader calls itself, for display; missing where it has not said. */
  readonly leaderName?: string
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
  /** Where it was opened again: the fence of that, and the identities of those who had led it over HTTP. What comes from before is refused. */
  readonly reopened?: { readonly fence: number; readonly former: readonly string[] }
}

/** How a round had ended before it was opened again, and who opened it. */
export interface RoundEnd {
  readonly outcome: 'failed' | 'overdue'
  /** Missing where nobody had led it. */
  readonly leader?: string
  readonly fence?: number
  /** Who has reported it, for display; missing if nobody had. */
  readonly by?: string
  readonly atMs: number
  readonly reason?: string
  readonly retriedAtMs: number
  readonly retriedBy: string
  readonly retriedFor?: string
}

/** Something that has become of a round, and that its record would not say any more. */
export interface RoundEvent {
  /** `failed`: an attempt, and another was made. `givenBack`: a start that came to nothing. `refused`: a report. */
  readonly kind: 'submitted' | 'led' | 'started' | 'failed' | 'givenBack' | 'refused'
  readonly atMs: number
  /** The worker that it was submitted to; else who has done it. */
  readonly by?: string
  readonly fence?: number
  readonly reason?: string
  /** What was refused. */
  readonly outcome?: Outcome
}

/** How many events of a round are kept, the newest, and how many refused reports, the first. */
export const MAX_EVENTS = 30
export const MAX_REFUSALS = 5

/** How many earlier leaders over HTTP are kept, the newest, beside the last. */
export const MAX_FORMER = 10

/** How many earlier ends are kept, the newest. */
export const MAX_ENDS = 10
/** What is kept of the reason of each, so that the record stays small. */
export const MAX_END_REASON_BYTES = 500

/** A record, and the store's clock then: whether it is overdue is not for the clock of another machine to say. */
export interface SeenRecord {
  readonly record: RoundRecord
  readonly nowMs: number
}

/** True if whoever asks next leads: the decision was taken back, because nobody was told of it, or the round was opened again. */
export function isVacant({ identity }: RoundRecord): boolean {
  return identity === ''
}

export function deadlineAtMs(record: RoundRecord): number {
  return record.electedAtMs + record.deadlineMs
}

export function stateOf(record: RoundRecord, nowMs: number): RoundState {
  if (record.completion) return record.completion.outcome
  if (nowMs >= deadlineAtMs(record)) return 'overdue'
  if (!isVacant(record)) return 'led'
  return record.starts === 0 ? 'submitted' : 'open'
}

/** True if who leads the round, or under which fence, can change: it has a lease or is led by its job, and is not finished. */
export function isReplaceable(record: RoundRecord): boolean {
  return (record.lease !== undefined || record.starts !== undefined) && record.completion === undefined
}
