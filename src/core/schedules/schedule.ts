import { createHash } from 'node:crypto'
import { canonicalJson, type Submission } from '../rounds/job.ts'
import { checkIdentifier, escapePart, type RoundId, unescapePart } from '../rounds/round.ts'
import { DEFAULT_DST, type Slot, type TimetableSpec } from '../time/timetable.ts'

/** The names of a schedule. Its rounds are `{system, round: "<name>@<slot key>"}`. */
export interface ScheduleId {
  readonly system: string
  readonly name: string
}

/** What becomes of a slot whose predecessor's round has not ended. */
export type Overlap = 'allow' | 'skip' | 'queue' | 'cancel-previous'

/** What a schedule is asked to do. */
export interface ScheduleSpec {
  readonly timing: TimetableSpec
  /** Each job waits for a part of it, which its round's key decides. */
  readonly jitterMs: number
  /** Slots that were missed are made up for: at most so old, and of those the newest so many. */
  readonly catchUp: { readonly windowMs: number; readonly max: number }
  readonly overlap: Overlap
  readonly job: Submission
  /** Alert where a round has not come so long after its slot. */
  readonly expect?: { readonly graceMs: number }
}

/** The last slot that was submitted, and what became of the slots that were accounted for with it. */
export interface LastSlot extends Slot {
  readonly submittedAtMs: number
  readonly submitted: number
  /** By the overlap policy, or because they were too old or too many to be made up for. */
  readonly skipped: number
}

/** How many slots came to what end, since the schedule was made. */
export interface SlotCounts {
  readonly submitted: number
  /** By the overlap policy. */
  readonly skipped: number
  /** Too old or too many to be made up for. */
  readonly missed: number
}

/** A slot that no round was submitted for. */
export interface LeftOutSlot extends Slot {
  /** As `SlotCounts` has it. */
  readonly why: 'skipped' | 'missed'
}

/** How many of the slots that were left out are kept, the newest. */
export const MAX_LEFT_OUT = 30

/** A schedule as it is stored. Each change makes a new one with a higher revision; all times are the store's. */
export interface Schedule {
  readonly spec: ScheduleSpec
  readonly isPaused: boolean
  readonly createdAtMs: number
  readonly updatedAtMs: number
  /** Since when its slots are expected as they are: its times or what it expects have changed then, or a pause has ended. */
  readonly expectedSinceMs: number
  /** Slots due up to here are accounted for: submitted, held, or left out by policy. */
  readonly cursorMs: number
  /** The first slot after the cursor. */
  readonly next?: Slot
  /** Accounted for, and yet to be submitted: oldest first. */
  readonly held: readonly Slot[]
  /** How many of the last slots that came were left out. */
  readonly lastSkipped: number
  readonly last?: LastSlot
  readonly counts: SlotCounts
  /** The newest of those that were left out, oldest first. */
  readonly leftOut: readonly LeftOutSlot[]
}

/** What is left of a round's 128 bytes when `@` and a slot's key are written, but one of an offset with seconds. */
export const MAX_NAME_BYTES = 100
export const DEFAULT_CATCH_UP = { windowMs: 3_600_000, max: 10 } as const
/** A tick is never quite punctual: a slot so late is on time, whatever the catch-up window. The watchdog is within it. */
export const ON_TIME_MS = 10_000

/**
 * @throws GoneError `INVALID_IDENTIFIER` naming the part, the rule and the value
 */
export function scheduleId(system: string, name: string): ScheduleId {
  checkIdentifier('system', system)
  checkIdentifier('name', name, MAX_NAME_BYTES)
  return { system, name }
}

/** The schedule as one string: its wake's id, and how it is written in logs. */
export function scheduleKey({ system, name }: ScheduleId): string {
  return `${escapePart(system)}~${escapePart(name)}`
}

/** The inverse of `scheduleKey`. */
export function parseScheduleKey(key: string): ScheduleId {
  const [system = '', name = ''] = key.split('~')
  return { system: unescapePart(system), name: unescapePart(name) }
}

/** The round of a slot: the same in every replica, whatever its clock says. */
export function roundOfSlot({ system, name }: ScheduleId, slot: Slot): RoundId {
  return { system, round: `${name}@${slot.key}` }
}

/** How long the job of a round waits for its jitter, from 0 to `jitterMs`: the same whoever submits it. */
export function jitterOf({ system, round }: RoundId, jitterMs: number): number {
  if (jitterMs === 0) return 0
  const hash = createHash('sha256').update(`${system}/${round}`).digest().readUInt32BE()
  return Math.floor((hash / 2 ** 32) * (jitterMs + 1))
}

/** What a slot's job is submitted as at `nowMs`. */
export function submissionOf({ job, jitterMs }: ScheduleSpec, round: RoundId, slot: Slot, nowMs: number) {
  const delayMs = slot.dueMs + jitterOf(round, jitterMs) - nowMs
  if (jitterMs === 0 || delayMs <= 0) return job
  return { ...job, queueTerms: { ...job.queueTerms, delayMs } }
}

/** The spec as it is stored: what is as usual is left out. A new member that is not written here does not compile. */
export function packSpec(spec: ScheduleSpec, ownQueue: string): string {
  const { timing, jitterMs, catchUp, overlap, job, expect, ...moreOfSpec } = spec
  const { tz, dst, ...times } = timing
  const { queue, data, queueTerms, runTerms, ...moreOfJob } = job
  const more: Record<string, never> = { ...moreOfSpec, ...moreOfJob }
  return JSON.stringify({
    ...more,
    ...times,
    ...(tz !== 'UTC' && { tz }),
    ...(!isSame(dst, DEFAULT_DST) && { dst }),
    ...(jitterMs > 0 && { jitterMs }),
    ...(!isSame(catchUp, DEFAULT_CATCH_UP) && { catchUp }),
    ...(overlap !== 'allow' && { overlap }),
    ...(queue !== ownQueue && { queue }),
    ...(data !== null && { data }),
    ...(Object.keys(queueTerms).length > 0 && { queueTerms }),
    ...(Object.keys(runTerms).length > 0 && { runTerms }),
    ...(expect && { expect }),
  })
}

/** The inverse of `packSpec`. */
export function unpackSpec(text: string, ownQueue: string): ScheduleSpec {
  const packed = JSON.parse(text) as Partial<
    TimetableSpec & Omit<ScheduleSpec, 'timing' | 'job'> & Submission
  >
  const { jitterMs = 0, catchUp = DEFAULT_CATCH_UP, overlap = 'allow', expect, ...rest } = packed
  const { queue = ownQueue, data = null, queueTerms = {}, runTerms = {}, ...timing } = rest
  return {
    timing: { tz: 'UTC', dst: DEFAULT_DST, ...timing },
    jitterMs,
    catchUp,
    overlap,
    job: { queue, data, queueTerms, runTerms },
    ...(expect && { expect }),
  }
}

/** Names what can be changed of a schedule as it is: another one of the same text says the same. */
export function revisionOf(spec: ScheduleSpec): string {
  return createHash('sha256').update(canonicalJson(spec)).digest('base64url').slice(0, 16)
}

/** Whether two values of plain data say the same, in whatever order their members are written. */
export function isSame(one: unknown, other: unknown): boolean {
  return canonicalJson(one) === canonicalJson(other)
}
