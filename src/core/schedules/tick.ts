import type { Slot, Timetable } from '../time/timetable.ts'
import { type LeftOutSlot, MAX_LEFT_OUT, ON_TIME_MS, type Schedule, type ScheduleSpec } from './schedule.ts'

/** Slots that were missed are counted up to so many at a time, and are more after that. */
const MAX_COUNTED = 10_000
/** How soon a schedule looks again whether the round has ended that keeps its slots waiting. */
export const HOLD_MS = 1_000

/** The slots that have come since the cursor. */
export interface Arrivals {
  /** To be submitted as the overlap policy says, oldest first. */
  readonly slots: readonly Slot[]
  /** How many are too old or too many to be made up for. */
  readonly missed: number
}

/** What has come at `nowMs`, as the catch-up policy has it: nothing older than its window, and of that the newest `max`. */
export function arrivalsOf({ spec, cursorMs }: Schedule, timetable: Timetable, nowMs: number): Arrivals {
  const { windowMs, max } = spec.catchUp
  const fromMs = Math.max(cursorMs, nowMs - Math.max(windowMs, ON_TIME_MS) - 1)
  const found = timetable.between(fromMs, nowMs, max + 1)
  const slots = found.length > max ? newest(timetable, fromMs, nowMs, max) : found
  const first = slots[0]
  if (fromMs === cursorMs && slots === found) return { slots, missed: 0 }
  const missed = timetable.between(cursorMs, first ? first.dueMs - 1 : nowMs, MAX_COUNTED).length
  return { slots, missed: missed + sameInstantLeftOut(timetable, first, slots) }
}

function newest(timetable: Timetable, fromMs: number, untilMs: number, max: number): readonly Slot[] {
  let atMs = untilMs
  for (let count = 0; count < max; count += 1) {
    const slot = timetable.last(atMs)
    if (slot === undefined || slot.dueMs <= fromMs) break
    atMs = slot.dueMs - 1
  }
  return timetable.between(atMs, untilMs, Number.POSITIVE_INFINITY).slice(-max)
}

/** The end of a gap can be the instant of several slots, of which the bound may take a part. */
function sameInstantLeftOut(timetable: Timetable, first: Slot | undefined, slots: readonly Slot[]): number {
  if (first === undefined) return 0
  const { dueMs } = first
  const taken = slots.filter((slot) => slot.dueMs === dueMs).length
  return timetable.between(dueMs - 1, dueMs, Number.POSITIVE_INFINITY).length - taken
}

/**
 * The schedule once its arrivals are accounted for: those that are to be submitted are held until they are.
 *
 * @param isBusy whether the last slot's round has not ended; it matters to the overlap policy `skip` alone
 */
export function accounted(
  schedule: Schedule,
  arrivals: Arrivals,
  timetable: Timetable,
  nowMs: number,
  isBusy: boolean,
): Schedule {
  const { slots, missed } = arrivals
  const held = heldOf(schedule, slots, isBusy)
  const skipped = [...schedule.held, ...slots].filter((slot) => !held.includes(slot))
  const { next: _, ...rest } = schedule
  const next = timetable.after(nowMs)
  const tooOld = { missed, newest: missedOf(schedule, arrivals, timetable, nowMs) }
  return { ...without(rest, skipped, tooOld), cursorMs: nowMs, ...(next && { next }), held }
}

/** The schedule with the newest of its held slots alone, as `cancel-previous` has it of those that come at once. */
export function newestHeld(schedule: Schedule): Schedule {
  return { ...without(schedule, schedule.held.slice(0, -1)), held: schedule.held.slice(-1) }
}

/** The schedule with these slots told of as left out. */
function without(
  schedule: Schedule,
  skipped: readonly Slot[],
  { missed, newest }: { readonly missed: number; readonly newest: readonly Slot[] } = NONE_MISSED,
): Schedule {
  const { counts, lastSkipped, leftOut } = schedule
  return {
    ...schedule,
    lastSkipped: lastSkipped + skipped.length + missed,
    counts: { ...counts, skipped: counts.skipped + skipped.length, missed: counts.missed + missed },
    leftOut: [...leftOut, ...newest.map(because('missed')), ...skipped.map(because('skipped'))].slice(
      -MAX_LEFT_OUT,
    ),
  }
}

const NONE_MISSED = { missed: 0, newest: [] }

/** The newest of those that are not made up for. */
function missedOf(
  { cursorMs }: Schedule,
  { slots: [first], missed }: Arrivals,
  timetable: Timetable,
  nowMs: number,
): readonly Slot[] {
  if (missed === 0) return []
  return newest(timetable, cursorMs, first ? first.dueMs - 1 : nowMs, Math.min(missed, MAX_LEFT_OUT))
}

function because(why: LeftOutSlot['why']): (slot: Slot) => LeftOutSlot {
  return ({ key, dueMs }) => ({ key, dueMs, why })
}

function heldOf({ spec, held }: Schedule, slots: readonly Slot[], isBusy: boolean): readonly Slot[] {
  const all = [...held, ...slots]
  switch (spec.overlap) {
    case 'allow':
      return all
    case 'skip':
      // The first of them is the others' predecessor.
      if (held.length > 0) return held
      return isBusy ? [] : all.slice(0, 1)
    case 'queue':
      return all.slice(-spec.catchUp.max)
    case 'cancel-previous':
      return all.slice(-1)
  }
}

/** A slot that was submitted, and when its round was, which may have been by another. */
export interface SubmittedSlot {
  readonly slot: Slot
  readonly atMs: number
}

/** The schedule once the first of the held slots are submitted. */
export function submitted(schedule: Schedule, done: readonly SubmittedSlot[]): Schedule {
  const newestDone = done.at(-1)
  if (newestDone === undefined) return schedule
  const { counts, held, lastSkipped } = schedule
  return {
    ...schedule,
    held: held.slice(done.length),
    lastSkipped: 0,
    last: {
      ...newestDone.slot,
      submittedAtMs: newestDone.atMs,
      submitted: done.length,
      skipped: lastSkipped,
    },
    counts: { ...counts, submitted: counts.submitted + done.length },
  }
}

/** When the schedule wants to be ticked again; undefined where nothing comes by itself. */
export function wakeOf({ isPaused, held, next }: Schedule, nowMs: number): number | undefined {
  const nextMs = isPaused ? undefined : next?.dueMs
  return held.length > 0 ? Math.min(nowMs + HOLD_MS, nextMs ?? Number.POSITIVE_INFINITY) : nextMs
}

/** Where a schedule begins: what was due before it was there is not made up for, but for the one slot of an `at`. */
export function beginOf({ timing }: ScheduleSpec, nowMs: number): number {
  return timing.atMs === undefined ? nowMs : Math.min(nowMs, timing.atMs - 1)
}
