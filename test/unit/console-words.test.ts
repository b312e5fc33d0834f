import { expect, it } from 'vitest'
import { cronWords } from '../../src/console/lib/cron-words.ts'
import { csvOf } from '../../src/console/lib/csv.ts'
import { coming, duration, moment, relative, utc } from '../../src/console/lib/times.ts'
import { Timetable } from '../../src/core/time/timetable.ts'

const WORDS: readonly (readonly [string, string | undefined])[] = [
  ['* * * * *', 'every minute'],
  ['*/15 * * * *', 'every 15 minutes'],
  ['*/7 * * * *', undefined],
  ['0 * * * *', 'every hour at :00'],
  ['@hourly', 'every hour at :00'],
  ['5,35 * * * *', 'every hour at :05 and :35'],
  ['0 2 * * *', 'at 02:00 every day'],
  ['0 8 * * MON-FRI', 'at 08:00 Monday to Friday'],
  ['0 8 * * 1-5', 'at 08:00 Monday to Friday'],
  ['30 6,18 * * SAT,SUN', 'at 06:30 and 18:30 on Saturday and Sunday'],
  ['0 */6 * * *', 'every 6 hours at :00'],
  ['0 0 1 * *', 'at 00:00 on day 1 of the month'],
  ['0 0 1,15 1,7 *', 'at 00:00 on day 1 and 15 of January and July'],
  ['@yearly', 'at 00:00 on day 1 of January'],
  ['0 12 * 12 *', 'at 12:00 every day in December'],
  ['0 0 * * 7', 'at 00:00 on Sunday'],
  ['0 0 13 * FRI', undefined],
  ['0 0 L * *', undefined],
  ['0 0 * * FRI#2', undefined],
  ['0 0 * * FRI-MON', undefined],
  ['0-30 8 * * *', undefined],
  ['* 8 * * *', undefined],
  ['*/10 * * * * *', undefined],
  ['0 8 */2 * *', undefined],
]

it.each(WORDS)('says %s in words that few would misread, or leaves it', (cron, words) => {
  expect(cronWords(cron)).toBe(words)
})

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]
/** With and without summer time, on both sides of the line where a day begins, and off the whole hour. */
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'America/St_Johns',
]
const CLOCKS = ['0 2', '30 6,18', '5,35 8', '0 0', '59 23', '0 */6', '15 */12', '0 *', '*/15 *', '* *']
const WHEN = ['* * *', '1 * *', '1,15 1,7 *', '* * MON-FRI', '* * SAT,SUN', '* 12 3']
const CRONS = CLOCKS.flatMap((clock) => WHEN.map((days) => `${clock} ${days}`))

it(`has ${CRONS.length} expressions to compare words with slots by, and words for most`, () => {
  expect(CRONS).toHaveLength(60)
  expect(CRONS.filter((cron) => cronWords(cron) === undefined)).toEqual([])
})

/** What the words say of a day: an empty list says nothing. */
function daysSaid(words: string): readonly string[] {
  const [, from, to] = /(\w+day) to (\w+day)/.exec(words) ?? []
  if (from === undefined || to === undefined) return DAYS.filter((day) => words.includes(day))
  return DAYS.slice(DAYS.indexOf(from), DAYS.indexOf(to) + 1)
}

interface Wall {
  readonly clock: string
  readonly weekday: string
  readonly day: number
  readonly month: string
}

/** What a clock on the wall shows there. */
function wallOf(format: Intl.DateTimeFormat, ms: number): Wall {
  const parts = Object.fromEntries(format.formatToParts(ms).map(({ type, value }) => [type, value]))
  const { hour, minute, weekday = '', day, month = '' } = parts
  return { clock: `${hour}:${minute}`, weekday, day: Number(day), month }
}

