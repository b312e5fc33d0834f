import { Cron as Croner } from 'croner'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { wallTimesOf } from '../../src/core/time/wall-times.ts'

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

/** A part of a field; `slack` says by how much its values may be out of range. */
function part(min: number, max: number, slack: number, words: readonly string[] = []): fc.Arbitrary<string> {
  const number = fc.integer({ min: min - slack, max: max + slack })
  const value = fc.oneof({ weight: 4, arbitrary: number.map(String) }, fc.constantFrom('*', ...words))
  const range = fc
    .tuple(number, number)
    .map(([a, b]) => (slack > 0 ? `${a}-${b}` : `${Math.min(a, b)}-${Math.max(a, b)}`))
  const step = fc.integer({ min: slack > 0 ? 0 : 1, max: max - min + slack })
  return fc.oneof(
    value,
    range,
    step.map((by) => `*/${by}`),
    fc.tuple(range, step).map(([from, by]) => `${from}/${by}`),
    ...(words.length > 0 && slack > 0 ? [fc.tuple(value, value).map(([a, b]) => `${a}-${b}`)] : []),
  )
}

const list = (arbitrary: fc.Arbitrary<string>) =>
  fc.array(arbitrary, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(','))

function expressionsWith(slack: number): fc.Arbitrary<string> {
  const marked = fc.constantFrom('L', '15W', '1W', '31W', '30W')
  const days = list(fc.oneof({ weight: 3, arbitrary: part(1, 31, slack) }, marked))
  const nth = fc.constantFrom('MON#1', '5#5', 'FRIL', '0L', '2#3', '7#1', ...(slack > 0 ? ['6#6'] : []))
  const weekday = fc.oneof({ weight: 3, arbitrary: part(0, 6, slack, ['SUN', 'mon', 'Sat', 'FRI']) }, nth)
  return (
    fc
      .tuple(
        fc.option(list(part(0, 59, slack)), { freq: 3 }),
        list(part(0, 59, slack)),
        list(part(0, 23, slack)),
        fc.oneof({ weight: 5, arbitrary: days }, fc.constantFrom('LW', '?')),
        list(part(1, 12, slack, ['JAN', 'feb', 'Dec'])),
        fc.oneof(
          {
            weight: 5,
            arbitrary: fc.tuple(fc.constantFrom('', '', '+'), list(weekday)).map((parts) => parts.join('')),
          },
          fc.constant('?'),
        ),
      )
      .map((fields) => fields.filter((field) => field !== null).join(' '))
      // With "?" there, numbers of weekdays may be those of Quartz, and are refused.
      .map((cron) => cron.replace(/^((?:\S+ ){3})\?( \S+ \S+)$/, '$1*$2'))
  )
}

describe('an expression', () => {
  it.each([
    ['that is right', 0, 1_000],
    ['that may be wrong', 2, 0],
  ])('%s has the times that croner finds in it', (_, slack, enough) => {
    let taken = 0
    fc.assert(
      fc.property(expressionsWith(slack), (cron) => {
        const [theirs, found] = [byCroner(cron), byUs(cron)]
        // What never comes is refused here, and has no runs there.
        if (theirs === undefined || theirs.length === 0) expect(found).toBeUndefined()
        // Of a range that its step does not fill croner does not look at the end: 1-13/5 in the months.
        else if (found !== undefined || slack === 0) {
          expect(found).toEqual(theirs)
          expect(backwards(cron, theirs.at(-1) as number)).toEqual(theirs)
          taken += 1
        }
      }),
      { numRuns: 2_000 },
    )
    expect(taken).toBeGreaterThan(enough)
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
    ['* 2 ? * *', false],
    ['0 0 * * * *', false],
    ['@hourly', false],
  ])('%s: its times are fixed: %s', (cron, isFixed) => {
    expect(wallTimesOf(cron).isFixed).toBe(isFixed)
  })

  it.each([
    '* * * *',
    '61 * * * *',
    '0 24 * * *',
    '* 60 * * * *',
    '0 0 0 * *',
    '0 0 32W * *',
    '0 0 * JUNE *',
    '0 0 * * 8',
    '5- * * * *',
    '*/0 * * * *',
    '*/61 * * * *',
    '30-10 * * * *',
    '0 0 * * MON#6',
    '? 2 * * *',
    '@reboot',
  ])('%s is refused, with what is wrong', (cron) => {
    const rule = 'expected a cron expression of 5 or 6 fields like 0 8 * * MON-FRI'
    expect(() => wallTimesOf(cron)).toThrow(`cron: ${rule}, got "${cron}": `)
  })
})
