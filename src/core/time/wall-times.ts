import { CronPattern } from 'croner'
import { GoneError } from '../../errors.ts'
import { cronMistake } from './cron-mistake.ts'

/**
 * Times as a wall clock shows them, in no zone: as ms, counted as if the clock showed UTC. Which instants they are, and
 * whether the clock shows them at all or twice, is the timetable's to say.
 */
export interface WallTimes {
  /** The first at or after `ms`. */
  next(ms: number): number | undefined
  /** The latest before `ms`. */
  previous(ms: number): number | undefined
  /** Meant as times of day, each once, and not as a rhythm: neither the minute nor the hour begins with `*`. */
  readonly isFixed: boolean
}

const DAY_MS = 86_400_000
const SECONDS_A_DAY = 86_400
/** The calendar repeats after 400 years: what has not come by then never does. */
const MAX_MONTHS = 4_800

/** Each multiple of `everyMs` from midnight on. It divides a day. */
export function wallTimesEvery(everyMs: number): WallTimes {
  return {
    next: (ms) => Math.ceil(ms / everyMs) * everyMs,
    previous: (ms) => (Math.ceil(ms / everyMs) - 1) * everyMs,
    isFixed: everyMs === DAY_MS,
  }
}

/**
 * The times of a cron expression of 5 or 6 fields. croner reads the expression.
 *
 * @throws GoneError `INVALID_PARAMETER`
 */
export function wallTimesOf(cron: string): WallTimes {
  const times = new CronTimes(parse(cron), isFixed(cron))
  if (times.next(0) !== undefined) return times
  throw new GoneError(
    'INVALID_PARAMETER',
    `cron: expected a day that comes some time, got ${JSON.stringify(cron)}`,
  )
}

const MAX_LENGTH = 256
const RULE = 'a cron expression of 5 or 6 fields like 0 8 * * MON-FRI'

function parse(cron: string): CronPattern {
  if (cron.length > MAX_LENGTH)
    throw new GoneError(
      'INVALID_PARAMETER',
      `cron: expected at most ${MAX_LENGTH} characters, got ${cron.length}`,
    )
  const mistake = cronMistake(cron)
  if (mistake === undefined) return new CronPattern(cron, undefined, { mode: '5-or-6-parts' })
  throw new GoneError('INVALID_PARAMETER', `cron: expected ${RULE}, got ${JSON.stringify(cron)}: ${mistake}`)
}

/** As Vixie cron has it: the second and the day do not matter. Of the nicknames only @hourly is a rhythm. */
function isFixed(cron: string): boolean {
  const fields = cron.trim().split(/\s+/)
  if (fields.length === 1) return cron.trim().toLowerCase() !== '@hourly'
  return fields.slice(-5, -3).every((field) => !field.startsWith('*'))
}

class CronTimes implements WallTimes {
  readonly #timesOfDay: readonly (readonly number[])[]
  readonly #months: readonly boolean[]
  readonly #days: DayRule
  #month = { index: Number.NaN, days: [] as readonly number[] }

  constructor(
    pattern: CronPattern,
    readonly isFixed: boolean,
  ) {
    this.#timesOfDay = [pattern.hour, pattern.minute, pattern.second].map(numbersIn)
    this.#months = pattern.month.map(Boolean)
    this.#days = dayRuleOf(pattern)
  }

  next(ms: number): number | undefined {
    const seconds = Math.ceil(ms / 1_000)
    const day = Math.floor(seconds / SECONDS_A_DAY)
    const time = this.#timeFrom(seconds - day * SECONDS_A_DAY)
    for (const found of this.#daysFrom(day)) {
      if (found > day) return found * DAY_MS + (this.#timeFrom(0) ?? 0) * 1_000
      if (time !== undefined) return found * DAY_MS + time * 1_000
    }
    return undefined
  }

  previous(ms: number): number | undefined {
    const seconds = Math.ceil(ms / 1_000) - 1
    const day = Math.floor(seconds / SECONDS_A_DAY)
    const time = this.#timeUntil(seconds - day * SECONDS_A_DAY)
    for (const found of this.#daysUntil(day)) {
      if (found < day) return found * DAY_MS + (this.#timeUntil(SECONDS_A_DAY - 1) ?? 0) * 1_000
      if (time !== undefined) return found * DAY_MS + time * 1_000
    }
    return undefined
  }

  /** The first time of day at or after a second of the day. */
  #timeFrom(second: number): number | undefined {
    const [hours = [], minutes = [], seconds = []] = this.#timesOfDay
    const [h, m, s] = [Math.floor(second / 3_600), Math.floor(second / 60) % 60, second % 60]
    const isHour = hours.includes(h)
    if (isHour && minutes.includes(m)) {
      const later = seconds.find((candidate) => candidate >= s)
      if (later !== undefined) return h * 3_600 + m * 60 + later
    }
    const [first = 0] = seconds
    const minute = isHour ? minutes.find((candidate) => candidate > m) : undefined
    if (minute !== undefined) return h * 3_600 + minute * 60 + first
    const hour = hours.find((candidate) => candidate > h)
    return hour === undefined ? undefined : hour * 3_600 + (minutes[0] ?? 0) * 60 + first
  }

  /** The latest time of day at or before a second of the day. */
  #timeUntil(second: number): number | undefined {
    const [hours = [], minutes = [], seconds = []] = this.#timesOfDay
    const [h, m, s] = [Math.floor(second / 3_600), Math.floor(second / 60) % 60, second % 60]
    const isHour = hours.includes(h)
    if (isHour && minutes.includes(m)) {
      const earlier = seconds.findLast((candidate) => candidate <= s)
      if (earlier !== undefined) return h * 3_600 + m * 60 + earlier
    }
    const last = seconds.at(-1) ?? 0
    const minute = isHour ? minutes.findLast((candidate) => candidate < m) : undefined
    if (minute !== undefined) return h * 3_600 + minute * 60 + last
    const hour = hours.findLast((candidate) => candidate < h)
    return hour === undefined ? undefined : hour * 3_600 + (minutes.at(-1) ?? 0) * 60 + last
  }

