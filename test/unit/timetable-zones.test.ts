import { beforeAll, describe, expect, it } from 'vitest'
import { type DstPolicy, type Slot, Timetable } from '../../src/core/time/timetable.ts'
import { Zone } from '../../src/core/time/zone.ts'
import { ALL_ZONES, transitionsOf, wallClock, type ZoneTransition } from '../support/zones.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const FROM_MS = Date.UTC(2016, 0, 1)
const UNTIL_MS = Date.UTC(2037, 0, 1)
const SKEW_MS = 30_000

const POLICIES: readonly DstPolicy[] = (['run-after', 'skip'] as const).flatMap((gap) =>
  (['first', 'second', 'both'] as const).map((overlap) => ({ gap, overlap })),
)
/** Each quarter of an hour, once as times of day and once as a rhythm. */
const FIXED = '0,15,30,45 0-23 * * *'
const RHYTHM = '*/15 * * * *'

let transitions: readonly ZoneTransition[]

beforeAll(() => {
  transitions = ALL_ZONES.flatMap((zone) => transitionsOf(zone, FROM_MS, UNTIL_MS))
})

/** Zones share transitions, and what is expected of one depends on nothing but its instant and its offsets. */
const expected = new Map<string, unknown>()
function expectedOf<T>(kind: string, { atMs, beforeMs, afterMs }: ZoneTransition, find: () => T): T {
  const key = [kind, atMs, beforeMs, afterMs].join()
  const found = expected.has(key) ? (expected.get(key) as T) : find()
  expected.set(key, found)
  return found
}

/** Around a transition, so wide that the largest shift of an hour or three is well inside. */
const reach = ({ atMs }: ZoneTransition) => [atMs - 5 * HOUR_MS, atMs + 5 * HOUR_MS] as const

const near = ({ atMs }: ZoneTransition) => [atMs - 2 * HOUR_MS, atMs + 2 * HOUR_MS] as const

