import type { Candidate, Reporter } from './candidate.ts'
import type { CompletionVerdict } from './completion.ts'
import type { ElectionVerdict, RenewalVerdict } from './election.ts'
import type { Outcome, RoundRecord, Terms } from './record.ts'
import type { RoundId } from './round.ts'

/** A record as it was at `nowMs` of the store's clock. */
export interface Sighting {
  readonly nowMs: number
  readonly record?: RoundRecord
}

/** The answer of a step that leaves a record behind. */
export interface Ruling<Verdict> {
  readonly verdict: Verdict
  readonly nowMs: number
  readonly record: RoundRecord
}

export interface ElectionRuling extends Ruling<ElectionVerdict> {
  /** The leadership that a takeover ended. */
  readonly previous?: { readonly leader: string; readonly fence: number }
}

export type RenewalRuling = Ruling<Exclude<RenewalVerdict, 'notLed'>> | { readonly verdict: 'notLed' }

/** Whether a round whose deadline came was reported: `pending` if a later leader has moved the deadline. */
export type DeadlineRuling = Ruling<'finished' | 'overdue' | 'pending'> | { readonly verdict: 'notLed' }

export interface Report {
  readonly outcome: Outcome
  /** See `Completion.detail`. */
  readonly detail: string
}

/** A round of the history, newest election first. */
export interface ListedRound {
  readonly id: RoundId
  readonly record: RoundRecord
}

/** Where a page of the history ends; the next page holds what was elected before, or at the same ms and sorts lower. */
export interface HistoryMark {
  readonly electedAtMs: number
  readonly key: string
}

/**
 * Something that the round queue has yet to be told. Written with the record in one step, removed once the queue
 * knows, so that a crash in between loses nothing (a transactional outbox).
 */
export interface OutboxEntry {
  readonly id: RoundId
  /** The entry as the store names it, for `acknowledge`. */
  readonly entry: string
}

/**
 * The rounds' write-once facts. Every step is atomic: concurrent callers see one order.
 *
 * Every method throws GoneError `STORE_UNAVAILABLE` when the store cannot answer; the step may have happened, and the
 * same call again, with the same identity, gives the answer that was lost.
 */
export interface Records {
  /** Decides who leads. The only way to become a leader. */
  decide(id: RoundId, candidate: Candidate, terms: Terms, gate?: string): Promise<ElectionRuling>
  /** Extends the lease by `leaseMs`, or by its own length. Does nothing to a round without a lease. */
  renew(id: RoundId, reporter: Reporter, leaseMs?: number): Promise<RenewalRuling>
  complete(id: RoundId, reporter: Reporter, report: Report, terms: Terms): Promise<Ruling<CompletionVerdict>>
  read(id: RoundId): Promise<Sighting>
  /** Called when a deadline has come: an unreported round enters the index of overdue rounds. */
  expire(id: RoundId): Promise<DeadlineRuling>
  /** Up to `limit` rounds, newest first; of all systems if none is given. `next` is missing on the last page. */
  history(query: {
    readonly system?: string
    readonly after?: HistoryMark
    readonly limit: number
  }): Promise<{
    readonly rounds: readonly ListedRound[]
    readonly nowMs: number
    readonly next?: HistoryMark
  }>
  /** How many rounds are overdue now. */
  overdueCount(): Promise<number>
  /** Entries that have waited for at least `ageMs`, at most `limit`. */
  outbox(ageMs: number, limit: number): Promise<readonly OutboxEntry[]>
  /** Removes the entry that `decide` (`led`) or `complete` (`finished`) left. Returns at once; sent in batches. */
  acknowledge(id: RoundId, step: 'led' | 'finished'): void
  acknowledgeEntry(entry: OutboxEntry): Promise<void>
}

/** The gate's answer. Only `held` means that another has it; the last two are trouble, and say retry. */
export type GatePass =
  | { readonly kind: 'passed'; readonly value: string }
  | { readonly kind: 'held' }
  | { readonly kind: 'noMajority'; readonly detail: string }
  | { readonly kind: 'unreachable'; readonly detail: string }

/** A lock over an odd number of nodes, held by one leadership of a round. */
export interface Gate {
  pass(id: RoundId, ttlMs: number): Promise<GatePass>
  /** Never throws: the gate saves work, the record decides. Says whether the gate is still held with this value. */
  extend(id: RoundId, value: string, ttlMs: number): Promise<boolean>
  /** Never throws; a gate that could not be released ends by itself. */
  release(id: RoundId, value: string): Promise<void>
}

/** The BullMQ queue `rounds`: one job a led round. It shows what the record says and never decides. */
export interface RoundQueue {
  /** Makes the round's job exist, delayed until its deadline. Harmless if it exists; a new leader is shown on it. */
  open(id: RoundId, ruling: ElectionRuling): Promise<void>
  /** Makes the round's job end as the record says. Harmless if it has. */
  close(id: RoundId): Promise<void>
  /** Jobs by state, as BullMQ names the states. */
  counts(): Promise<Readonly<Record<string, number>>>
}

/** Tells when a round is finished. */
export interface RoundNews {
  /** Calls `onFinished` when the round's completion is recorded by any process. Resolves once it listens. */
  listen(id: RoundId, onFinished: () => void): Promise<() => void>
}

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
