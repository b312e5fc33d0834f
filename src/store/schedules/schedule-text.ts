import { escapePart } from '../../core/rounds/round.ts'
import {
  type LeftOutSlot,
  packSpec,
  type Schedule,
  type ScheduleId,
  unpackSpec,
} from '../../core/schedules/schedule.ts'
import type { Slot } from '../../core/time/timetable.ts'

/** A schedule as Redis has it: what it is asked to do, and how far it has come. */
export interface ScheduleText {
  readonly spec: string
  readonly state: string
}

type SlotText = readonly [dueMs: number, key: string]

/** Short, because ten thousand of them are kept. */
interface State {
  /** created at, updated at, cursor, expected since where that is not the update (ms) */
  readonly t: readonly [number, number, number, number?]
  /** paused */
  readonly p?: 1
  readonly n?: SlotText
  readonly h?: readonly SlotText[]
  /** the last slot, when it was submitted, and how many were submitted and left out with it */
  readonly l?: readonly [...SlotText, number, number, number]
  /** left out since the last slot was submitted */
  readonly x?: number
  /** submitted, skipped, missed */
  readonly c?: readonly [number, number, number]
  /** left out, each with 1 where it was skipped, not missed */
  readonly o?: readonly (readonly [...SlotText, (0 | 1)?])[]
}

export function textOf(id: ScheduleId, schedule: Schedule): ScheduleText {
  const { spec, isPaused, createdAtMs, updatedAtMs, cursorMs, next, held, last, lastSkipped } = schedule
  const { counts, leftOut, expectedSinceMs } = schedule
  const { submitted, skipped, missed } = counts
  const state: State = {
    t:
      expectedSinceMs === updatedAtMs
        ? [createdAtMs, updatedAtMs, cursorMs]
        : [createdAtMs, updatedAtMs, cursorMs, expectedSinceMs],
    ...(isPaused && { p: 1 }),
    ...(next && { n: slotText(next) }),
    ...(held.length > 0 && { h: held.map(slotText) }),
    ...(last && { l: [...slotText(last), last.submittedAtMs, last.submitted, last.skipped] }),
    ...(lastSkipped > 0 && { x: lastSkipped }),
    ...(submitted + skipped + missed > 0 && { c: [submitted, skipped, missed] }),
    ...(leftOut.length > 0 && { o: leftOut.map(leftOutText) }),
  }
  return { spec: packSpec(spec, escapePart(id.system)), state: JSON.stringify(state) }
}

export function scheduleOf(id: ScheduleId, text: ScheduleText): Schedule {
  const { t, p, n, h = [], l, x = 0, c = [0, 0, 0], o = [] } = JSON.parse(text.state) as State
  return {
    spec: unpackSpec(text.spec, escapePart(id.system)),
    isPaused: p === 1,
    createdAtMs: t[0],
    updatedAtMs: t[1],
    cursorMs: t[2],
    expectedSinceMs: t[3] ?? t[1],
    ...(n && { next: slotOf(n) }),
    held: h.map(slotOf),
    lastSkipped: x,
    ...(l && { last: { ...slotOf([l[0], l[1]]), submittedAtMs: l[2], submitted: l[3], skipped: l[4] } }),
    counts: { submitted: c[0], skipped: c[1], missed: c[2] },
    leftOut: o.map(([dueMs, key, isSkipped]) => ({ dueMs, key, why: isSkipped ? 'skipped' : 'missed' })),
  }
}

function leftOutText({ dueMs, key, why }: LeftOutSlot): readonly [...SlotText, (0 | 1)?] {
  return why === 'skipped' ? [dueMs, key, 1] : [dueMs, key]
}

function slotText({ dueMs, key }: Slot): SlotText {
  return [dueMs, key]
}

function slotOf([dueMs, key]: SlotText): Slot {
  return { key, dueMs }
}
