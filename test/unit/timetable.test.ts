import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_DST, type DstPolicy, Timetable, type TimetableSpec } from '../../src/core/time/timetable.ts'
import { slot } from '../../src/index.ts'
import { processorMs } from '../support/processor-time.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

type Given = Partial<TimetableSpec> & { readonly every?: number }
const timetable = (spec: Partial<TimetableSpec>) => new Timetable({ tz: 'UTC', dst: DEFAULT_DST, ...spec })
const berlin = (spec: Partial<TimetableSpec>) => timetable({ tz: 'Europe/Berlin', ...spec })
const at = (text: string) => Date.parse(text)

/** `key` where that is the instant too, else `key = instant`. */
function shown(made: Timetable, from: string, until: string): string[] {
  return made
    .between(at(from), at(until), 100)
    .map(({ key, dueMs }) => (at(key) === dueMs ? key : `${key} = ${new Date(dueMs).toISOString()}`))
}

describe('a gap: Berlin, 2026-03-29, from 02:00 to 03:00', () => {
  const night = (cron: string, dst: Partial<DstPolicy> = {}) =>
    shown(berlin({ cron, dst: { ...DEFAULT_DST, ...dst } }), '2026-03-28T23:30:00Z', '2026-03-29T02:00:00Z')

  it('makes a fixed time due at its end, as what was meant', () => {
    // The instant is the same: 02:30 at +01:00 would have been 03:30 at +02:00, and is due at 03:00 at +02:00.
    expect(night('30 2 * * *')).toEqual(['2026-03-29T02:30:00+01:00 = 2026-03-29T01:00:00.000Z'])
  })

  it('leaves a fixed time out where it is to be skipped', () => {
    expect(night('30 2 * * *', { gap: 'skip' })).toEqual([])
    expect(night('30 1,2,3 * * *', { gap: 'skip' })).toEqual([
      '2026-03-29T01:30:00+01:00',
      '2026-03-29T03:30:00+02:00',
    ])
  })

  it('makes each of several fixed times due, in their order', () => {
    expect(night('0,30 2,3 * * *')).toEqual([
      '2026-03-29T02:00:00+01:00',
      '2026-03-29T02:30:00+01:00 = 2026-03-29T01:00:00.000Z',
      '2026-03-29T03:00:00+02:00',
      '2026-03-29T03:30:00+02:00',
    ])
  })

  it('adds nothing to a rhythm', () => {
    for (const gap of ['skip', 'run-after'] as const) {
      expect(night('*/30 2 * * *', { gap })).toEqual([])
      expect(night('30 * * * *', { gap })).toEqual(['2026-03-29T01:30:00+01:00', '2026-03-29T03:30:00+02:00'])
    }
  })

  it('is parted by no limit', () => {
    const made = berlin({ cron: '0,30 2,3 * * *' })
    const span = [at('2026-03-29T00:00:00Z'), at('2026-03-29T02:00:00Z')] as const
    expect(made.between(...span, 1)).toHaveLength(3)
    expect(made.between(...span, 4)).toHaveLength(4)
    expect(made.between(...span, 0)).toEqual([])
    expect(made.last(at('2026-03-29T01:00:00Z'))?.key).toBe('2026-03-29T03:00:00+02:00')
  })
})

describe('an overlap: Berlin, 2026-10-25, from 02:00 to 03:00 twice', () => {
  const night = (cron: string, dst: Partial<DstPolicy> = {}) =>
    shown(berlin({ cron, dst: { ...DEFAULT_DST, ...dst } }), '2026-10-24T23:30:00Z', '2026-10-25T02:30:00Z')

  it('has a fixed time in the half that was asked for', () => {
    expect(night('30 2 * * *')).toEqual(['2026-10-25T02:30:00+02:00'])
    expect(night('30 2 * * *', { overlap: 'second' })).toEqual(['2026-10-25T02:30:00+01:00'])
    expect(night('30 2 * * *', { overlap: 'both' })).toEqual([
      '2026-10-25T02:30:00+02:00',
      '2026-10-25T02:30:00+01:00',
    ])
  })

  it('has a rhythm in both halves, which the offset tells apart', () => {
    for (const overlap of ['first', 'second', 'both'] as const)
      expect(night('0 * * * *', { overlap })).toEqual([
        '2026-10-25T02:00:00+02:00',
        '2026-10-25T02:00:00+01:00',
        '2026-10-25T03:00:00+01:00',
      ])
  })
})

