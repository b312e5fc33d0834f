import { GoneError } from '../errors.ts'
import { MAX_DEADLINE_MS } from './record.ts'
import { escapePart } from './round.ts'
import { DEFAULT_CATCH_UP, type Overlap, type ScheduleSpec } from './schedule.ts'
import { type Body, duration, ISO, invalid, readSubmission, whole } from './submission.ts'
import { DEFAULT_DST, type DstPolicy, Timetable, type TimetableSpec } from './timetable.ts'

/** The members of a schedule's body, with an example value each. */
export const SCHEDULE_EXAMPLE = {
  cron: '0 8 * * MON-FRI',
  every: '15m',
  at: '2026-11-22T08:00:00Z',
  tz: 'Europe/Berlin',
  dst: { gap: 'run-after', overlap: 'first' },
  jitter: '30s',
  catchUp: { window: '1h', max: 10 },
  overlap: 'allow',
  startAt: '2026-11-22T08:00:00Z',
  endAt: '2027-01-01T00:00:00Z',
  job: { worker: 'hello', data: {}, attempts: 3 },
  expect: { grace: '5m' },
} as const

const JOB_MEMBERS = [
  'worker',
  'data',
  'attempts',
  'backoff',
  'timeout',
  'priority',
  'deadline',
  'ifExecutorDies',
] as const
const OVERLAPS: readonly Overlap[] = ['allow', 'skip', 'queue', 'cancel-previous']
const DAY_MS = 86_400_000
const MAX_WINDOW_MS = 30 * DAY_MS
const MAX_CAUGHT_UP = 1_000
const MAX_EVERY_MS = 366 * DAY_MS
const MAX_CRON = 256

/**
 * The schedule that a body asks for.
 *
 * @param system whose own queue takes the jobs of who names no worker
 * @throws GoneError `INVALID_BODY` naming the member, what it takes and what it got
 */
export function readScheduleBody(value: unknown, system: string): ScheduleSpec {
  const body = members('', value, Object.keys(SCHEDULE_EXAMPLE))
  const { jitter, overlap = 'allow', expect } = body
  if (!OVERLAPS.includes(overlap as Overlap)) throw invalid('overlap', OVERLAPS.join(', '), overlap)
  return {
    timing: readTiming(body),
    jitterMs: jitter === undefined ? 0 : duration('jitter', jitter, 0, DAY_MS),
    catchUp: readCatchUp(body.catchUp),
    overlap: overlap as Overlap,
    job: readJob(body.job, system),
    ...(expect !== undefined && { expect: readExpectation(expect) }),
  }
}

/** A time with its zone, in whole seconds: a slot's key has no more. */
export function readTime(name: string, value: unknown): number {
  const ms = typeof value === 'string' && ISO.test(value) ? Date.parse(value) : Number.NaN
  if (ms % 1_000 === 0) return ms
  throw invalid(name, 'an ISO 8601 time with its zone, in whole seconds, like "2026-11-22T08:00:00Z"', value)
}

/** The times that a body asks for, by its members `cron` to `endAt`. */
export function readTiming(body: Body): TimetableSpec {
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
    ...(every !== undefined && { everyMs: duration('every', every, 1_000, MAX_EVERY_MS) }),
    ...(at !== undefined && { atMs: readTime('at', at) }),
    tz,
    dst: readDst(body.dst),
    ...(startAt !== undefined && { startAtMs: readTime('startAt', startAt) }),
    ...(endAt !== undefined && { endAtMs: readTime('endAt', endAt) }),
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
  const { gap = DEFAULT_DST.gap, overlap = DEFAULT_DST.overlap } = members('dst', value, ['gap', 'overlap'])
  if (gap !== 'skip' && gap !== 'run-after') throw invalid('dst.gap', '"skip" or "run-after"', gap)
  if (overlap !== 'first' && overlap !== 'second' && overlap !== 'both')
    throw invalid('dst.overlap', '"first", "second" or "both"', overlap)
  return { gap, overlap }
}

function readCatchUp(value: unknown): ScheduleSpec['catchUp'] {
  const { window, max } = members('catchUp', value, ['window', 'max'])
  return {
    windowMs:
      window === undefined ? DEFAULT_CATCH_UP.windowMs : duration('catchUp.window', window, 0, MAX_WINDOW_MS),
    max: max === undefined ? DEFAULT_CATCH_UP.max : whole('catchUp.max', max, 1, MAX_CAUGHT_UP),
  }
}

function readJob(value: unknown, system: string): ScheduleSpec['job'] {
  const body = members('job', value, JOB_MEMBERS)
  try {
    return readSubmission(body, escapePart(system), 0)
  } catch (cause) {
    if (!(cause instanceof GoneError)) throw cause
    throw new GoneError(cause.code, `job.${cause.message}`, { cause })
  }
}

function readExpectation(value: unknown): { graceMs: number } {
  const { grace } = members('expect', value, ['grace'])
  return { graceMs: duration('expect.grace', grace, 1_000, MAX_DEADLINE_MS) }
}

/** The members of an object, of which only the named ones may exist; nothing is the same as an empty one. */
function members(name: string, value: unknown, names: readonly string[]): Body {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    if (name === '') throw new GoneError('INVALID_BODY', 'expected a JSON object')
    throw invalid(name, 'an object', value)
  }
  const unknown = Object.keys(value).find((member) => !names.includes(member))
  if (unknown === undefined) return value as Body
  const where = name === '' ? 'a schedule' : name
  throw new GoneError(
    'INVALID_BODY',
    `${JSON.stringify(name === '' ? unknown : `${name}.${unknown}`)}: no such member; ${where} takes: ${names.join(', ')}`,
  )
}
