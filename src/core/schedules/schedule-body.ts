import { GoneError } from '../../errors.ts'
import { type Members, members, oneOf, span, whole, wholeSecond } from '../expect.ts'
import { MAX_DEADLINE_MS } from '../rounds/record.ts'
import { escapePart } from '../rounds/round.ts'
import { fromBody, invalid, invalidBody, readSubmission } from '../rounds/submission.ts'
import { DEFAULT_DST, type DstPolicy, Timetable, type TimetableSpec } from '../time/timetable.ts'
import { DEFAULT_CATCH_UP, type Overlap, type ScheduleSpec } from './schedule.ts'
import type { ScheduleBody, ScheduleJobBody } from './schedule-wire.ts'

const MEMBERS = [
  'cron',
  'every',
  'at',
  'tz',
  'dst',
  'jitter',
  'catchUp',
  'overlap',
  'startAt',
  'endAt',
  'job',
  'expect',
] as const satisfies readonly (keyof ScheduleBody)[]
const JOB_MEMBERS = [
  'worker',
  'data',
  'attempts',
  'backoff',
  'timeout',
  'priority',
  'deadline',
  'ifExecutorDies',
  'region',
] as const satisfies readonly (keyof ScheduleJobBody)[]
export const OVERLAPS: readonly Overlap[] = ['allow', 'skip', 'queue', 'cancel-previous']
const OVERLAP = oneOf(OVERLAPS)
const DAY_MS = 86_400_000
const MAX_WINDOW_MS = 30 * DAY_MS
export const MAX_CAUGHT_UP = 1_000
const MAX_EVERY_MS = 366 * DAY_MS
export const MAX_CRON = 256

/**
 * The schedule that a body asks for.
 *
 * @param system whose own queue takes the jobs of a schedule that names no worker
 * @throws GoneError `INVALID_BODY` naming the member, what it takes and what it got
 */
export function readScheduleBody(value: unknown, system: string): ScheduleSpec {
  const body = membersOf('', value, MEMBERS)
  const { jitter, overlap = 'allow', expect } = body
  return {
    timing: readTiming(body),
    jitterMs: jitter === undefined ? 0 : fromBody('jitter', span(0, DAY_MS), jitter),
    catchUp: readCatchUp(body.catchUp),
    overlap: fromBody('overlap', OVERLAP, overlap),
    job: readJob(body.job, system),
    ...(expect !== undefined && { expect: readExpectation(expect) }),
  }
}

/** The times that a body asks for, by its members `cron` to `endAt`. */
export function readTiming(body: Members): TimetableSpec {
  const { cron, every, at, tz = 'UTC', startAt, endAt } = body
  if ([cron, every, at].filter((given) => given !== undefined).length !== 1) {
    const given = ['cron', 'every', 'at'].filter((name) => body[name] !== undefined).join(' and ') || 'none'
    throw new GoneError('INVALID_BODY', `cron, every, at: expected exactly one of them, got ${given}`)
  }
  if (typeof tz !== 'string') throw invalid('tz', 'a time zone like "Europe/Berlin"', tz)
  if (cron !== undefined && (typeof cron !== 'string' || cron.length > MAX_CRON))
    throw invalid('cron', 'a cron expression of 5 or 6 fields like "0 8 * * MON-FRI"', cron)
  const timing = {
    ...(cron !== undefined && { cron }),
    ...(every !== undefined && { everyMs: fromBody('every', span(1_000, MAX_EVERY_MS), every) }),
    ...(at !== undefined && { atMs: fromBody('at', wholeSecond(), at) }),
    tz,
    dst: readDst(body.dst),
    ...(startAt !== undefined && { startAtMs: fromBody('startAt', wholeSecond(), startAt) }),
    ...(endAt !== undefined && { endAtMs: fromBody('endAt', wholeSecond(), endAt) }),
  } as TimetableSpec
  check(timing)
  return timing
}

/** The timetable has the last word on what it takes. */
function check(timing: TimetableSpec): void {
  try {
    new Timetable(timing)
  } catch (cause) {
    if (cause instanceof GoneError) throw new GoneError('INVALID_BODY', cause.message, { cause })
    throw cause
  }
}

function readDst(value: unknown): DstPolicy {
  const { gap, overlap } = membersOf('dst', value, ['gap', 'overlap'])
  return {
    gap: fromBody('dst.gap', oneOf(['skip', 'run-after']), gap ?? DEFAULT_DST.gap),
    overlap: fromBody('dst.overlap', oneOf(['first', 'second', 'both']), overlap ?? DEFAULT_DST.overlap),
  }
}

function readCatchUp(value: unknown): ScheduleSpec['catchUp'] {
  const { window, max } = membersOf('catchUp', value, ['window', 'max'])
  return {
    windowMs:
      window === undefined
        ? DEFAULT_CATCH_UP.windowMs
        : fromBody('catchUp.window', span(0, MAX_WINDOW_MS), window),
    max: max === undefined ? DEFAULT_CATCH_UP.max : fromBody('catchUp.max', whole(1, MAX_CAUGHT_UP), max),
  }
}

function readJob(value: unknown, system: string): ScheduleSpec['job'] {
  const body = membersOf('job', value, JOB_MEMBERS)
  try {
    return readSubmission(body, escapePart(system))
  } catch (cause) {
    if (!(cause instanceof GoneError)) throw cause
    throw new GoneError(cause.code, `job.${cause.message}`, { cause })
  }
}

function readExpectation(value: unknown): { graceMs: number } {
  const { grace } = membersOf('expect', value, ['grace'])
  return { graceMs: fromBody('expect.grace', span(1_000, MAX_DEADLINE_MS), grace) }
}

function membersOf(name: string, value: unknown, names: readonly string[]): Members {
  return members({ name, owner: 'a schedule' }, value, names, invalidBody)
}
