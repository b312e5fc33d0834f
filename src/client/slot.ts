import { parseDuration } from '../core/time/duration.ts'
import { DEFAULT_DST, type DstPolicy, Timetable } from '../core/time/timetable.ts'
import { GoneError } from '../errors.ts'
import { type Duration, durationMs } from './duration.ts'

/** When something is to be done, by the wall clock of a zone. */
export interface Times {
  /** A cron expression of 5 or 6 fields, or `@hourly` and the like. Either this or `every`. */
  readonly cron?: string
  /**
   * Whole seconds, 1s to 366d. What divides a day is counted on the wall clock from midnight, anything else in elapsed
   * time from 1970 on.
   */
  readonly every?: Duration
  /** An IANA name. Default `UTC`. */
  readonly tz?: string
  /** What becomes of a time of day that the clocks leave out. Default `run-after`: due at the end of the gap. */
  readonly gap?: DstPolicy['gap']
  /** Which of a time of day that the clocks show twice. Default `first`. */
  readonly overlap?: DstPolicy['overlap']
}

export interface SlotOptions extends Times {
  /** Unix ms. Default: the clock here. */
  readonly now?: number | Date
}

/** One nominal time. */
export interface NominalTime {
  /** The wall time that was meant, such as `2026-11-22T08:00:00+01:00`. A round of this name is the same in every replica. */
  readonly slot: string
  /** When it is due. */
  readonly at: Date
}

export interface SlotNow extends NominalTime {
  readonly next?: NominalTime
}

/**
 * The slot that is now: the latest that has come, and the next one. Asks nobody, so that every replica has the same where
 * its clock is right; a timer that fires early belongs to `next`.
 *
 * @throws GoneError `INVALID_PARAMETER` that names the field
 */
export function slot({ now = Date.now(), ...times }: SlotOptions): SlotNow {
  const nowMs = Number(now)
  const timetable = timetableOf(times)
  const [last, next] = [timetable.last(nowMs), timetable.after(nowMs)]
  if (!last)
    throw new GoneError('INVALID_PARAMETER', `now: expected a time with a slot before it, got ${now}`)
  return { ...nominal(last), ...(next && { next: nominal(next) }) }
}

function nominal({ key, dueMs }: { readonly key: string; readonly dueMs: number }): NominalTime {
  return { slot: key, at: new Date(dueMs) }
}

/** @throws GoneError `INVALID_PARAMETER` that names the field */
export function timetableOf({ cron, every, tz = 'UTC', gap, overlap }: Times): Timetable {
  return new Timetable({
    ...(cron !== undefined && { cron }),
    ...(every !== undefined && { everyMs: durationMs('every', every) }),
    tz,
    dst: { gap: gap ?? DEFAULT_DST.gap, overlap: overlap ?? DEFAULT_DST.overlap },
  })
}

/** A text that may be either, such as `15m` or `0 8 * * *`. */
export function timesOf(cronOrEvery: Duration): Times {
  const isCron = typeof cronOrEvery === 'string' && parseDuration(cronOrEvery) === undefined
  return isCron ? { cron: cronOrEvery } : { every: cronOrEvery }
}