function offsetText(ms: number): string {
  const minutes = Math.abs(ms) / MINUTE_MS
  const two = (number: number) => String(number).padStart(2, '0')
  return `${ms < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

function slotOf(wallMs: number, offsetMs: number, dueMs = wallMs - offsetMs): Slot {
  return { key: `${new Date(wallMs).toISOString().slice(0, 19)}${offsetText(offsetMs)}`, dueMs }
}

interface WallTime {
  readonly wallMs: number
  /** Those under which the clock shows it. */
  readonly offsets: readonly number[]
}

/** Each quarter of an hour of the wall clock. */
function wallTimes(transition: ZoneTransition, wall: (ms: number) => number): WallTime[] {
  const { beforeMs, afterMs } = transition
  const [fromMs, untilMs] = reach(transition)
  const times: WallTime[] = []
  const [earliestMs, latestMs] = [fromMs + Math.min(beforeMs, afterMs), untilMs + Math.max(beforeMs, afterMs)]
  const firstMs = Math.ceil(earliestMs / (15 * MINUTE_MS)) * 15 * MINUTE_MS
  for (let wallMs = firstMs; wallMs <= latestMs; wallMs += 15 * MINUTE_MS) {
    const offsets = [beforeMs, afterMs].filter((offsetMs) => wall(wallMs - offsetMs) === wallMs)
    times.push({ wallMs, offsets })
  }
  return times
}

/** The rule as `docs/schedules.md` states it, a wall time at a time. */
function fixedByRule(transition: ZoneTransition, times: readonly WallTime[], dst: DstPolicy): Slot[] {
  const { atMs, beforeMs } = transition
  const [fromMs, untilMs] = reach(transition)
  const slots: Slot[] = []
  for (const { wallMs, offsets } of times) {
    const [first, second] = offsets
    if (first === undefined) {
      if (dst.gap === 'run-after') slots.push(slotOf(wallMs, beforeMs, atMs))
    } else if (second === undefined || dst.overlap !== 'second') slots.push(slotOf(wallMs, first))
    if (second !== undefined && dst.overlap !== 'first') slots.push(slotOf(wallMs, second))
  }
  return slots
    .filter(({ dueMs }) => dueMs > fromMs && dueMs <= untilMs)
    .sort((a, b) => a.dueMs - b.dueMs || (a.key < b.key ? -1 : 1))
}

/** A minute at a time: whatever the clock shows. */
function rhythmByClock(transition: ZoneTransition, wall: (ms: number) => number): Slot[] {
  const [fromMs, untilMs] = reach(transition)
  const slots: Slot[] = []
  for (let dueMs = Math.floor(fromMs / MINUTE_MS + 1) * MINUTE_MS; dueMs <= untilMs; dueMs += MINUTE_MS) {
    const wallMs = wall(dueMs)
    if (wallMs % (15 * MINUTE_MS) === 0) slots.push(slotOf(wallMs, wallMs - dueMs, dueMs))
  }
  return slots
}

/** A line each, since thousands of them are compared. */
const shown = (slots: readonly (Slot | undefined)[]) =>
  slots.map((slot) => slot && `${slot.key} due ${slot.dueMs}`).join('\n')

const timetables = new Map<string, Timetable>()
function timetableOf(cron: string, tz: string, dst: DstPolicy): Timetable {
  const key = [cron, tz, dst.gap, dst.overlap].join()
  const timetable = timetables.get(key) ?? new Timetable({ cron, tz, dst })
  timetables.set(key, timetable)
  return timetable
}

const clocks = new Map<string, (ms: number) => number>()
function clockOf(zone: string): (ms: number) => number {
  const clock = clocks.get(zone) ?? wallClock(zone)
  clocks.set(zone, clock)
  return clock
}

describe('every transition of every zone from 2016 to 2036', () => {
  it('is known to the zone, and no other', () => {
    expect(transitions.length).toBeGreaterThan(5_000)
    for (const zone of ALL_ZONES) {
      const known = Zone.named(zone)
        .transitions(FROM_MS, UNTIL_MS)
        .map((transition) => ({ zone, ...transition }))
      expect(known).toEqual(transitions.filter((transition) => transition.zone === zone))
    }
  })

  it('makes of fixed times what each policy says', () => {
    for (const [index, transition] of transitions.entries()) {
      const wall = clockOf(transition.zone)
      const times = expectedOf('walls', transition, () => wallTimes(transition, wall))
      const [fromMs, untilMs] = reach(transition)
      // Each transition by two policies, each zone by all of them.
      for (const dst of [POLICIES[index % 6], POLICIES[(index + 4) % 6]] as DstPolicy[]) {
        const slots = timetableOf(FIXED, transition.zone, dst).between(fromMs, untilMs, 1_000)
        const wanted = fixedByRule(transition, times, dst)
        expect(shown(slots), `${transition.zone} ${JSON.stringify(dst)}`).toBe(shown(wanted))
      }
    }
  })

  it('makes of a rhythm what the clock shows, whatever the policy', () => {
    for (const [index, transition] of transitions.entries()) {
      const [fromMs, untilMs] = reach(transition)
      const dst = POLICIES[index % 6] as DstPolicy
      const slots = timetableOf(RHYTHM, transition.zone, dst).between(fromMs, untilMs, 1_000)
      const wall = clockOf(transition.zone)
      const wanted = expectedOf('rhythm', transition, () => shown(rhythmByClock(transition, wall)))
      expect(shown(slots), transition.zone).toBe(wanted)
    }
  })

  it('leaves one key a slot: none twice, none that two ways of asking disagree on', () => {
    for (const [index, transition] of transitions.entries()) {
      const [fromMs, untilMs] = near(transition)
      const dst = POLICIES[index % 6] as DstPolicy
      const cron = index % 2 === 0 ? FIXED : RHYTHM
      const timetable = timetableOf(cron, transition.zone, dst)
      const slots = timetable.between(fromMs, untilMs, 1_000)
      // Those that are due together, at the end of a gap, count as one step.
      const steps = slots.filter(({ dueMs }, at) => dueMs !== slots[at - 1]?.dueMs)
      const latest = slots.filter(({ dueMs }, at) => dueMs !== slots[at + 1]?.dueMs)
      const starts = [fromMs, ...steps.slice(0, -1).map(({ dueMs }) => dueMs)]
      const cutMs = (steps[steps.length >> 1] as Slot).dueMs
      expect({
        keys: new Set(slots.map(({ key }) => key)).size,
        afterTheLast: shown(starts.map((ms) => timetable.after(ms))),
        afterTheMsBefore: shown(steps.map(({ dueMs }) => timetable.after(dueMs - 1))),
        last: shown(steps.map(({ dueMs }) => timetable.last(dueMs))),
        inTwoParts: shown([
          ...timetable.between(fromMs, cutMs, 1_000),
          ...timetable.between(cutMs, untilMs, 1_000),
        ]),
      }).toEqual({
        keys: slots.length,
        afterTheLast: shown(steps),
        afterTheMsBefore: shown(steps),
        last: shown(latest),
        inTwoParts: shown(slots),
      })
    }
  })

  it('is the same to replicas whose clocks are up to 30 s apart, whenever they started', () => {
    for (const [index, transition] of transitions.entries()) {
      if (index % 3 !== 0) continue
      const spec = { cron: FIXED, tz: transition.zone, dst: POLICIES[index % 6] as DstPolicy }
      const keys = [-SKEW_MS, -1, SKEW_MS].map((skewMs, replica) => {
        // Each its own timetable; each asks for the next slot when its own clock says that the last has come.
        const timetable = new Timetable(spec)
        const slots: Slot[] = []
        let nowMs = transition.atMs - 3 * HOUR_MS - replica * 7 * MINUTE_MS + skewMs
        while (nowMs < transition.atMs + 3 * HOUR_MS) {
          const next = timetable.after(nowMs) as Slot
          slots.push(...timetable.between(nowMs, next.dueMs, 1_000))
          nowMs = next.dueMs
        }
        const [fromMs, untilMs] = near(transition)
        return slots.filter(({ dueMs }) => dueMs >= fromMs && dueMs <= untilMs).map(({ key }) => key)
      })
      expect(keys[0]?.length).toBeGreaterThan(4)
      expect(keys.slice(1)).toEqual([keys[0], keys[0]])
    }
  })
})
