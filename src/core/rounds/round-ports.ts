import type { CallLink } from './call.ts'
import type { Candidate, Reporter } from './candidate.ts'
import type { CancelVerdict, CompletionVerdict, RetryVerdict } from './completion.ts'
import type { ElectionVerdict, RenewalVerdict } from './election.ts'
import type { RunTerms, Submission, SubmissionRecord } from './job.ts'
import type { Outcome, RoundEnd, RoundEvent, RoundRecord, Terms } from './record.ts'
import type { RoundId } from './round.ts'

/** A round as it was at `nowMs` of the store's clock: led, submitted, both or neither. */
export interface Sighting {
  readonly nowMs: number
  readonly record?: RoundRecord
  readonly submission?: SubmissionRecord
  /** How it had ended before it was opened again, newest first; missing if it never was. */
  readonly history?: readonly RoundEnd[]
  /** What has become of it besides, in the order in which it was noted; missing where it went straight to its end. */
  readonly events?: readonly RoundEvent[]
}

/** `submitted` for the call that made the job; `duplicate` for all others, also where the round is led over HTTP. */
export interface SubmissionRuling extends Sighting {
  readonly verdict: 'submitted' | 'duplicate'
}

/**
 * `lost`: another leads the round. `spent`: it was started as often as it may be. `early`: not for so long by the store's clock.
 * `another`: the job is of an earlier submission, whose record is gone. `late`: a call whose time is over. `held`: another has the lock that
 * it was to be started behind.
 */
export type StartRuling =
  | {
      readonly verdict: 'started'
      readonly fence: number
      readonly runTerms: RunTerms
      /** From 1; starts that were given back do not count. */
      readonly nth: number
      /** Of a call: in how long it is given up. */
      readonly giveUpInMs?: number
    }
  | { readonly verdict: 'late'; readonly fence: number }
  | { readonly verdict: 'early'; readonly restMs: number }
  | { readonly verdict: 'another' | 'held' }
  | Ruling<'finished' | 'lost' | 'spent'>

/** What a start is made of and behind of. */
export interface StartBehind {
  /** When the submission was made that the job is of; missing where the job does not say. */
  readonly madeForMs?: number
  /** By what an executor over HTTP holds the job: the record keeps it as its `gate`; missing: a worker runs it. */
  readonly hold?: string
  /** Taken in the same step, where the round is started; missing: the gate is somewhere else. */
  readonly lock?: GateLock
  /** By what a worker has passed a gate that is somewhere else: asked again behind the same, it is the same start. */
  readonly pass?: string
}

export type FinishRuling = { readonly verdict: 'recorded' | 'alreadyRecorded' } | Ruling<'refused'>

/** The answer of a step that leaves a record behind. */
export interface Ruling<Verdict> extends Sighting {
  readonly verdict: Verdict
  readonly record: RoundRecord
}

interface EndedLeadership {
  readonly leader: string
  readonly fence: number
}