describe('every', () => {
  it('counts what divides a day on the wall clock from midnight', () => {
    const kathmandu = timetable({ everyMs: 15 * MINUTE_MS, tz: 'Asia/Kathmandu' })
    expect(kathmandu.last(at('2026-11-22T07:07:00Z'))?.key).toBe('2026-11-22T12:45:00+05:45')
    expect(timetable({ everyMs: 90 * MINUTE_MS }).after(at('2026-11-22T00:00:00Z'))?.key).toBe(
      '2026-11-22T01:30:00+00:00',
    )
  })

  it('is one a day for 1d, also where midnight is left out or comes twice', () => {
    const cairo = timetable({ everyMs: DAY_MS, tz: 'Africa/Cairo' })
    expect(shown(cairo, '2026-04-22T22:00:00Z', '2026-04-24T22:00:00Z')).toEqual([
      '2026-04-24T00:00:00+02:00',
      '2026-04-25T00:00:00+03:00',
    ])
    const havana = timetable({ everyMs: DAY_MS, tz: 'America/Havana' })
    expect(shown(havana, '2026-10-31T12:00:00Z', '2026-11-02T12:00:00Z')).toEqual([
      '2026-11-01T00:00:00-04:00',
      '2026-11-02T00:00:00-05:00',
    ])
  })

  it('counts anything else in elapsed time from 1970, or from startAt', () => {
    expect(berlin({ everyMs: 7 * DAY_MS }).after(at('2026-10-24T00:00:00Z'))?.key).toBe(
      '2026-10-29T01:00:00+01:00',
    )
    const started = berlin({ everyMs: 7 * MINUTE_MS, startAtMs: at('2026-11-22T08:01:00Z') })
    expect(started.after(0)?.key).toBe('2026-11-22T09:01:00+01:00')
    expect(started.after(at('2026-11-22T08:01:00Z'))?.key).toBe('2026-11-22T09:08:00+01:00')
    expect(started.last(at('2026-11-22T08:00:59Z'))).toBeUndefined()
  })
})

describe('at', () => {
  it('is one slot', () => {
    const dueMs = at('2026-11-22T08:00:00Z')
    const once = berlin({ atMs: dueMs })
    const only = { key: '2026-11-22T09:00:00+01:00', dueMs }
    expect(once.after(dueMs - 1)).toEqual(only)
    expect(once.after(dueMs)).toBeUndefined()
    expect(once.last(dueMs)).toEqual(only)
    expect(once.last(dueMs - 1)).toBeUndefined()
    expect(once.between(0, dueMs + 1, 5)).toEqual([only])
  })

  it('keeps milliseconds in its key', () => {
    expect(timetable({ atMs: 1_500 }).after(0)?.key).toBe('1970-01-01T00:00:01.500+00:00')
  })
})

describe('startAt and endAt', () => {
  it('bound what is due, both included', () => {
    const made = timetable({
      cron: '@hourly',
      startAtMs: at('2026-11-22T08:00:00Z'),
      endAtMs: at('2026-11-22T10:00:00Z'),
    })
    const keys = ['2026-11-22T08:00:00+00:00', '2026-11-22T09:00:00+00:00', '2026-11-22T10:00:00+00:00']
    expect(shown(made, '2026-01-01T00:00:00Z', '2027-01-01T00:00:00Z')).toEqual(keys)
    expect(made.after(at('2026-11-22T10:00:00Z'))).toBeUndefined()
    expect(made.last(at('2030-01-01T00:00:00Z'))?.key).toBe(keys[2])
    expect(made.last(at('2026-11-22T07:59:59Z'))).toBeUndefined()
  })
})

describe('what is refused', () => {
  it.each([
    [{}, 'cron: expected exactly one of cron, every and at'],
    [{ cron: '@daily', everyMs: 1_000 }, 'cron: expected exactly one of cron, every and at'],
    [{ cron: '' }, /^cron: expected a cron expression of 5 or 6 fields like 0 8 \* \* MON-FRI, got ""/],
    [{ cron: '* * * *' }, /^cron: .*got "\* \* \* \*"/],
    [{ cron: '* * * * * * 2026' }, /^cron: /],
    [{ cron: '@reboot' }, /^cron: .*got "@reboot": no server knows when a machine starts$/],
    [{ cron: '60 * * * *' }, /minute "60": expected 0 to 59, a range or \* of them$/],
    [{ cron: '0 0 31 2,4 *' }, 'cron: expected a day that comes some time, got "0 0 31 2,4 *"'],
    [{ everyMs: 999 }, 'every: expected whole seconds from 1s to 366d, got "999 ms"'],
    [{ everyMs: 1_500 }, /^every: /],
    [{ everyMs: 367 * DAY_MS }, 'every: expected whole seconds from 1s to 366d, got "367 d"'],
    [{ everyMs: Number.NaN }, /^every: /],
    [{ atMs: Number.NaN }, /^at: /],
    [
      { atMs: at('9999-12-31T00:00:00Z') },
      'at: expected a time from 1000-01-03 to 9999-12-29, got "9999-12-31"',
    ],
    [
      { cron: '@daily', tz: 'Europe/Atlantis' },
      'tz: expected a time zone like Europe/Berlin, got "Europe/Atlantis"',
    ],
    [{ cron: '@daily', tz: '' }, /^tz: /],
    [{ cron: '@daily', tz: '+01:00' }, /^tz: /],
    [
      { cron: '@daily', dst: { gap: 'x' as 'skip', overlap: 'first' } },
      'dst.gap: expected skip or run-after, got "x"',
    ],
    [{ cron: '@daily', dst: { gap: 'skip', overlap: '' as 'both' } }, /^dst.overlap: /],
    [{ cron: '@daily', startAtMs: 2, endAtMs: 1 }, /^endAt: expected a time after startAt/],
  ] as [Given, string | RegExp][])('%o', (spec, message) => {
    expect(() => timetable(spec)).toThrow(message)
  })
})

