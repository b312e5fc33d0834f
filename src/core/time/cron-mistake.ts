/** A field of an expression: what its values may be. */
interface Field {
  readonly name: string
  readonly min: number
  readonly max: number
  /** From `min` on. */
  readonly names?: readonly string[]
  /** What else a part may be. */
  readonly special?: RegExp
}

const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC']

const FIELDS: readonly Field[] = [
  { name: 'second', min: 0, max: 59 },
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of the month', min: 1, max: 31, special: /^(?:L|(?:[1-9]|[12]\d|3[01])W)$/i },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'weekday', min: 0, max: 7, names: WEEKDAYS },
]

const NICKNAMES = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']

/**
 * What is wrong with a cron expression, in words that end a message; undefined if nothing is. It knows how others write what
 * reads here as something else, and says how it is written here.
 */
export function cronMistake(cron: string): string | undefined {
  const text = cron.trim()
  const fields = text.split(/\s+/)
  if (text.startsWith('@')) return nicknameMistake(text)
  const foreign = wrapperMistake(text) ?? dialectMistake(fields)
  if (foreign !== undefined) return foreign
  if (fields.length === 7) return 'a year is not taken; leave it out, and set startAt and endAt'
  if (fields.length !== 5 && fields.length !== 6) return `it has ${text === '' ? 'no' : fields.length} fields`
  const named = FIELDS.slice(-fields.length)
  for (const [index, field] of named.entries()) {
    const mistake = fieldMistake(field, fields[index] ?? '')
    if (mistake !== undefined) return `${field.name} ${JSON.stringify(fields[index])}: ${mistake}`
  }
  return undefined
}

function nicknameMistake(text: string): string | undefined {
  const word = text.toLowerCase()
  if (NICKNAMES.includes(word)) return undefined
  if (word === '@reboot') return 'no server knows when a machine starts'
  if (word.startsWith('@every')) return 'write every in place of cron, as in 15m, 1h or 90m'
  return `there are ${NICKNAMES.join(', ')}`
}

/** What stands around an expression elsewhere. */
function wrapperMistake(text: string): string | undefined {
  if (/^(?:CRON_)?TZ=/i.test(text)) return 'the zone goes into tz'
  const inside = /^cron\((.*)\)$/i.exec(text)?.[1]
  if (inside !== undefined)
    return dialectMistake(inside.trim().split(/\s+/)) ?? 'write what is in the brackets'
  if (/^rate\(/i.test(text)) return 'write every in place of cron, as in 15m, 1h or 1d'
  return undefined
}

function dialectMistake(fields: readonly string[]): string | undefined {
  const [first = '', second = '', third = '', fourth = '', fifth = '', sixth = ''] = fields
  if (fields.length === 6 && (third === '?' || fifth === '?')) {
    const here = [first, second, noQuestion(third), fourth, noQuestion(byName(fifth, 1))].join(' ')
    const years = sixth === '*' ? '' : '; a year is not taken, set startAt and endAt'
    return `AWS writes the minute first and a year last; here it is "${here}"${years}`
  }
  const isNumbered = byName(sixth, 0) !== sixth && !/(?<![#/\d])0/.test(sixth)
  if (fields.length >= 6 && fourth === '?' && isNumbered)
    return `Quartz counts weekdays from Sunday as 1, others from 0; write ${byName(sixth, 1)} or ${byName(sixth, 0)} in place of ${sixth}`
  if (fields.some((field) => /^H(?:[/(]|$)/.test(field))) return 'H is of Jenkins; write a time, and a jitter'
  if (fields.some((field) => field.includes('~'))) return '"~" is of OpenBSD; write a time, and a jitter'
  if (fields.length === 6 && /^[A-Za-z]+\/[A-Za-z_/]+$/.test(sixth)) return 'the zone goes into tz'
  if (fields.length > 5 && /^[./~]|[a-z]{4}/.test(fields.slice(5).join(' ')))
    return 'a command is not part of it'
  return undefined
}

function noQuestion(field: string): string {
  return field === '?' ? '*' : field
}

/** Weekdays by their names where they are numbers; `sunday` is the number of Sunday. */
function byName(field: string, sunday: 0 | 1): string {
  return field.replace(
    /(?<![#/\d])[0-7](?!\d)/g,
    (digit) => WEEKDAYS[(Number(digit) - sunday + 7) % 7] ?? digit,
  )
}

function fieldMistake(field: Field, text: string): string | undefined {
  const isDay = field.name === 'day of the month' || field.name === 'weekday'
  if (text === '?' && isDay) return undefined
  if (text.includes('?'))
    return isDay ? '"?" stands alone' : '"?" stands for a day of the month or a weekday only'
  if (field.name === 'day of the month' && /^LW$/i.test(text)) return undefined
  const list = field.name === 'weekday' ? text.replace(/^\+/, '') : text
  for (const part of list.split(',')) {
    const mistake = partMistake(field, part)
    if (mistake !== undefined) return mistake
  }
  return undefined
}

function partMistake(field: Field, part: string): string | undefined {
  const { name, min, special } = field
  if (part === '') return 'there is nothing before or after a comma'
  if (special?.test(part)) return undefined
  // Of weekdays the second such of a month, or the last.
  const [, times = '', nth] = name === 'weekday' ? (/^(.*?)(#[1-5L]|L)?$/i.exec(part) ?? []) : ['', part]
  const [, range = '', step] = /^([^/]*)(?:\/(.*))?$/.exec(times) ?? []
  if (step !== undefined && (!/^\d+$/.test(step) || Number(step) < 1 || Number(step) > sizeOf(field) || nth))
    return `a step is a number from 1 to ${sizeOf(field)}`
  if (range === '' && step !== undefined) return `write */${step}`
  if (range === '*') return nth ? 'write the weekday before # or L' : undefined
  const [from, to, ...others] = range.split('-').map((value) => numberOf(field, value))
  const isRange = range.includes('-')
  if (from === undefined || (isRange && to === undefined) || others.length > 0)
    return `expected ${valuesOf(field)}, a range or * of them`
  if (step !== undefined && !isRange) return `write ${range}-${lastOf(field)}/${step}`
  const end = to === 0 && name === 'weekday' ? 7 : (to ?? from)
  if (end >= from) return undefined
  const [low, high] = [textOf(field, min), textOf(field, lastOf(field))]
  return `a range goes from low to high; write ${range.replace('-', `-${high},${low}-`)}`
}

/** Sunday is 0 and 7. */
function lastOf({ name, max }: Field): number {
  return name === 'weekday' ? 6 : max
}

function sizeOf(field: Field): number {
  return lastOf(field) - field.min + 1
}

function numberOf({ min, max, names = [] }: Field, text: string): number | undefined {
  const index = names.indexOf(text.toUpperCase())
  if (index >= 0) return min + index
  const number = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN
  return number >= min && number <= max ? number : undefined
}

function valuesOf({ min, max, names }: Field): string {
  return `${min} to ${max}${names ? ` or ${names[0]} to ${names.at(-1)}` : ''}`
}

function textOf({ names, min }: Field, number: number): string {
  return names?.[number - min] ?? String(number)
}
