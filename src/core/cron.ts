import { GoneError } from '../errors.ts'

/** A cron expression as it is read. Values are ascending. */
export interface Cron {
  readonly seconds: readonly number[]
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  /** 1 to 12. */
  readonly months: readonly number[]
  readonly days: MonthDays
  readonly weekdays: Weekdays
  /** With `+`, and where one of them is `*`: a day must match both. Else either will do. */
  readonly needsBoth: boolean
  /** Neither the minute nor the hour begins with `*`: times of day that are meant once each, and no rhythm. */
  readonly isFixed: boolean
}

export interface MonthDays {
  readonly numbers: readonly number[]
  /** `L`. */
  readonly isLast: boolean
  /** `LW`. */
  readonly isLastWeekday: boolean
  /** `15W`. */
  readonly nearest: readonly number[]
}

/** For each weekday from Sunday on which of the month: bit 0 to 4 the first to the fifth, bit 5 the last. */
export type Weekdays = readonly number[]

const MAX_LENGTH = 256
const RULE = 'a cron expression of 5 or 6 fields like 0 8 * * MON-FRI'

const NICKNAMES: Readonly<Record<string, string>> = {
  '@YEARLY': '0 0 1 1 *',
  '@ANNUALLY': '0 0 1 1 *',
  '@MONTHLY': '0 0 1 * *',
  '@WEEKLY': '0 0 * * 0',
  '@DAILY': '0 0 * * *',
  '@MIDNIGHT': '0 0 * * *',
  '@HOURLY': '0 * * * *',
}

interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  /** What its values are called, from `min` on. */
  readonly words?: readonly string[]
}

const SECOND: Field = { name: 'second', min: 0, max: 59 }
const MINUTE: Field = { name: 'minute', min: 0, max: 59 }
const HOUR: Field = { name: 'hour', min: 0, max: 23 }
const DAY: Field = { name: 'day of month', min: 1, max: 31 }
const MONTH: Field = {
  name: 'month',
  min: 1,
  max: 12,
  words: ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'],
}
/** 7 is Sunday too, so that a range can end with it. */
const WEEKDAY: Field = {
  name: 'weekday',
  min: 0,
  max: 7,
  words: ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'],
}
const ANY_OF_MONTH = 31
const LAST_OF_MONTH = 32

/** Why a field is not understood. */
class Misread extends Error {}

/**
 * Reads an expression of 5 or 6 fields, or `@hourly` and the like.
 *
 * @throws GoneError `INVALID_PARAMETER` that names the field
 */
export function readCron(text: string): Cron {
  if (text.length > MAX_LENGTH) {
    const message = `cron: expected at most ${MAX_LENGTH} characters, got ${text.length}`
    throw new GoneError('INVALID_PARAMETER', message)
  }
  try {
    return readFields(text)
  } catch (cause) {
    if (!(cause instanceof Misread)) throw cause
    const message = `cron: expected ${RULE}, got ${JSON.stringify(text)}: ${cause.message}`
    throw new GoneError('INVALID_PARAMETER', message, { cause })
  }
}

function readFields(text: string): Cron {
  const upper = text.trim().toUpperCase()
  if (upper.startsWith('@') && !Object.hasOwn(NICKNAMES, upper))
    throw new Misread(`one of ${Object.keys(NICKNAMES).join(' ').toLowerCase()}`)
  const fields = (NICKNAMES[upper] ?? upper).replaceAll('?', '*').split(/\s+/)
  if (fields.length !== 5 && fields.length !== 6) throw new Misread(`${fields.length} fields`)
  const [second = '', minute = '', hour = '', day = '', month = '', weekday = ''] =
    fields.length === 5 ? ['0', ...fields] : fields
  return {
    seconds: readField(SECOND, second),
    minutes: readField(MINUTE, minute),
    hours: readField(HOUR, hour),
    months: readField(MONTH, month),
    days: readDays(day),
    weekdays: readWeekdays(weekday.replace(/^\+/, '')),
    needsBoth: weekday.startsWith('+') || day === '*' || weekday === '*',
    isFixed: !minute.startsWith('*') && !hour.startsWith('*'),
  }
}

function readDays(text: string): MonthDays {
  const parts = text.split(',')
  const isNearest = (part: string) => /^\d+W$/.test(part)
  const plain = parts.filter((part) => part !== 'L' && part !== 'LW' && !isNearest(part))
  return {
    numbers: plain.length > 0 ? readField(DAY, plain.join(',')) : [],
    isLast: parts.includes('L'),
    isLastWeekday: parts.includes('LW'),
    nearest: parts.filter(isNearest).flatMap((part) => readField(DAY, part.slice(0, -1))),
  }
}

function readWeekdays(text: string): Weekdays {
  const weekdays = [0, 0, 0, 0, 0, 0, 0]
  for (const part of text.split(',')) {
    const [, days = '', nth, last] = /^([^#]*?)(?:#([1-5])|(L))?$/.exec(part) ?? []
    const which = nth !== undefined ? 1 << (Number(nth) - 1) : last ? LAST_OF_MONTH : ANY_OF_MONTH
    for (const day of readPart(WEEKDAY, days === '' ? part : days))
      weekdays[day % 7] = (weekdays[day % 7] ?? 0) | which
  }
  return weekdays
}

function readField(field: Field, text: string): readonly number[] {
  const values = text.split(',').flatMap((part) => readPart(field, part))
  return [...new Set(values)].sort((a, b) => a - b)
}

/** `*`, `5`, `5-10`, or one of the first and the last with a step. */
function readPart(field: Field, part: string): readonly number[] {
  const match = /^(?:(\*)|([A-Z0-9]+)(?:-([A-Z0-9]+))?)(?:\/(\d{1,9}))?$/.exec(part)
  const [, star, low = '', high, stepText] = match ?? []
  if (!match || (!star && high === undefined && stepText !== undefined))
    throw new Misread(
      `${field.name}: ${JSON.stringify(part)} is no *, value, range a-b, or step */n or a-b/n`,
    )
  const top = field === WEEKDAY ? 6 : field.max
  const from = star ? field.min : readValue(field, low)
  const until = star ? top : high === undefined ? from : readValue(field, high, true)
  if (until < from) throw new Misread(`${field.name}: ${part} ends before it begins`)
  const step = Number(stepText ?? 1)
  if (step < 1 || step > top - field.min + 1) throw new Misread(`${field.name}: no step of ${stepText}`)
  const values: number[] = []
  for (let value = from; value <= until; value += step) values.push(value)
  return values
}

function readValue(field: Field, text: string, isEnd = false): number {
  const word = field.words?.indexOf(text) ?? -1
  // A range may end with Sunday.
  if (word >= 0) return isEnd && field === WEEKDAY && word === 0 ? 7 : word + field.min
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= field.min && value <= field.max) return value
  throw new Misread(`${field.name}: ${text} is not from ${field.min} to ${field.max}`)
}
