import type { RoundId } from '../rounds/round.ts'
import type { Slot, TimetableSpec } from '../time/timetable.ts'
import type { Alert, AlertKind, AlertNews, AlertState, FLEET_KINDS } from './alert.ts'
import type { ExpectationTerms, FollowedSlot } from './expectation.ts'

/** The name of an expectation or a schedule, within its system. */
export interface WatchName {
  readonly system: string
  readonly name: string
}

/** What is watched: an expectation of a system that is elected from outside, or a schedule that expects. */
export interface WatchId extends WatchName {
  readonly of: 'expectation' | 'schedule'
}

/** What rounds should come, and when. */
export interface Expectation extends ExpectationTerms {
  readonly timetable: TimetableSpec
}

export interface ExpectationRecord extends WatchName {
  readonly expectation: Expectation
  readonly createdAtMs: number
  readonly updatedAtMs: number
}

/** How far a watch has come. Only one process' progress on it is recorded. */
export interface WatchProgress {
  /** Slots due up to here have been taken up. */
  readonly cursorMs: number
  /** Those of them whose rounds are still followed. */
  readonly slots: readonly FollowedSlot[]
}

/** A watch that one process has been given to look at, for a while. */
export interface TakenWatch {
  readonly id: WatchId
  readonly version: number
  readonly progress: WatchProgress
  /** The expectation as it is at this version; missing for a schedule's. */
  readonly record?: ExpectationRecord
}

/** What a look at a slot has found, in the order to be recorded. */
export type SlotNews =
  | {
      readonly kind: 'bad'
      readonly alert: AlertKind
      readonly slot: string
      readonly dueMs: number
      readonly round?: string
      readonly detail: string
    }
  /** Resolves all alerts of this watch whose last bad slot is an earlier one. */
  | { readonly kind: 'good'; readonly slot: string; readonly dueMs: number; readonly resolution: string }
  /** The slot was missed, and its round came after all: resolves that alert unless a later slot is missed too. */
  | { readonly kind: 'came'; readonly slot: string; readonly dueMs: number; readonly resolution: string }

export interface Look {
  readonly progress: WatchProgress
  readonly news: readonly SlotNews[]
  readonly nextLookMs: number
}

/** What is wrong with the fleet, or is not any more. */
export interface FleetFact {
  readonly kind: (typeof FLEET_KINDS)[number]
  /** A worker's name, or an instance's id. */
  readonly name: string
  readonly isWrong: boolean
  readonly sinceMs: number
  /** What is wrong, or what resolves it; for people. */
  readonly detail: string
}

/** What is yet to be put into the queue of alerts. */
export interface AlertsOutboxEntry {
  /** Missing where the alert is no longer kept. */
  readonly news?: AlertNews
  /** The entry as the store names it. */
  readonly entry: string
}

/**
 * What is expected, and what is wrong. Every step is atomic, its times are the store's.
 *
 * Every method throws GoneError `STORE_UNAVAILABLE` when the store cannot answer; the same call again is harmless.
 */
export interface Alerts {
  /** Anything but the same again starts the watch anew, from now. */
  put(
    name: WatchName,
    expectation: Expectation,
  ): Promise<{
    readonly verdict: 'created' | 'replaced' | 'unchanged'
    readonly record: ExpectationRecord
    readonly nowMs: number
  }>
  expectation(name: WatchName): Promise<{ readonly record?: ExpectationRecord; readonly nowMs: number }>
  /** By system, then name. */
  expectations(query: {
    readonly system?: string
    readonly after?: WatchName
    readonly limit: number
  }): Promise<{
    readonly records: readonly ExpectationRecord[]
    readonly nowMs: number
    readonly next?: WatchName
  }>
  /**
   * Starts watching a schedule from `sinceMs`, at most an hour ago. One that is watched goes on, and is looked at at once as it is
   * now: of a look that is under way nothing is recorded.
   */
  adopt(name: WatchName, sinceMs: number): Promise<void>
  /** Stops watching and resolves what is open; undefined if it was not watched. `tells` as for `record`. */
  drop(id: WatchId, resolution: string, tells: boolean): Promise<readonly AlertNews[] | undefined>
  /** All that are watched, of one kind. */
  watched(of: WatchId['of']): Promise<readonly WatchName[]>
  /** The systems whose candidates are to be counted, and for how many ms a count is needed. */
  counted(): Promise<ReadonlyMap<string, number>>
  /** Up to `limit` watches whose look is due; for `holdMs` no other process is given them. */
  take(
    limit: number,
    holdMs: number,
  ): Promise<{ readonly watches: readonly TakenWatch[]; readonly nowMs: number }>
  /**
   * Records a look: progress, alerts and the outbox in one step. Undefined, and nothing is recorded, where the watch
   * was changed or looked at since it was taken.
   *
   * @param tells whether the news go into the outbox
   */
  record(watch: TakenWatch, look: Look, tells: boolean): Promise<readonly AlertNews[] | undefined>
  /**
   * Opens an alert of the fleet, or resolves it; undefined where it was so already.
   *
   * @param tells as for `record`
   */
  note(fact: FleetFact, tells: boolean): Promise<AlertNews | undefined>
  /** The alerts of the fleet that are open. */
  noted(): Promise<readonly Pick<FleetFact, 'kind' | 'name'>[]>
  /** Newest first. */
  alerts(query: { readonly state?: AlertState; readonly after?: string; readonly limit: number }): Promise<{
    readonly alerts: readonly Alert[]
    readonly nowMs: number
    readonly next?: string
  }>
  openCounts(): Promise<Readonly<Record<AlertKind, number>>>
  /** Entries that have waited for at least `ageMs`, at most `limit`, oldest first. */
  outbox(ageMs: number, limit: number): Promise<readonly AlertsOutboxEntry[]>
  /** Whether it is still to be put into the queue of alerts: an entry goes once it is there. */
  isUnqueued(entry: string): Promise<boolean>
  acknowledge(entry: string): Promise<void>
}

/** Counts the distinct candidates of rounds. */
export interface Census {
  /** @param keepMs how long the count is kept */
  add(id: RoundId, identities: readonly string[], keepMs: number): Promise<void>
  /** Undefined if none was counted. */
  count(id: RoundId): Promise<number | undefined>
  /** Notes what they call themselves, for people: of each system the newest thousand notes are kept. */
  call(id: RoundId, names: readonly string[]): Promise<void>
  /** What those are called who asked for the system's rounds, by round, as far as it was kept. */
  called(system: string): Promise<ReadonlyMap<string, ReadonlySet<string>>>
}

/** The queue `alerts`: each piece of news is a job that delivers it. */
export interface AlertQueue {
  /** Harmless if it is queued already. */
  add(news: AlertNews): Promise<void>
}

/** Where schedules that expect something come from. */
export interface ScheduleWatches {
  /** All schedules with an `expect`. */
  all(): Promise<readonly (WatchName & { readonly sinceMs: number })[]>
  /** Undefined if there is no such schedule, or it expects nothing. */
  find(name: WatchName): Promise<ScheduleWatch | undefined>
}

export interface ScheduleWatch {
  readonly expectation: Expectation
  /** Slots due before are not expected, but for those that are held: the schedule was made, changed or resumed then. */
  readonly sinceMs: number
  /** Slots due after are not expected: it has been paused; missing: it is not. */
  readonly untilMs?: number
  /** Why a slot has no round, where that is as the schedule's policy will have it. */
  excuse(slot: Slot): Promise<Excuse | undefined>
}

/** `leftOut`: none comes, because the round before had not ended. `held`: it comes when that one has. */
export type Excuse = 'leftOut' | 'held'
