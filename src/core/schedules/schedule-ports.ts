import type { Schedule, ScheduleId } from './schedule.ts'

/** A schedule as it was at `nowMs` of the store's clock. */
export interface ScheduleSighting {
  readonly nowMs: number
  /** 0 where there is none. Shown when it is saved, so that two who change it at once do not undo each other. */
  readonly revision: number
  readonly schedule?: Schedule
}

export interface ListedSchedule {
  readonly id: ScheduleId
  readonly schedule: Schedule
}

export interface SchedulePage {
  /** By system, then name. */
  readonly schedules: readonly ListedSchedule[]
  readonly nowMs: number
  /** Where to go on; missing on the last page. */
  readonly next?: ScheduleId
}

/** When a schedule wants to be ticked. */
export interface Wake {
  readonly id: ScheduleId
  readonly atMs: number
}

/**
 * The schedules: what they are asked to do, and how far they have come. Every step is atomic.
 *
 * Every method throws GoneError `STORE_UNAVAILABLE` when the store cannot answer; the step may have happened, and who
 * reads again sees whether it has.
 */
export interface ScheduleStore {
  read(id: ScheduleId): Promise<ScheduleSighting>
  /**
   * Stores the schedule if its revision is still this one.
   *
   * @param revision as it was read; 0 to make a new one
   * @param wakeMs when it wants to be ticked next; undefined: not by itself
   * @returns the new revision; undefined if another was quicker, and nothing is stored
   */
  save(
    id: ScheduleId,
    revision: number,
    schedule: Schedule,
    wakeMs: number | undefined,
  ): Promise<number | undefined>
  /** False if there was none. */
  remove(id: ScheduleId): Promise<boolean>
  list(query: {
    readonly system?: string
    readonly after?: ScheduleId
    readonly limit: number
  }): Promise<SchedulePage>
  count(): Promise<number>
  /** Schedules that should have been ticked `lateMs` ago, the latest first; at most `limit`. */
  late(lateMs: number, limit: number): Promise<{ readonly wakes: readonly Wake[]; readonly nowMs: number }>
  /** Some of the schedules that want to be ticked, from `offset` on; empty beyond the last. */
  wakes(offset: number, limit: number): Promise<{ readonly wakes: readonly Wake[]; readonly nowMs: number }>
}

/** What wakes the ticks. It may be lost, late or early: the store is the truth, and the watchdog looks after it. */
export interface Wakes {
  /** Makes the schedule's one wake ring at `wake.atMs` of the store's clock, which is `nowMs` now. */
  set(wake: Wake, nowMs: number): Promise<void>
  remove(id: ScheduleId): Promise<void>
  /** Those of the schedules that have no wake. */
  missing(ids: readonly ScheduleId[]): Promise<readonly ScheduleId[]>
}
