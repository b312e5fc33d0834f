import { Cron as Croner } from 'croner'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCron } from '../../src/core/cron.ts'
import { wallTimesOf } from '../../src/core/wall-times.ts'

const START_MS = Date.UTC(2026, 1, 27, 13, 17, 23)

/** The next 10 wall times of an expression, by croner in UTC; undefined where it does not take it. */
function byCroner(cron: string): number[] | undefined {
  try {
    const job = new Croner(cron, { timezone: 'UTC', mode: '5-or-6-parts' })
    return job.nextRuns(10, new Date(START_MS)).map((date) => date.getTime())
  } catch {
    return undefined
  }
}

function byUs(cron: string): number[] | undefined {
  try {
    const times = wallTimesOf(cron)
    const found: number[] = []
    for (let ms = times.next(START_MS + 1); ms !== undefined && found.length < 10; ms = times.next(ms + 1))
      found.push(ms)
    return found
  } catch {
    return undefined
  }
}

/** The same times, found from behind. */
function backwards(cron: string, lastMs: number): number[] {
  const times = wallTimesOf(cron)
  const found: number[] = []
  let ms = times.previous(lastMs + 1)
  while (ms !== undefined && ms > START_MS) {
    found.unshift(ms)
    ms = times.previous(ms)
  }
  return found
}

const value = (min: number, max: number, words: readonly string[] = []) =>
  fc.oneof({ weight: 5, arbitrary: fc.integer({ min, max }).map(String) }, fc.constantFrom('*', ...words))
const part = (min: number, max: number, words: readonly string[] = []) =>
  fc.oneof(
    value(min, max, words),
    fc.integer({ min: 0, max: max + 2 }).map((step) => `*/${step}`),
    fc.tuple(value(min, max, words), value(min, max, words)).map(([a, b]) => `${a}-${b}`),
    fc
      .tuple(value(min, max), value(min, max), fc.integer({ min: 0, max: 9 }))
      .map(([a, b, n]) => `${a}-${b}/${n}`),
  )
const list = (arbitrary: fc.Arbitrary<string>) =>
  fc.array(arbitrary, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(','))
const days = fc.oneof(
  { weight: 3, arbitrary: part(0, 32) },
  fc.constantFrom('L', 'LW', '15W', '1W', '31W', '30W', '?'),
)
const weekdays = fc.oneof(
  { weight: 3, arbitrary: part(0, 8, ['SUN', 'mon', 'Sat', 'FRI']) },
  fc.constantFrom('MON#1', '5#5', 'FRIL', '0L', '2#3', '7#1', '6#6', '?'),
)
const expressions = fc
  .tuple(
    fc.option(list(part(-1, 60)), { freq: 3 }),
    list(part(0, 60)),
    list(part(0, 24)),
    fc.oneof(days, list(days.filter((day) => day !== 'LW'))),
    list(part(0, 13, ['JAN', 'feb', 'Dec'])),
    fc.tuple(fc.constantFrom('', '', '+'), list(weekdays)).map((parts) => parts.join('')),
  )
  .map((fields) => fields.filter((field) => field !== null).join(' '))

describe('an expression', () => {
  it('is read as croner reads it, whatever it is', () => {
    let taken = 0
    fc.assert(
      fc.property(expressions, (cron) => {
        const [theirs, found] = [byCroner(cron), byUs(cron)]
        // croner lets the end of a range pass that its steps do not reach, such as 1-13/7 of the months.
        if (found === undefined && theirs !== undefined && /-\d+\/\d/.test(cron)) return
        // What never comes is refused here, and has no runs there.
        if (theirs === undefined || theirs.length === 0) expect(found).toBeUndefined()
        else {
          expect(found).toEqual(theirs)
          expect(backwards(cron, theirs.at(-1) as number)).toEqual(theirs)
          taken += 1
        }
      }),
      { numRuns: 10_000 },
    )
    expect(taken).toBeGreaterThan(200)
  })

  it.each([
    ['0 8 * * *', true],
    ['0,30 1-5 * * *', true],
    ['0-59/15 2 * * *', true],
    ['*/10 30 2 * * *', true],
    ['@daily', true],
    ['@weekly', true],
    ['*/15 2 * * *', false],
    ['30 * * * *', false],
    ['0 */2 * * *', false],
    ['? 2 * * *', false],
    ['0 0 * * * *', false],
    ['@hourly', false],
  ])('%s: its times are fixed: %s', (cron, isFixed) => {
    expect(readCron(cron).isFixed).toBe(isFixed)
  })

  it.each([
    ['* * * *', '4 fields'],
    ['61 * * * *', 'minute: 61 is not from 0 to 59'],
    ['0 24 * * *', 'hour: 24 is not from 0 to 23'],
    ['* 60 * * * *', 'minute: 60 is not from 0 to 59'],
    ['0 0 0 * *', 'day of month: 0 is not from 1 to 31'],
    ['0 0 32W * *', 'day of month: 32 is not from 1 to 31'],
    ['0 0 * JUNE *', 'month: JUNE is not from 1 to 12'],
    ['0 0 * * 8', 'weekday: 8 is not from 0 to 7'],
    ['5/15 * * * *', 'minute: "5/15" is no *, value, range a-b, or step */n or a-b/n'],
    ['5- * * * *', 'minute: "5-" is no *, value, range a-b, or step */n or a-b/n'],
    ['*/0 * * * *', 'minute: no step of 0'],
    ['*/61 * * * *', 'minute: no step of 61'],
    ['30-10 * * * *', 'minute: 30-10 ends before it begins'],
    ['0 0 * * MON#6', 'weekday: "MON#6" is no *, value, range a-b, or step */n or a-b/n'],
    ['@reboot', 'one of @yearly @annually @monthly @weekly @daily @midnight @hourly'],
  ])('%s is refused: %s', (cron, why) => {
    expect(() => readCron(cron)).toThrow(
      `cron: expected a cron expression of 5 or 6 fields like 0 8 * * MON-FRI, got "${cron}": ${why}`,
    )
  })
})