export interface ElectionRuling extends Ruling<ElectionVerdict> {
  /** The leadership that a takeover ended. */
  readonly previous?: EndedLeadership
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

/** What somebody has seen of a round's submission. */
export interface SeenJob {
  /** When it was made; missing: there was none. */
  readonly submittedAtMs?: number
  /** What it asked for; missing: not known any more. */
  readonly job?: JobContent
}

/** What a job does, and how it is queued. */
export type JobContent = Pick<Submission, 'data' | 'queueTerms'>

/** `another`: there is another submission than the one that was seen, or no round at all. */
export type CancelRuling = Ruling<CancelVerdict> | { readonly verdict: 'another' }

/** What is asked when a round is opened again. */
export interface RetryOrder {
  /** Who asks, for display. */
  readonly by: string
  readonly reason?: string
  /** Of a caller whose call may be sent again: then it is answered as at first, while the round runs. */
  readonly identity?: string
  /** That the round had when the call came; missing: none. What this caller has opened since was opened by this very call. */
  readonly fence?: number
  /** From then on, where the submission set none. */
  readonly deadlineMs: number
}

/** `another`: there is another submission than the one that was seen, or no round at all. */
export type RetryRuling =
  | { readonly [V in RetryVerdict]: Sighting & { readonly verdict: V } }[RetryVerdict]
  | { readonly verdict: 'another' }

export interface Report {
  readonly outcome: Outcome
  /** See `Completion.detail`. */
  readonly detail: string
}

/** A round of the history, newest election first. */
export interface ListedRound extends Omit<Sighting, 'nowMs'> {
  readonly id: RoundId
  readonly mark: HistoryMark
}

export interface FoundRound extends ListedRound {
  /** How many entries were looked at before it. */
  readonly nth: number
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
/** `led`: a round that the board shows as overdue, or is about to, has a leader again. */
export type OutboxStep = 'submitted' | 'led' | 'overdue' | 'finished'

export interface OutboxEntry {
  readonly id: RoundId
  readonly step: OutboxStep
  /** The entry as the store names it, for `acknowledgeEntries`. */
  readonly entry: string
}

/** An entry, and its round as it was seen after the entry was. */
export interface SeenEntry {
  readonly entry: OutboxEntry
  readonly seen: Sighting
}

/**
 * The rounds' write-once facts. Every step is atomic: concurrent callers see one order.
 *
 * Every method throws GoneError `STORE_UNAVAILABLE` when the store cannot answer; the step may have happened, and the
 * same call again, with the same identity, gives the answer that was lost.
 */
export interface Records {
  /** Decides who leads. The only way to become a leader. A finished round is lost for everybody. */
  decide(id: RoundId, candidate: Candidate, terms: Terms, gate?: string): Promise<ElectionRuling>
  /**
   * Notes the round's job, with its data until `acknowledge(id, 'submitted')`. The first submission is kept.
   *
   * @param untakenMs by when a worker has to start it, where the submission sets no deadline, from when it may be started; 0: ever
   */
  submit(id: RoundId, submission: Submission, untakenMs?: number): Promise<SubmissionRuling>
  /**
   * Makes the round's job its leader, with a higher fence at each start. What the submission says of deadline and starts
   * goes before `terms` and `maxStarts`.
   *
   * The same call again under the lock that it has taken is told the same.
   */
  start(
    id: RoundId,
    candidate: Candidate,
    terms: Terms,
    maxStarts: number,
    behind?: StartBehind,
  ): Promise<StartRuling>
  /** Gives back the start that has this fence, which then counts as no death. Does nothing if another has started it since. */
  giveBack(id: RoundId, fence: number): Promise<void>
  /** Notes that the attempt under this fence has failed, and another will be made. */
  noteFailure(id: RoundId, fence: number, reason: string): Promise<void>
  /**
   * Makes the lease last for `leaseMs` from now on, or for its own length, and never for less than it lasts already: others
   * remember until when. Does nothing to a round without a lease.
   */
  renew(id: RoundId, reporter: Reporter, leaseMs?: number): Promise<RenewalRuling>
  complete(id: RoundId, reporter: Reporter, report: Report, terms: Terms): Promise<Ruling<CompletionVerdict>>
  /**
   * What `complete` does, for the job that leads the round. Leaves an outbox entry only where `hasRoundJob`.
   *
   * @param lock is given up, whatever the answer
   */
  finish(id: RoundId, job: Required<Reporter>, report: Report, lock?: GateLock): Promise<FinishRuling>
  /**
   * Ends the round as failed, whoever leads it, unless it has ended. What its job does is kept with it, so that it can be done
   * later.
   *
   * @param reason what the record says of it
   */
  cancel(id: RoundId, by: string, reason: string, seen: SeenJob): Promise<CancelRuling>
  /**
   * Opens a round again that has failed or is overdue, under a fence that is nobody's: its job, with all its attempts, is the
   * queue's to be told of (`submitted`), and without a submission whoever asks next leads. What comes from before is refused.
   */
  retry(id: RoundId, order: RetryOrder, seen: SeenJob): Promise<RetryRuling>
  /**
   * Takes a decision back that nobody was told of: whoever asks next leads. False if that leadership is over, or its leader has
   * asked again since, and been told.
   */
  vacate(id: RoundId, leader: { readonly identity: string; readonly fence: number }): Promise<boolean>
  read(id: RoundId): Promise<Sighting>
  /** The same of many, in their order; those of one system at one moment. */
  readAll(ids: readonly RoundId[]): Promise<readonly Sighting[]>
  /** What the job of a round does that was cancelled, as `cancel` was told; undefined if it was not. */
  kept(id: RoundId): Promise<JobContent | undefined>
  /**
   * Judges a deadline: an unreported round whose deadline has come enters the index of overdue rounds, and where `hasRoundJob` the
   * outbox (`overdue`). One whose deadline is to come is found by `due` then.
   */
  expire(id: RoundId): Promise<DeadlineRuling>
  /**
   * Of the next `limit` entries the rounds, newest first; of all systems if none is given. What does not hold the text in its name, in
   * whatever case, is looked at and left out. `next` is missing on the last page, `nowMs` is 0 where nothing was found.
   */
  history(query: {
    readonly system?: string
    readonly after?: HistoryMark
    readonly text?: string
    readonly limit: number
  }): Promise<{
    readonly rounds: readonly FoundRound[]
    /** How many entries were looked at. */
    readonly looked: number
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
  /**
   * Up to `limit` rounds whose deadline has come by the store's clock, and that `expire` has not judged since; and in how many ms
   * the next one's comes, `Infinity` if none does.
   *
   * @param expected missing: every system in use is looked at, and it is noted when its next deadline comes. Else no more is looked at than
   *   systems whose noted deadline has come, and these
   * @returns also `trouble`, where some systems did not answer, which keeps nothing of others back
   */
  due(
    limit: number,
    expected?: readonly string[],
  ): Promise<{ readonly due: readonly RoundId[]; readonly nextInMs: number; readonly trouble?: unknown }>
  /** How many rounds are overdue now. */
  overdueCount(): Promise<number>
  /**
   * Entries that have waited for at least `ageMs`, at most `limit`: a fair share of each system. Of more systems than can be looked
   * at at once it is those of another part each time.
   */
  outbox(ageMs: number, limit: number): Promise<readonly OutboxEntry[]>
  /** Keeps the system's outbox to this process for a moment; false if another has it. It saves double work, no more. */
  claim(system: string): Promise<boolean>
  release(system: string): Promise<void>
  /**
   * Removes the entry that `submit`, `decide` (`led`), `expire` (`overdue`) or `complete` (`finished`) left, and with `submitted` the
   * submission's data: what the queue was told of the round as it was `seen`. What was noted after that stays, such as another submission.
   * Returns at once; sent in batches.
   */
  acknowledge(id: RoundId, step: OutboxStep, seen: Sighting): void
  /** The same of entries of one system's outbox, sent now. */
  acknowledgeEntries(told: readonly SeenEntry[]): Promise<void>
}

/** The gate's answer. Only `held` means that another has it; the last two are trouble, and say retry. */
export type GatePass =
  | { readonly kind: 'passed'; readonly value: string }
  | { readonly kind: 'held' }
  | { readonly kind: 'noMajority'; readonly detail: string }
  | { readonly kind: 'unreachable'; readonly detail: string }

/** The gate's lock as a node has it, for a step of the records to take or to give up with what it decides. */
export interface GateLock {
  readonly key: string
  readonly value: string
  readonly ttlMs: number
}

/** The same of a round that is not known yet: the key is `keyPrefix` with its `roundKey` behind it. */
export interface LockAhead extends Omit<GateLock, 'key'> {
  readonly keyPrefix: string
}

/** A lock over an odd number of nodes, held by one leadership of a round. */
export interface Gate {
  pass(id: RoundId, ttlMs: number): Promise<GatePass>
  /** Where the gate's only node is the records' own store: a lock under a new value, which nobody has taken yet. */
  lock(id: RoundId, ttlMs: number): GateLock | undefined
  /**
   * Holds it for so long from now on, also where nobody has it any more: what the record says is held. Never throws: the
   * gate saves work, the record decides. False if another has it, or too few nodes answer.
   */
  extend(id: RoundId, value: string, ttlMs: number): Promise<boolean>
  /** Never throws; a gate that could not be released ends by itself. */
  release(id: RoundId, value: string): Promise<void>
}

/** A round as it was seen. */
export interface SeenRound extends Sighting {
  readonly id: RoundId
  /** The leadership that has just ended by a takeover. */
  readonly previous?: EndedLeadership
}

/** The BullMQ queue `rounds`: one job for each round that has ended, or is overdue. It shows what the record says and never decides. */
export interface RoundQueue {
  /**
   * Shows rounds as they were seen: completed, failed or overdue as a job that has ended so, and any other, which may have been
   * overdue under an earlier leader, as none. Twice is harmless; what was seen under an earlier fence, or before the report, changes nothing.
   *
   * @returns of each whether it is shown; false while BullMQ has its job in hand: to be shown again
   */
  show(rounds: readonly SeenRound[]): Promise<readonly boolean[]>
  /** Jobs by state, as BullMQ names the states. */
  counts(): Promise<Readonly<Record<string, number>>>
}

/** The submission that a job was made of. */
export type JobMadeOf = Pick<SubmissionRecord, 'queue' | 'submittedAtMs'> &
  Partial<Pick<SubmissionRecord, 'runTerms'>>

/** The workers' queues. */
export interface JobQueues {
  /**
   * Lets the queue be submitted to. To be asked before a submission is recorded.
   *
   * @throws GoneError `QUOTA_EXCEEDED` if it would be one more than there may be; `STORE_UNAVAILABLE`
   */
  admit(queue: string): Promise<void>
  /**
   * Makes the job of this submission exist in its queue. Harmless if it exists; one that an earlier submission of the round has left
   * there gives way to it.
   *
   * @throws Error also while a worker has such a one, or there is one of a later submission
   */
  add(id: RoundId, submission: SubmissionRecord & JobContent): Promise<void>
  /** What the job does that was made of the submission of this time; undefined if there is none any more. */
  find(id: RoundId, submission: JobMadeOf): Promise<JobContent | undefined>
  /** Lets a worker take the job of this submission now, if it waits for its time. */
  hasten(id: RoundId, submission: JobMadeOf): Promise<void>
  /** Takes the job of this submission out of its queue, unless a worker has it. */
  remove(id: RoundId, submission: JobMadeOf): Promise<void>
  /** Jobs by queue and BullMQ state, of all queues that are used. */
  counts(): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>>
}

/** How a job is doing. */
export interface JobSight {
  /** As BullMQ names it. */
  readonly state: string
  /** Attempts that have ended. */
  readonly attemptsMade: number
  /** Missing where the submission has left it to its worker. */
  readonly attempts?: number
  readonly data: unknown
  /** What its handler has said last of how far it is; missing if it never has. */
  readonly progress?: unknown
  readonly log: {
    /** The last ones, oldest first. */
    readonly lines: readonly string[]
    /** How many there are. */
    readonly count: number
  }
}

/** Looks at jobs in their queues, which decide nothing. */
export interface JobReader {
  /**
   * @param lines of its log at most so many, the last
   * @returns undefined where the job that was made of this submission is not there any more
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  readJob(id: RoundId, submission: JobMadeOf, lines: number): Promise<JobSight | undefined>
}

/** That a job, which holds a slot of its worker, waits for a call to that worker. */
export interface CallWait {
  readonly job: Omit<CallLink, 'worker'>
  /** The round of the call, as `roundKey` has it. */
  readonly call: string
}

/** Which running jobs wait for calls to their own worker. */
export interface CallWaits {
  /**
   * Notes waits.
   *
   * @param slots how many jobs the worker runs at once, in all its instances
   * @param forMs how long that counts, if nobody says before that the call has ended
   * @returns undefined; or, where with these waits all its slots would wait, so that the call could never begin, what was noted
   *   before, and nothing is added
   */
  enter(
    worker: string,
    waits: readonly CallWait[],
    slots: number,
    forMs: number,
  ): Promise<readonly CallWait[] | undefined>
  leave(worker: string, waits: readonly CallWait[]): Promise<void>
}

/** Tells when a round is finished. */
export interface RoundNews {
  /** Calls `onFinished` when the round's completion is recorded by any process. Resolves once it listens. */
  listen(id: RoundId, onFinished: () => void): Promise<() => void>
  /** Where this process is told the ends of calls whose terms name it (`tell`); missing: nowhere, or not now. */
  readonly ear?: string | undefined
  /** Calls `onEnd` when such a call's end is recorded, with what was; until what it returns is called. */
  hear?(id: RoundId, onEnd: (seen: Sighting) => void): () => void
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
  /** Something is to be done in the store, now or in the next seconds. */
  readonly isWanted: boolean
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
