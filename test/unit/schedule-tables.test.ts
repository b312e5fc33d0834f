import pc from 'picocolors'
import { describe, expect, it } from 'vitest'
import { detailsText, spanText } from '../../src/cli/schedule/details.ts'
import { scheduleTable, slotTable } from '../../src/cli/schedule/tables.ts'
import { bothTimes, localTime, utcTime } from '../../src/cli/text/times.ts'
import type { RoundJson } from '../../src/core/rounds/round-wire.ts'
import { shownSchedule } from '../support/shown-schedule.ts'

const plain = pc.createColors(false)
const berlin = { tz: 'Europe/Berlin', job: { worker: 'hello' } }
const nightly = shownSchedule('cleaner', 'nightly', { ...berlin, cron: '0 2 * * *' })
const weekdays = shownSchedule('a'.repeat(60), 'weekdays', { ...berlin, cron: '0 8 1-7,15-21 * MON-FRI' })

const lines = (text: string) => text.split('\n')
const longest = (text: string) => Math.max(...lines(text).map((line) => line.length))

describe('the table of schedules', () => {
  it('has the next run in local time and in UTC', () => {
    const past = shownSchedule('cleaner', 'past', { at: '2026-01-01T00:00:00Z' })
    const paused = shownSchedule('cleaner', 'sweep', { every: '15m' }, { isPaused: true })
    const kolkata = shownSchedule('report', 'india', { cron: '30 */7 * * * *', tz: 'Asia/Kolkata' })
    expect(lines(scheduleTable([nightly, past, paused, kolkata], plain, 80))).toEqual([
      'schedule         when            next run, local             in UTC',
      'cleaner/nightly  0 2 * * *       2026-11-23 02:00 +01        2026-11-23 01:00',
      'cleaner/past     once            no more',
      'cleaner/sweep    every 15m       paused',
      'report/india     30 */7 * * * *  2026-11-22 16:35:30 +05:30  2026-11-22 11:05:30',
    ])
  })

  it('says how the last runs are or ended, where one is known', () => {
    const other = shownSchedule('cleaner', 'other', { every: '15m' }, { isPaused: true })
    const round = { system: 'cleaner', round: 'r', state: 'failed' } as RoundJson
    expect(lines(scheduleTable([nightly, other], plain, 80, new Map([[nightly, round]])))).toEqual([
      'schedule         when       next run, local       in UTC            last run',
      'cleaner/nightly  0 2 * * *  2026-11-23 02:00 +01  2026-11-23 01:00  failed',
      'cleaner/other    every 15m  paused',
    ])
  })

  it('fits a terminal, and is whole in a pipe', () => {
    const narrow = scheduleTable([nightly, weekdays], plain, 80)
    expect(longest(narrow)).toBe(80)
    expect(narrow).toContain(`${'a'.repeat(25)}…  0 8 1-7,15-…  2026-11-23 08:00 +01  2026-11-23 07:00`)
    const whole = scheduleTable([nightly, weekdays], plain)
    expect(whole).toContain(`${weekdays.system}/weekdays  0 8 1-7,15-21 * MON-FRI  2026-11-23`)
  })

  it('counts columns, not characters', () => {
    const wide = shownSchedule('掃除'.repeat(10), 'x', { every: '1h' })
    const [, row = ''] = lines(scheduleTable([wide], plain, 80))
    expect(row).toMatch(/…/)
    expect(
      [...row].reduce((width, char) => width + (/\p{Script=Han}/u.test(char) ? 2 : 1), 0),
    ).toBeLessThanOrEqual(80)
  })
})

describe('the table of slots', () => {
  const slot = {
    slot: '2027-03-28T02:30:00+01:00',
    round: 'nightly@2027-03-28T02:30:00+01:00',
    at: '2027-03-28T01:00:00.000Z',
    local: '2027-03-28T03:00:00+02:00',
  }

  it('has the day of the week, and the round', () => {
    expect(lines(slotTable([slot], plain, 80))).toEqual([
      'local                     in UTC            round',
      'Sun 2027-03-28 03:00 +02  2027-03-28 01:00  nightly@2027-03-28T02:30:00+01:00',
    ])
  })

  it('fits a terminal', () => {
    const long = { ...slot, round: `${'n'.repeat(100)}@${slot.slot}` }
    expect(longest(slotTable([long], plain, 80))).toBe(80)
    expect(slotTable([long], plain, 80)).toContain('  …nnnnnnnnn@2027-03-28T02:30:00+01:00')
    expect(slotTable([long], plain)).toContain(long.round)
  })
})

describe('a time', () => {
  const slot = (local: string) => ({ local, at: new Date(local).toISOString() })

  it('is shown as short as it can be', () => {
    expect(localTime(slot('2026-11-23T02:00:00+01:00'))).toBe('2026-11-23 02:00 +01')
    expect(localTime(slot('2026-11-23T02:00:05+05:45'))).toBe('2026-11-23 02:00:05 +05:45')
    expect(utcTime(slot('2026-11-23T02:00:05+05:45'))).toBe('2026-11-22 20:15:05')
  })

  it('is followed by what it is in UTC, unless it is the same', () => {
    expect(bothTimes(slot('2026-11-23T02:00:00+01:00'))).toBe('2026-11-23 02:00 +01 (01:00 UTC)')
    expect(bothTimes(slot('2026-11-23T00:30:00+01:00'))).toBe('2026-11-23 00:30 +01 (2026-11-22 23:30 UTC)')
    expect(bothTimes(slot('2026-11-23T02:00:00+00:00'))).toBe('2026-11-23 02:00 UTC')
  })

  it('to come is told in its two largest units', () => {
    expect([0, 999, 59_000, 61_000, 3_600_000, 50_400_000 + 60_000, 200_000_000].map(spanText)).toEqual([
      '0 s',
      '0 s',
      '59 s',
      '1 min 1 s',
      '1 h',
      '14 h 1 min',
      '2 d 7 h',
    ])
  })
})

describe('the details of a schedule', () => {
  it('are what is not as usual, and how it stands', () => {
    const schedule = {
      ...shownSchedule('cleaner', 'nightly', {
        ...berlin,
        cron: '0 2 * * *',
        overlap: 'queue',
        job: { worker: 'hello', data: { names: ['Ada'] }, attempts: 3 },
      }),
      held: 2,
      counts: { submitted: 12, skipped: 1, missed: 3 },
      last: {
        slot: '2026-11-22T02:00:00+01:00',
        round: 'nightly@2026-11-22T02:00:00+01:00',
        at: '2026-11-22T01:00:00.000Z',
        submittedAt: '2026-11-22T01:00:00.150Z',
        latenessMs: 150,
        submitted: 1,
        skipped: 0,
      },
    }
    expect(lines(detailsText(schedule, plain))).toEqual([
      'cleaner/nightly',
      '  when          0 2 * * * in Europe/Berlin',
      '  job           hello {"names":["Ada"]}',
      '  overlap       queue',
      '  job.attempts  3',
      '  next          2026-11-23 02:00 +01 (01:00 UTC), in 14 h',
      '  last          nightly@2026-11-22T02:00:00+01:00, submitted 0.1 s after its time',
      '  slots         12 submitted, 1 skipped (overlap), 3 missed (catchUp)',
      '  held          2 waiting for the round before to end',
      '  made          2026-11-22T10:00:00.000Z',
    ])
  })
})
