import type { Candidate, Reporter } from './candidate.ts'
import type { CompletionVerdict } from './completion.ts'
import type { ElectionVerdict, RenewalVerdict } from './election.ts'
import type { RunTerms, Submission, SubmissionRecord } from './job.ts'
import type { Outcome, RoundRecord, Terms } from './record.ts'
import type { RoundId } from './round.ts'

/** A round as it was at `nowMs` of the store's clock: led, submitted, both or neither. */
export interface Sighting {
  readonly nowMs: number
  readonly record?: RoundRecord
  readonly submission?: SubmissionRecord
}

/** `submitted` for the call that made the job; `duplicate` for all others, also where the round is led over HTTP. */
export interface SubmissionRuling extends Sighting {
  readonly verdict: 'submitted' | 'duplicate'
}

/** `lost`: another leads the round. `spent`: it was started as often as it may be. */
export type StartRuling =
  | { readonly verdict: 'started'; readonly fence: number; readonly runTerms: RunTerms }
  | Ruling<'finished' | 'lost' | 'spent'>

export type FinishRuling = { readonly verdict: 'recorded' | 'alreadyRecorded' } | Ruling<'refused'>

/** The answer of a step that leaves a record behind. */
export interface Ruling<Verdict> extends Sighting {
  readonly verdict: Verdict
  readonly record: RoundRecord
}

export interface ElectionRuling extends Ruling<ElectionVerdict> {
  /** The leadership that a takeover ended. */
  readonly previous?: { readonly leader: string; readonly fence: number }
}

export type RenewalRuling = Ruling<Exclude<RenewalVerdict, 'notLed'>> | { readonly verdict: 'notLed' }

/**
 * Whether a round whose deadline came was reported: `pending` if it is still to come, by the store's clock or because a
 * later leader has moved it, `notStarted` if no worker has started the submitted job.
 */
export type DeadlineRuling =
  | Ruling<'finished' | 'overdue'>
  | { readonly verdict: 'pending'; readonly restMs: number }
  | { readonly verdict: 'notStarted' | 'notLed' }

export interface Report {
  readonly outcome: Outcome
  /** See `Completion.detail`. */
  readonly detail: string
}

/** A round of the history, newest election first. */
export interface ListedRound {
  readonly id: RoundId
  readonly mark: HistoryMark
  readonly record?: RoundRecord
  readonly submission?: SubmissionRecord
}

/** A round and when it came. */
export interface CameRound extends Sighting {
  readonly id: RoundId
  readonly cameAtMs: number
}

/** The place of a round in the history: by time, among those of one ms by number, among systems by name, all downwards. */
export interface HistoryMark {
  readonly atMs: number
  readonly number: number
  readonly system: string
}

/** True if `mark` comes later in the history, which is newest first. */
export function isAfter(mark: HistoryMark, other: HistoryMark): boolean {
  if (mark.atMs !== other.atMs) return mark.atMs < other.atMs
  if (mark.number !== other.number) return mark.number < other.number
  return mark.system < other.system
}

/**
 * Something that the round queue has yet to be told. Written with the record in one step, removed once the queue
 * knows, so that a crash in between loses nothing (a transactional outbox).
 */
export type OutboxStep = 'submitted' | 'led' | 'finished'

