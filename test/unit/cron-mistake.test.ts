import { CronPattern } from 'croner'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cronMistake } from '../../src/core/time/cron-mistake.ts'
import { DEFAULT_DST, Timetable } from '../../src/core/time/timetable.ts'

const NAMES = [
  'SUN',
  'MON',
  'JAN',
  'dec',
  'MON-FRI',
  'FRI-MON',
  'MON-SUN',
  'SAT-SUN',
  'JAN-MAR',
  'MONDAY',
  'FRIL',
  'MON#2',
  'MON#6',
]
const PARTS = [
  ...[
    '*',
    '?',
    '*/2',
    '*/60',
    '*/61',
    '*/0',
    '/2',
    '5/2',
    '1-5',
    '5-1',
    '1-5/2',
    '1-',
    '-1',
    '1--2',
    '1-5L',
    '1-3#2',
    '*/2#1',
    '1#L',
  ],
  ...[
    '0',
    '1',
    '5',
    '7',
    '8',
    '12',
    '13',
    '23',
    '24',
    '31',
    '32',
    '59',
    '60',
    '007',
    'L',
    'LW',
    '15W',
    '32W',
    '0W',
    '5L',
    'L-3',
    '+1',
    'a',
    '',
  ],
]
const part = fc.constantFrom(...PARTS, ...NAMES)
const field = fc.oneof(
  { weight: 4, arbitrary: fc.constant('*') },
  { weight: 2, arbitrary: part },
  { weight: 1, arbitrary: fc.array(part, { minLength: 2, maxLength: 3 }).map((parts) => parts.join(',')) },
)
const expressions = fc.array(field, { minLength: 5, maxLength: 6 }).map((fields) => fields.join(' '))

/** What ours says of each instant of some days, by the fields of croner. */
const slotsOf = (cron: string) =>
  new Timetable({ cron, tz: 'UTC', dst: DEFAULT_DST }).between(Date.UTC(2026, 0, 1), Date.UTC(2026, 2, 1), 20)

describe('a cron expression', () => {
  it('is taken only where croner, which reads it, takes it too', () => {
    fc.assert(
      fc.property(expressions, (cron) => {
        if (cronMistake(cron) === undefined) new CronPattern(cron, undefined, { mode: '5-or-6-parts' })
      }),
      { numRuns: 20_000 },
    )
  })

  it.each([
    ...[
      '0 8 * * *',
      '0 0 8 * * *',
      '*/5 * * * *',
      '0,30 1-5 * * *',
      '5-59/15 * * * *',
      '00 08 01 01 *',
      '  0   8 * * *  ',
    ],
    ...[
      '0 8 * JAN-mar,12 Mon-FRI',
      '0 8 * * SAT-SUN',
      '0 8 * * 5-7',
      '0 8 * * 0,7',
      '0 8 L * *',
      '0 8 LW * *',
      '0 8 1,15W * *',
    ],
    ...[
      '0 8 * * MON#2',
      '0 8 * * 5L',
      '0 8 * * FRIL',
      '0 8 1-7 * +MON',
      '0 8 1-7 * MON',
      '@daily',
      '@HOURLY',
      ' @weekly ',
    ],
    // The question mark of robfig, Kubernetes, Spring and Quartz.
    ...['0 8 ? * *', '0 8 * * ?', '0 8 ? * 1-5', '0 0 8 ? * MON-FRI', '0 0 8 1 * ?', '0 0 8 ? * 0-4'],
  ])('%j is taken', (cron) => {
    expect(cronMistake(cron)).toBeUndefined()
    expect(slotsOf(cron).length).toBeGreaterThan(0)
  })

  it.each([
    ['', 'it has no fields'],
    ['8', 'it has 1 fields'],
    ['0 8 * *', 'it has 4 fields'],
    ['60 * * * *', 'minute "60": expected 0 to 59'],
    ['0 24 * * *', 'hour "24": expected 0 to 23'],
    ['60 0 8 * * *', 'second "60": expected 0 to 59'],
    ['0 8 0 * *', 'day of the month "0": expected 1 to 31'],
    ['0 8 * 0 *', 'month "0": expected 1 to 12 or JAN to DEC'],
    ['0 8 * MON *', 'month "MON": expected 1 to 12 or JAN to DEC'],
    ['0 8 * * 8', 'weekday "8": expected 0 to 7 or SUN to SAT'],
    ['0 8 * * MONDAY', 'weekday "MONDAY": expected 0 to 7 or SUN to SAT'],
    ['0 8 * * MON#6', 'weekday "MON#6": expected'],
    ['0 8 L-3 * *', 'day of the month "L-3": expected'],
    ['0 8 1.5 * *', 'day of the month "1.5": expected'],
    ['٠ 8 * * *', 'minute "٠": expected 0 to 59'],
    ['1,,2 8 * * *', 'minute "1,,2": there is nothing before or after a comma'],
    ['*/0 * * * *', 'minute "*/0": a step is a number from 1 to 60'],
    ['*/90 * * * *', 'minute "*/90": a step is a number from 1 to 60'],
    ['5/15 * * * *', 'minute "5/15": write 5-59/15'],
    ['/15 * * * *', 'minute "/15": write */15'],
    ['0 22-2 * * *', 'hour "22-2": a range goes from low to high; write 22-23,0-2'],
    ['0 8 * * FRI-MON', 'weekday "FRI-MON": a range goes from low to high; write FRI-SAT,SUN-MON'],
    ['0 8 * NOV-FEB *', 'month "NOV-FEB": a range goes from low to high; write NOV-DEC,JAN-FEB'],
    ['? 8 * * *', 'minute "?": "?" stands for a day of the month or a weekday only'],
    ['0 ? * * *', 'hour "?": "?" stands for'],
    ['0 8 * ? *', 'month "?": "?" stands for'],
    ['0 8 ?/2 * *', 'day of the month "?/2": "?" stands alone'],
    ['@noon', 'there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly'],
  ])('%j is refused: %s', (cron, why) => {
    expect(cronMistake(cron)?.slice(0, why.length)).toBe(why)
  })
})

