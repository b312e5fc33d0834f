import type { WorkSum } from './series.ts'

/** What one instance has done for one worker in one minute, as far as it is over. */
export interface MinuteReport {
  /** The begin of the minute. */
  readonly minuteMs: number
  readonly worker: string
  readonly instance: string
  /** What it runs; empty: nothing that is released. */
  readonly release: string
  /** The instance has just begun. */
  readonly begins?: boolean
  readonly sum: WorkSum
}

/** A release that was first seen then, or that began again after another: a deploy, or its rollback. */
export interface ReleaseMark {
  readonly atMs: number
  readonly release: string
}

/** What somebody has said of a moment, such as of a campaign that began. */
export interface SaidMark {
  readonly atMs: number
  readonly text: string
  /** The one that it is said of; missing: all of them. */
  readonly worker?: string
  /** Who said it: the key's id, or an address. */
  readonly actor: string
}

export interface SeriesRead {
  readonly nowMs: number
  /** By the begin of the minute or the hour; several where some of it is not put together yet. */
  readonly kept: ReadonlyMap<number, readonly WorkSum[]>
  readonly marks: readonly ReleaseMark[]
  /** Of this worker, and of all. */
  readonly said: readonly SaidMark[]
}

export type SeriesUnit = 'minute' | 'hour'

export interface SeriesQuery {
  readonly worker: string
  readonly fromMs: number
  readonly toMs: number
  readonly unit: SeriesUnit
  /** Marks are kept for longer than numbers. */
  readonly marksFromMs: number
}

/**
 * What was done for each worker, by minutes for a day and by hours for a month. Times are the store's.
 *
 * Every method throws GoneError `STORE_UNAVAILABLE` when the store cannot answer; the same call again is harmless.
 */
export interface SeriesStore {
  now(): Promise<number>
  /**
   * Notes it in place of what this instance has told of the minute before.
   *
   * @returns isTaken: false where the minute cannot be told of any more, or not yet
   */
  tell(report: MinuteReport): Promise<{ readonly isTaken: boolean; readonly nowMs: number }>
  /** Puts together what is told of minutes of which nothing more can be told; how many. */
  fold(): Promise<number>
  /** Notes a mark at this moment of the store's. Of more than are kept the oldest are forgotten. */
  mark(said: Omit<SaidMark, 'atMs'>): Promise<SaidMark>
  read(query: SeriesQuery): Promise<SeriesRead>
}

/** Counts what is done here. */
export interface WorkTally {
  waited(worker: string, ms: number): void
  /** @param ranMs missing: it was not begun */
  ended(worker: string, kind: 'done' | 'failed', ranMs?: number): void
}