export interface OutboxEntry {
  readonly id: RoundId
  readonly step: OutboxStep
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
  /** Notes the round's job, with its data until `acknowledge(id, 'submitted')`. The first submission is kept. */
  submit(id: RoundId, submission: Submission): Promise<SubmissionRuling>
  /**
   * Makes the round's job its leader, with a higher fence at each start. What the submission says of deadline and starts
   * goes before `terms` and `maxStarts`.
   */
  start(id: RoundId, candidate: Candidate, terms: Terms, maxStarts: number): Promise<StartRuling>
  /** Extends the lease by `leaseMs`, or by its own length. Does nothing to a round without a lease. */
  renew(id: RoundId, reporter: Reporter, leaseMs?: number): Promise<RenewalRuling>
  complete(id: RoundId, reporter: Reporter, report: Report, terms: Terms): Promise<Ruling<CompletionVerdict>>
  /** What `complete` does, for the job that leads the round. Leaves an outbox entry only where `hasRoundJob`. */
  finish(id: RoundId, job: Required<Reporter>, report: Report): Promise<FinishRuling>
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
  /**
   * A system's rounds that came, so were submitted or led, from `fromMs` to before `untilMs`, by when they first did in that
   * time. At most `limit` entries of the history are looked at, the oldest.
   */
  came(query: {
    readonly system: string
    readonly fromMs: number
    readonly untilMs: number
    readonly limit: number
  }): Promise<readonly CameRound[]>
  /** How many rounds are overdue now. */
  overdueCount(): Promise<number>
  /** Entries that have waited for at least `ageMs`, at most `limit`. */
  outbox(ageMs: number, limit: number): Promise<readonly OutboxEntry[]>
  /** Removes the entry that `submit`, `decide` (`led`) or `complete` (`finished`) left. Returns at once; sent in batches. */
  acknowledge(id: RoundId, step: OutboxStep): void
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
  /**
   * Holds it for so long from now on, also where nobody has it any more: what the record says is held. Never throws: the
   * gate saves work, the record decides. False if another has it, or too few nodes answer.
   */
  extend(id: RoundId, value: string, ttlMs: number): Promise<boolean>
  /** Never throws; a gate that could not be released ends by itself. */
  release(id: RoundId, value: string): Promise<void>
}

/** The BullMQ queue `rounds`: one job a led round. It shows what the record says and never decides. */
export interface RoundQueue {
  /** Makes the round's job exist, delayed until its deadline. Harmless if it exists; a new leader is shown on it. */
  open(id: RoundId, ruling: ElectionRuling): Promise<void>
  /** Makes a submitted round's job turn red after `delayMs`, unless it has ended. */
  watch(id: RoundId, worker: string, delayMs: number): Promise<void>
  /** Makes the round's job end as the record says. Harmless if it has. */
  close(id: RoundId): Promise<void>
  /** Jobs by state, as BullMQ names the states. */
  counts(): Promise<Readonly<Record<string, number>>>
}

/** The workers' queues. */
export interface JobQueues {
  /** Makes the round's job exist in its queue. Harmless if it exists: the first one's data is kept. */
  add(id: RoundId, submission: Pick<Submission, 'queue' | 'data' | 'queueTerms'>): Promise<void>
  /** Takes the round's job out of its queue, unless a worker has it. */
  remove(id: RoundId, queue: string): Promise<void>
  /** Jobs by queue and BullMQ state, of all queues that have been submitted to. */
  counts(): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>>
}

/** Tells when a round is finished. */
export interface RoundNews {
  /** Calls `onFinished` when the round's completion is recorded by any process. Resolves once it listens. */
  listen(id: RoundId, onFinished: () => void): Promise<() => void>
}

/** What a process was told of a mark in the store: which it is, and how far it has counted there. */
export interface StoreMark {
  readonly id: string
  readonly beat: number
}

/**
 * How a store shows that it has lost what it had acknowledged: `emptied` has no mark, `setBack` has one that knows less than
 * it has told this process, `another` has one of another id: another process found one of the two first, or it is
 * another store.
 */
export type StoreLoss = 'emptied' | 'setBack' | 'another'

export interface StoreBeat {
  readonly mark: StoreMark
  readonly nowMs: number
  readonly loss?: StoreLoss
  /** When the last that the store kept of this process was written; missing if it kept nothing. */
  readonly keptAtMs?: number
}

/** Marks in the store that are counted on, so that it is noticed if it loses what it had acknowledged. */
export interface StoreMarks {
  /** One for each part of the store that can be lost by itself. */
  readonly parts: readonly string[]
  /** @throws GoneError `STORE_UNAVAILABLE`, which is no loss */
  beat(part: string, known: StoreMark | undefined): Promise<StoreBeat>
}

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
