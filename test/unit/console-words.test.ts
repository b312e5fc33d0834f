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

it.each(WORDS.filter(([, words]) => words?.startsWith('at ')))(
  'does not contradict the slots of %s',
  (cron, words = '') => {
    const begin = Date.parse('2026-11-26T00:00:00Z')
    const slots = new Timetable({ cron, tz: 'UTC', dst: { gap: 'run-after', overlap: 'first' } }).between(
      begin,
      Number.POSITIVE_INFINITY,
      60,
    )
    expect(slots.length).toBeGreaterThan(10)
    for (const { dueMs } of slots) {
      const at = new Date(dueMs)
      expect(words).toContain(at.toISOString().slice(11, 16))
      const named = DAYS.filter((day) => words.includes(day))
      const isRange = words.includes(' to ')
      if (named.length > 0 && !isRange) expect(named).toContain(DAYS[at.getUTCDay()])
      if (isRange) expect([1, 2, 3, 4, 5]).toContain(at.getUTCDay())
    }
  },
)

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