/** How the words contradict a slot; undefined if they do not. */
function contradiction(words: string, { clock, weekday, day, month }: Wall): string | undefined {
  const days = daysSaid(words)
  const months = MONTHS.filter((one) => words.includes(one))
  const [, ofMonth] = /on day ([\d, and]+) of/.exec(words) ?? []
  const clocks: readonly string[] = words.match(/\b\d\d:\d\d/g) ?? []
  const minutes = [...words.matchAll(/(?<!\d):(\d\d)/g)].map(([, minute]) => minute)
  const [, everyMinutes] = /every (\d+) minutes/.exec(words) ?? []
  const [, everyHours] = /every (\d+) hours/.exec(words) ?? []
  const [hour = '', minute = ''] = clock.split(':')
  if (days.length > 0 && !days.includes(weekday)) return `${weekday} is not said`
  if (months.length > 0 && !months.includes(month)) return `${month} is not said`
  if (ofMonth && !ofMonth.split(/\D+/).includes(String(day))) return `day ${day} is not said`
  if (clocks.length > 0 && !clocks.includes(clock)) return `${clock} is not said`
  if (minutes.length > 0 && !minutes.includes(minute)) return `:${minute} is not said`
  if (everyMinutes && Number(minute) % Number(everyMinutes) > 0)
    return `:${minute} is not every ${everyMinutes}`
  if (everyHours && Number(hour) % Number(everyHours) > 0) return `${hour} is not every ${everyHours}`
  return undefined
}

it.each(ZONES)('says nothing in words that the slots contradict, in %s', (tz) => {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: tz,
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  const isSettled = (ms: number) =>
    wallOf(format, ms + 86_400_000).clock === wallOf(format, ms - 86_400_000).clock
  for (const cron of CRONS) {
    const words = cronWords(cron) ?? ''
    const timetable = new Timetable({ cron, tz, dst: { gap: 'run-after', overlap: 'first' } })
    const slots = timetable.between(Date.parse('2026-03-01T00:00:00Z'), Number.POSITIVE_INFINITY, 40)
    expect(slots.length).toBeGreaterThan(5)
    // Where the clock is put forward there is no such time, and the slot is after it.
    const told = slots.filter(({ dueMs }) => isSettled(dueMs))
    expect(
      told
        .flatMap(({ dueMs }) => contradiction(words, wallOf(format, dueMs)) ?? [])
        .map((why) => `${cron}: ${words}: ${why}`),
    ).toEqual([])
  }
})

it('writes durations and times as people read them', () => {
  expect([0, 850, 3_449, 57_000, 311_000, 5_400_000, 3_600_000, 273_600_000].map(duration)).toEqual([
    '0 ms',
    '850 ms',
    '3.4 s',
    '57 s',
    '5 min 11 s',
    '1 h 30 min',
    '1 h',
    '3 d 4 h',
  ])
  const now = Date.parse('2026-11-26T12:00:00Z')
  expect([0, -12_000, -240_000, 46_800_000, 345_600_000].map((apart) => relative(now + apart, now))).toEqual([
    'now',
    '12s ago',
    '4m ago',
    'in 13h',
    'in 4d',
  ])
})

it.each([
  ['Europe/Berlin', '2026-10-25T00:30:00Z', '25 Oct 02:30:00'],
  ['Europe/Berlin', '2026-10-25T01:30:00Z', '25 Oct 02:30:00'],
  ['Europe/Berlin', '2026-03-29T01:00:00Z', '29 Mar 03:00:00'],
  ['Asia/Kolkata', '2026-11-25T23:59:59Z', '05:29:59'],
  ['UTC', '2025-11-26T23:59:59Z', '26 Nov 2025 23:59:59'],
])('shows a moment in %s as its clocks do: %s', (zone, at, text) => {
  expect(moment(Date.parse(at), zone, Date.parse('2026-11-26T12:00:00Z'))).toBe(text)
})

it('names the day of what is to come, and UTC for titles', () => {
  expect(coming(Date.parse('2026-11-27T01:00:00Z'), 'Europe/Berlin')).toBe('Fri 27 Nov 02:00')
  expect(utc(Date.parse('2026-11-27T01:00:00.250Z'))).toBe('2026-11-27 01:00:00.25 UTC')
})

it('writes files that no spreadsheet takes for formulas, and that can be read back', () => {
  const columns = [
    { title: 'a', of: ({ a }: { a: string; b: number }) => a },
    { title: 'b', of: ({ b }: { a: string; b: number }) => b },
  ]
  const rows = ['=1+1', '+1', '-1', '@x', '\tx', 'say "hi", then\ngo', 'plain'].map((a) => ({ a, b: -1 }))
  expect(csvOf(columns, rows)).toBe(
    'a,b\r\n\'=1+1,-1\r\n\'+1,-1\r\n\'-1,-1\r\n\'@x,-1\r\n\'\tx,-1\r\n"say ""hi"", then\ngo",-1\r\nplain,-1\r\n',
  )
})
