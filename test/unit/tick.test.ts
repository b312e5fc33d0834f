import { describe, expect, it } from 'vitest'
import { jitterOf, packSpec, type Schedule, unpackSpec } from '../../src/core/schedules/schedule.ts'
import { readScheduleBody } from '../../src/core/schedules/schedule-body.ts'
import { fullBody } from '../../src/core/schedules/schedule-wire.ts'
import { accounted, arrivalsOf, submitted, wakeOf } from '../../src/core/schedules/tick.ts'
import { type Slot, Timetable } from '../../src/core/time/timetable.ts'
import { processorMs } from '../support/processor-time.ts'

const T0 = Date.parse('2026-11-22T08:00:00Z')
const MINUTE = 60_000

function scheduleOf(body: object, more: Partial<Schedule> = {}): Schedule {
  return {
    spec: readScheduleBody({ cron: '* * * * *', ...body }, 'shop'),
    isPaused: false,
    createdAtMs: T0,
    updatedAtMs: T0,
    expectedSinceMs: T0,
    cursorMs: T0,
    held: [],
    lastSkipped: 0,
    counts: { submitted: 0, skipped: 0, missed: 0 },
    leftOut: [],
    ...more,
  }
}

const timetableOf = ({ spec }: Schedule) => new Timetable(spec.timing)
const arrivals = (schedule: Schedule, nowMs: number) => arrivalsOf(schedule, timetableOf(schedule), nowMs)
const minutes = (slots: readonly Slot[]) => slots.map(({ dueMs }) => (dueMs - T0) / MINUTE)

describe('what has come since the cursor', () => {
  it('is each slot after it up to now, and none at the cursor itself', () => {
    const schedule = scheduleOf({})
    expect(arrivals(schedule, T0 + MINUTE - 1)).toEqual({ slots: [], missed: 0 })
    expect(minutes(arrivals(schedule, T0 + MINUTE).slots)).toEqual([1])
    expect(minutes(arrivals(schedule, T0 + 3 * MINUTE + 5).slots)).toEqual([1, 2, 3])
  })

  it('is at most the newest max of it, the rest is missed', () => {
    const schedule = scheduleOf({ catchUp: { max: 2 } })
    const { slots, missed } = arrivals(schedule, T0 + 30 * MINUTE)
    expect([minutes(slots), missed]).toEqual([[29, 30], 28])
  })

  it('is nothing older than the window, which is never so small that a punctual slot is too old', () => {
    const wide = arrivals(scheduleOf({ catchUp: { window: '10m', max: 100 } }), T0 + 30 * MINUTE)
    expect([minutes(wide.slots), wide.missed]).toEqual([[20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30], 19])
    const none = scheduleOf({ catchUp: { window: '0' } })
    expect(arrivals(none, T0 + MINUTE + 8_000)).toMatchObject({ slots: [{ dueMs: T0 + MINUTE }], missed: 0 })
    expect(arrivals(none, T0 + MINUTE + 11_000)).toEqual({ slots: [], missed: 1 })
  })

  it('is bounded work, however long ago the cursor is', async () => {
    const schedule = scheduleOf({ cron: '* * * * * *', catchUp: { window: '30d', max: 1_000 } })
    const tookMs = await processorMs(() => {
      const { slots, missed } = arrivals(schedule, T0 + 365 * 86_400_000)
      expect(slots).toHaveLength(1_000)
      expect(missed).toBeGreaterThanOrEqual(10_000)
    })
    expect(tookMs).toBeLessThan(2_000)
  })

  it('counts what the end of a gap brings at one instant', () => {
    const body = { cron: '0,20,40 2 * * *', tz: 'Europe/Berlin', catchUp: { max: 2 } }
    const cursorMs = Date.parse('2026-03-28T12:00:00Z')
    const schedule = scheduleOf(body, { cursorMs })
    const { slots, missed } = arrivals(schedule, Date.parse('2026-03-29T01:00:00Z'))
    expect([slots.map(({ key }) => key), missed]).toEqual([
      ['2026-03-29T02:20:00+01:00', '2026-03-29T02:40:00+01:00'],
      1,
    ])
  })
})

