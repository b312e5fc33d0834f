import type { Submission } from '../rounds/job.ts'
import type { RoundState } from '../rounds/record.ts'
import { iso } from '../rounds/round-wire.ts'
import { durationText } from '../time/duration.ts'
import { type DstPolicy, instantIn, type Slot } from '../time/timetable.ts'
import {
  type Overlap,
  roundOfSlot,
  type Schedule,
  type ScheduleId,
  type ScheduleSpec,
  type SlotCounts,
} from './schedule.ts'

/** What is put: one of cron, every and at, and what else there is to say. Durations are texts like `30s`, times ISO 8601. */
export interface ScheduleBody {
  readonly cron?: string
  readonly every?: string
  readonly at?: string
  readonly tz?: string
  readonly dst?: Partial<DstPolicy>
  readonly jitter?: string
  readonly catchUp?: { readonly window?: string; readonly max?: number }
  readonly overlap?: Overlap
  readonly startAt?: string
  readonly endAt?: string
  readonly job?: ScheduleJobBody
  readonly expect?: { readonly grace: string }
}

/** What a slot's round is submitted as: the members of a submission without its delay. */
export interface ScheduleJobBody {
  readonly worker?: string
  readonly data?: unknown
  readonly attempts?: number
  readonly backoff?: { readonly type: 'fixed' | 'exponential'; readonly delay: string }
  readonly timeout?: string
  readonly priority?: number
  readonly deadline?: string
  readonly ifExecutorDies?: 'rerun' | 'fail'
  readonly region?: string
}

/** The body as the server has understood it: with its defaults, and durations in their largest whole unit. */
export interface FullScheduleBody extends ScheduleBody {
  readonly tz: string
  readonly dst: DstPolicy
  readonly jitter: string
  readonly catchUp: { readonly window: string; readonly max: number }
  readonly overlap: Overlap
  readonly job: ScheduleJobBody & { readonly worker: string; readonly data: unknown }
}

/** A slot that is to come. */
export interface SlotJson {
  /** The nominal time, which is the key. */
  readonly slot: string
  readonly round: string
  /** When it is due, in UTC. */
  readonly at: string
  /** The same in the schedule's zone, with its offset. */
  readonly local: string
}

/** The last slot that was submitted. */
export interface LastSlotJson {
  readonly slot: string
  readonly round: string
  readonly at: string
  readonly submittedAt: string
  readonly latenessMs: number
  /** How many slots were submitted and left out when it was: more than one after an outage. */
  readonly submitted: number
  readonly skipped: number
  /** What became of its round, as lists of schedules tell it; missing where that is known no more. */
  readonly state?: RoundState
}

/** A slot that no round was submitted for. */
export interface LeftOutSlotJson {
  readonly slot: string
  /** The round that it would have been. */
  readonly round: string
  readonly why: 'skipped' | 'missed'
}

/** A schedule as HTTP shows it. Times are ISO 8601 of the record store's clock. */
export interface ScheduleJson extends FullScheduleBody {
  readonly system: string
  readonly name: string
  readonly paused: boolean
  readonly createdAt: string
  readonly updatedAt: string
  /** Null where no slot comes any more, or while it is paused. */
  readonly next: SlotJson | null
  readonly last: LastSlotJson | null
  /** What became of all slots so far. */
  readonly counts: SlotCounts
  /** The newest slots that no round was submitted for, oldest first; missing where there is none. */
  readonly leftOut?: readonly LeftOutSlotJson[]
  /** Slots that wait for the round before them to end (overlap `queue`). */
  readonly held: number
  readonly now: string
}

export interface ScheduleListJson {
  readonly schedules: readonly Omit<ScheduleJson, 'now'>[]
  readonly now: string
  /** The cursor of the next page; missing on the last. */
  readonly next?: string
}

export interface TriggerJson {
  readonly round: string
  readonly link: string
  readonly now: string
}