describe('any timetable', () => {
  const zones = fc.constantFrom(
    'UTC',
    'Europe/Berlin',
    'America/Havana',
    'Australia/Lord_Howe',
    'Asia/Gaza',
    'Antarctica/Troll',
  )
  const field = (max: number) =>
    fc.oneof(
      fc.constant('*'),
      fc.integer({ min: 2, max: 30 }).map((step) => `*/${Math.min(step, max)}`),
      fc.integer({ min: 0, max }).map(String),
      fc
        .tuple(fc.integer({ min: 0, max }), fc.integer({ min: 0, max }))
        .map(([a, b]) => (a < b ? `${a}-${b}` : `${b},${a}`)),
    )
  const crons = fc
    .tuple(
      field(59),
      field(23),
      fc.constantFrom('*', '1', 'L', '*/3', '15W'),
      fc.constantFrom('*', '3', '4,10'),
      fc.constantFrom('*', '0', 'MON-FRI', '5L', '2#2'),
    )
    .map((fields) => ({ cron: fields.join(' ') }))
  const everies = fc.integer({ min: 60, max: 400_000 }).map((seconds) => ({ everyMs: seconds * 1_000 }))
  const policies = fc.record({
    gap: fc.constantFrom('skip', 'run-after'),
    overlap: fc.constantFrom('first', 'second', 'both'),
  }) as fc.Arbitrary<DstPolicy>
  const instants = fc.integer({ min: Date.UTC(2016, 0, 1), max: Date.UTC(2037, 0, 1) })

  it('answers after, between and last alike, with keys that are unique and in order', () => {
    fc.assert(
      fc.property(fc.oneof(crons, everies), zones, policies, instants, (times, tz, dst, fromMs) => {
        const made = timetable({ ...times, tz, dst })
        const slots = made.between(fromMs, fromMs + 400 * DAY_MS, 20)
        let beforeMs = fromMs
        for (const [index, found] of slots.entries()) {
          expect(found.dueMs).toBeGreaterThanOrEqual(beforeMs)
          if (found.dueMs > beforeMs) expect(made.after(beforeMs)).toEqual(found)
          const isLastOfInstant = slots[index + 1] !== undefined && slots[index + 1]?.dueMs !== found.dueMs
          if (isLastOfInstant) expect(made.last((slots[index + 1]?.dueMs ?? 0) - 1)).toEqual(found)
          // The key is an instant by itself, and the due one but after a gap, whose end comes before it would have been.
          expect(at(found.key)).toBeGreaterThanOrEqual(found.dueMs)
          beforeMs = found.dueMs
        }
        expect(new Set(slots.map(({ key }) => key)).size).toBe(slots.length)
      }),
      { numRuns: 400 },
    )
  })

  it('is found for 10,000 schedules within a second', async () => {
    const zones = Intl.supportedValuesOf('timeZone')
    const tookMs = await processorMs(() => {
      for (let index = 0; index < 10_000; index++) {
        const cron = `${index % 60} ${index % 24} * * ${index % 7}`
        timetable({ cron, tz: zones[index % zones.length] as string }).after(at('2026-11-22T08:00:00Z'))
      }
    })
    // It takes some 0.6 s.
    expect(tookMs).toBeLessThan(3_000)
  })
})

describe('slot() of the SDK', () => {
  it('tells the slot that is now and the next one', () => {
    expect(slot({ cron: '0 8 * * *', tz: 'Europe/Berlin', now: at('2026-11-22T07:30:00Z') })).toEqual({
      slot: '2026-11-22T08:00:00+01:00',
      at: new Date('2026-11-22T07:00:00Z'),
      next: { slot: '2026-11-23T08:00:00+01:00', at: new Date('2026-11-23T07:00:00Z') },
    })
  })

  it('takes a duration, a policy and the time that it is', () => {
    expect(slot({ every: '1h', now: new Date('2026-11-22T07:30:00Z') }).slot).toBe(
      '2026-11-22T07:00:00+00:00',
    )
    expect(slot({ every: 3_600_000, now: 0 }).slot).toBe('1970-01-01T00:00:00+00:00')
    const night = { cron: '30 2 * * *', tz: 'Europe/Berlin', now: at('2026-10-25T12:00:00Z') }
    expect(slot({ ...night, overlap: 'second' }).slot).toBe('2026-10-25T02:30:00+01:00')
    expect(Math.abs(slot({ every: '1s' }).at.getTime() - Date.now())).toBeLessThan(2_000)
  })

  it('says what is wrong', () => {
    expect(() => slot({ cron: '61 * * * *' })).toThrow(/^cron: expected/)
    expect(() => slot({ every: 'daily' })).toThrow(/^every: expected a duration/)
    expect(() => slot({})).toThrow(/^cron: expected exactly one/)
  })
})