describe('what others write and reads here as something else', () => {
  it.each([
    ['AWS', '0 8 * * ? *', 'AWS writes the minute first and a year last; here it is "0 8 * * *"'],
    ['AWS', '0 8 ? * 2-6 *', 'AWS writes the minute first and a year last; here it is "0 8 * * MON-FRI"'],
    ['AWS', '0 8 ? * 6#3 *', 'AWS writes the minute first and a year last; here it is "0 8 * * FRI#3"'],
    [
      'AWS',
      '0/15 8 ? * MON-FRI 2027',
      'AWS writes the minute first and a year last; here it is "0/15 8 * * MON-FRI"; a year',
    ],
    ['AWS', 'cron(0 8 * * ? *)', 'AWS writes the minute first and a year last; here it is "0 8 * * *"'],
    ['AWS', 'rate(5 minutes)', 'write every in place of cron'],
    [
      'Quartz',
      '0 0 8 ? * 2-6',
      'Quartz counts weekdays from Sunday as 1, others from 0; write MON-FRI or TUE-SAT in place of 2-6',
    ],
    [
      'Quartz',
      '0 0 8 ? * 6L',
      'Quartz counts weekdays from Sunday as 1, others from 0; write FRIL or SATL in place of 6L',
    ],
    ['Quartz', '0 0 8 ? * 6#3 *', 'Quartz counts weekdays'],
    ['Quartz', '0 0 8 ? * MON-FRI 2027', 'a year is not taken; leave it out, and set startAt and endAt'],
    ['Quartz', '0 0/5 * * * ?', 'minute "0/5": write 0-59/5'],
    ['robfig', '@every 1h30m', 'write every in place of cron, as in 15m, 1h or 90m'],
    ['robfig', 'CRON_TZ=Europe/Berlin 0 8 * * *', 'the zone goes into tz'],
    ['robfig', 'TZ=UTC 0 8 * * *', 'the zone goes into tz'],
    ['fugit', '0 8 * * * Europe/Berlin', 'the zone goes into tz'],
    ['fugit', 'every day at noon', 'it has 4 fields'],
    ['Jenkins', 'H 8 * * *', 'H is of Jenkins; write a time, and a jitter'],
    ['Jenkins', 'H/15 * * * *', 'H is of Jenkins'],
    ['Jenkins', 'H(0-29) 8 * * *', 'H is of Jenkins'],
    ['OpenBSD', '0~30 8 * * *', '"~" is of OpenBSD; write a time, and a jitter'],
    ['systemd', 'Mon..Fri *-*-* 08:00:00', 'it has 3 fields'],
    ['a crontab', '0 8 * * * /usr/bin/backup', 'a command is not part of it'],
    ['a crontab', '0 8 * * * root backup --all', 'a command is not part of it'],
    ['a crontab', '@reboot', 'no server knows when a machine starts'],
  ])('%s: %s', (_, cron, why) => {
    expect(cronMistake(cron)?.slice(0, why.length)).toBe(why)
    expect(() => new Timetable({ cron, tz: 'UTC', dst: DEFAULT_DST })).toThrow(
      `got ${JSON.stringify(cron)}: ${why}`,
    )
  })
})