export interface BackfillJson {
  readonly rounds: readonly { readonly slot: string; readonly round: string; readonly isFirst: boolean }[]
  readonly now: string
  /** Where to go on, as the next call's `from`, if there were more slots than `max`. */
  readonly next?: string
}

export interface NextSlotsJson {
  readonly slots: readonly SlotJson[]
  readonly now: string
}

/** @param lastState what became of the last round, where that was looked up */
export function scheduleJson(
  id: ScheduleId,
  schedule: Schedule,
  lastState?: RoundState,
): Omit<ScheduleJson, 'now'> {
  const { spec, isPaused, createdAtMs, updatedAtMs, next, last, held, counts, leftOut } = schedule
  return {
    ...id,
    ...fullBody(spec),
    paused: isPaused,
    createdAt: iso(createdAtMs),
    updatedAt: iso(updatedAtMs),
    next: next && !isPaused ? slotJson(id, spec, next) : null,
    last: last
      ? {
          slot: last.key,
          round: roundOfSlot(id, last).round,
          at: iso(last.dueMs),
          submittedAt: iso(last.submittedAtMs),
          latenessMs: last.submittedAtMs - last.dueMs,
          submitted: last.submitted,
          skipped: last.skipped,
          ...(lastState !== undefined && { state: lastState }),
        }
      : null,
    counts,
    ...(leftOut.length > 0 && {
      leftOut: leftOut.map((slot) => ({
        slot: slot.key,
        round: roundOfSlot(id, slot).round,
        why: slot.why,
      })),
    }),
    held: held.length,
  }
}

/** The body that asks for this spec, with everything said. */
export function fullBody(spec: ScheduleSpec): FullScheduleBody {
  const { timing, jitterMs, catchUp, overlap, job, expect } = spec
  const { cron, everyMs, atMs, tz, dst, startAtMs, endAtMs } = timing
  return {
    ...(cron !== undefined && { cron }),
    ...(everyMs !== undefined && { every: durationText(everyMs) }),
    ...(atMs !== undefined && { at: isoSeconds(atMs) }),
    tz,
    dst,
    jitter: durationText(jitterMs),
    catchUp: { window: durationText(catchUp.windowMs), max: catchUp.max },
    overlap,
    ...(startAtMs !== undefined && { startAt: isoSeconds(startAtMs) }),
    ...(endAtMs !== undefined && { endAt: isoSeconds(endAtMs) }),
    job: jobBody(job),
    ...(expect && { expect: { grace: durationText(expect.graceMs) } }),
  }
}

export function slotJson(id: ScheduleId, { timing }: ScheduleSpec, slot: Slot): SlotJson {
  return {
    slot: slot.key,
    round: roundOfSlot(id, slot).round,
    at: iso(slot.dueMs),
    local: localTime(slot, timing.tz),
  }
}

function jobBody({ queue, data, queueTerms, runTerms }: Submission): FullScheduleBody['job'] {
  const { attempts, backoff, priority } = queueTerms
  const { timeoutMs, deadlineMs, ifExecutorDies, region } = runTerms
  return {
    worker: queue,
    data,
    ...(attempts !== undefined && { attempts }),
    ...(backoff && { backoff: { type: backoff.type, delay: durationText(backoff.delayMs) } }),
    ...(timeoutMs !== undefined && { timeout: durationText(timeoutMs) }),
    ...(priority !== undefined && { priority }),
    ...(deadlineMs !== undefined && { deadline: durationText(deadlineMs) }),
    ...(ifExecutorDies && { ifExecutorDies }),
    ...(region !== undefined && { region }),
  }
}

/** What the clocks of the zone show when the slot is due: its key, but for one that fell into a gap. */
function localTime({ key, dueMs }: Slot, tz: string): string {
  return Date.parse(key) === dueMs ? key : instantIn(tz, dueMs)
}

/** Whole seconds: what is put has no more. */
function isoSeconds(ms: number): string {
  return iso(ms).replace('.000Z', 'Z')
}