describe('accounting', () => {
  const slots = [1, 2, 3].map((n) => ({ key: `k${n}`, dueMs: T0 + n * MINUTE }))
  const account = (body: object, isBusy: boolean, more: Partial<Schedule> = {}) => {
    const schedule = scheduleOf(body, more)
    const after = accounted(
      schedule,
      { slots, missed: 4 },
      timetableOf(schedule),
      T0 + 3 * MINUTE + 1,
      isBusy,
    )
    return { keys: after.held.map(({ key }) => key), skipped: after.counts.skipped, after }
  }

  it.each([
    ['allow', false, ['k1', 'k2', 'k3'], 0],
    ['allow', true, ['k1', 'k2', 'k3'], 0],
    ['skip', false, ['k1'], 2],
    ['skip', true, [], 3],
    ['queue', true, ['k2', 'k3'], 1],
    ['cancel-previous', true, ['k3'], 2],
  ])('by the policy %s, busy %s, holds %j and skips %i', (overlap, isBusy, keys, skipped) => {
    const found = account({ overlap, catchUp: { max: 2 } }, isBusy)
    expect([found.keys, found.skipped]).toEqual([keys, skipped])
    const left = slots.filter(({ key }) => !keys.includes(key)).map((slot) => ({ ...slot, why: 'skipped' }))
    expect(found.after.leftOut).toEqual(left)
    expect(found.after).toMatchObject({
      cursorMs: T0 + 3 * MINUTE + 1,
      next: { dueMs: T0 + 4 * MINUTE },
      counts: { missed: 4 },
      lastSkipped: skipped + 4,
    })
  })

  it('names the newest slots that are left out, however many those are', () => {
    const schedule = scheduleOf({ catchUp: { max: 2 } })
    const names = (after: Schedule) => after.leftOut.map(({ dueMs, why }) => [(dueMs - T0) / MINUTE, why])
    const tick = (before: Schedule, nowMs: number) =>
      accounted(before, arrivals(before, nowMs), timetableOf(before), nowMs, false)
    const few = tick(schedule, T0 + 5 * MINUTE)
    expect(names(few)).toEqual([1, 2, 3].map((minute) => [minute, 'missed']))
    const hour = tick(few, T0 + 65 * MINUTE)
    expect(names(hour)).toEqual(Array.from({ length: 30 }, (_, index) => [34 + index, 'missed']))
    const year = tick(schedule, T0 + 365 * 86_400_000)
    expect(year.leftOut).toHaveLength(30)
    expect(names(year).at(-1)).toEqual([365 * 24 * 60 - 2, 'missed'])
  })

  it('ends in a last slot with what was left out since the one before', () => {
    const { after } = account({}, false)
    const first = submitted(after, [{ slot: slots[0] as Slot, atMs: T0 + MINUTE + 7 }])
    expect(first).toMatchObject({
      held: slots.slice(1),
      last: { key: 'k1', submittedAtMs: T0 + MINUTE + 7, submitted: 1, skipped: 4 },
      lastSkipped: 0,
      counts: { submitted: 1, missed: 4 },
    })
    expect(submitted(first, [])).toBe(first)
  })
})

describe('a schedule wants to be ticked', () => {
  const next = { key: 'n', dueMs: T0 + MINUTE }

  it('when its next slot comes, or soon where slots are held, and while it is paused only then', () => {
    expect(wakeOf(scheduleOf({}, { next }), T0)).toBe(T0 + MINUTE)
    expect(wakeOf(scheduleOf({}, { next, held: [next] }), T0)).toBe(T0 + 1_000)
    expect(wakeOf(scheduleOf({}, { next, isPaused: true }), T0)).toBeUndefined()
    expect(wakeOf(scheduleOf({}, { next, held: [next], isPaused: true }), T0)).toBe(T0 + 1_000)
    expect(wakeOf(scheduleOf({}), T0)).toBeUndefined()
  })
})

describe('jitter', () => {
  it('is the same whoever computes it, within its bound, and spread over it', () => {
    const delays = Array.from({ length: 1_000 }, (_, n) => jitterOf({ system: 's', round: `r${n}` }, 1_000))
    expect(delays).toEqual(
      Array.from({ length: 1_000 }, (_, n) => jitterOf({ system: 's', round: `r${n}` }, 1_000)),
    )
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_000)
    expect(delays.reduce((sum, each) => sum + each, 0) / 1_000).toSatisfy(
      (mean) => Number(mean) > 450 && Number(mean) < 550,
    )
    expect(jitterOf({ system: 's', round: 'r' }, 0)).toBe(0)
  })
})

describe('a body', () => {
  it.each([
    [{ cron: '@hourly' }],
    [{ every: '90s', startAt: '2026-01-01T00:00:00Z' }],
    [{ at: '2026-01-01T00:00:00+01:00', tz: 'Europe/Berlin' }],
    [
      {
        cron: '0 0 L * *',
        dst: { gap: 'skip', overlap: 'both' },
        jitter: '90s',
        catchUp: { window: '0', max: 1 },
        overlap: 'queue',
        job: { worker: 'w', data: [null], backoff: { type: 'exponential', delay: '1500ms' }, deadline: '1d' },
        expect: { grace: '5m' },
      },
    ],
  ])('%j is the same schedule when it is stored and read, and when it is shown and put again', (body) => {
    const spec = readScheduleBody(body, 'shop')
    expect(unpackSpec(packSpec(spec, 'shop'), 'shop')).toEqual(spec)
    expect(readScheduleBody(fullBody(spec), 'shop')).toEqual(spec)
  })
})