  /** The days that match, as days since 1970, from a day on. */
  *#daysFrom(day: number): Generator<number> {
    const begin = monthOf(day)
    for (let index = begin; index <= begin + MAX_MONTHS; index++)
      for (const found of this.#daysOf(index)) if (found >= day) yield found
  }

  /** The same backwards. */
  *#daysUntil(day: number): Generator<number> {
    const begin = monthOf(day)
    for (let index = begin; index >= begin - MAX_MONTHS; index--)
      for (const found of this.#daysOf(index).toReversed()) if (found <= day) yield found
  }

  /** Those of one month. */
  #daysOf(index: number): readonly number[] {
    if (index === this.#month.index) return this.#month.days
    const month = index - Math.floor(index / 12) * 12
    if (!this.#months[month]) return []
    const [firstDay, nextDay] = [dayOf(index), dayOf(index + 1)]
    const length = nextDay - firstDay
    const firstWeekday = (((firstDay + 4) % 7) + 7) % 7
    const days: number[] = []
    for (let day = 1; day <= length; day++)
      if (this.#days(day, { length, firstWeekday })) days.push(firstDay + day - 1)
    this.#month = { index, days }
    return days
  }
}

interface Month {
  readonly length: number
  /** 0 is Sunday. */
  readonly firstWeekday: number
}

/** Whether a day of the month matches. */
type DayRule = (day: number, month: Month) => boolean

/** Where both the day of the month and the weekday are given, either will do. */
function dayRuleOf(pattern: CronPattern): DayRule {
  const { day: days, dayOfWeek, nearestWeekdays, starDOM, starDOW } = pattern
  const nearest = numbersIn(nearestWeekdays).map((index) => index + 1)
  const isDay: DayRule = (day, month) =>
    Boolean(days[day - 1]) ||
    (pattern.lastDayOfMonth && day === month.length) ||
    (pattern.lastWeekday && day === lastWeekday(month)) ||
    nearest.some((wanted) => nearestWeekday(wanted, month) === day)
  if (starDOW) return isDay
  const isWeekday: DayRule = (day, month) => isNth(dayOfWeek[weekdayOf(day, month)] ?? 0, day, month.length)
  const isBoth = pattern.useAndLogic || starDOM
  return (day, month) =>
    isBoth ? isDay(day, month) && isWeekday(day, month) : isDay(day, month) || isWeekday(day, month)
}

/** croner's mask: bit 0 to 4 for the first to the fifth such weekday of the month, bit 5 for the last. */
function isNth(mask: number, day: number, length: number): boolean {
  const nth = Math.ceil(day / 7)
  return (mask & (1 << (nth - 1))) !== 0 || ((mask & 32) !== 0 && day + 7 > length)
}

function weekdayOf(day: number, { firstWeekday }: Month): number {
  return (firstWeekday + day - 1) % 7
}

function lastWeekday(month: Month): number {
  const weekday = weekdayOf(month.length, month)
  return month.length - (weekday === 0 ? 2 : weekday === 6 ? 1 : 0)
}

/** Monday to Friday next to a day, within its month. */
function nearestWeekday(day: number, month: Month): number | undefined {
  if (day > month.length) return undefined
  const weekday = weekdayOf(day, month)
  if (weekday === 0) return day === month.length ? day - 2 : day + 1
  if (weekday === 6) return day === 1 ? day + 2 : day - 1
  return day
}

/** Months since 1970. */
function monthOf(day: number): number {
  const date = new Date(day * DAY_MS)
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth()
}

/** The first day of a month, as days since 1970. */
function dayOf(month: number): number {
  return Date.UTC(1970, month, 1) / DAY_MS
}

function numbersIn(flags: readonly number[]): readonly number[] {
  return flags.flatMap((flag, index) => (flag ? [index] : []))
}
