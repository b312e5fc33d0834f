import { GoneError } from '../errors.ts'
import type { Expectation } from './alert-ports.ts'
import { MAX_DEADLINE_MS } from './record.ts'
import { readTiming } from './schedule-body.ts'
import { type Body, duration, invalid, whole } from './submission.ts'

/** The members of an expectation's body, with an example value each. */
export const EXPECTATION_EXAMPLE = {
  cron: '0 8 * * MON-FRI',
  every: '15m',
  tz: 'Europe/Berlin',
  dst: { gap: 'run-after', overlap: 'first' },
  grace: '5m',
  late: '30s',
  replicas: 3,
} as const

const MAX_REPLICAS = 1_000

/**
 * The expectation that a body asks for, of which only the members of the example may be there.
 *
 * @throws GoneError `INVALID_BODY` naming the member, what it takes and what it got
 */
export function readExpectation(body: Body): Expectation {
  const { cron, every, grace, late, replicas } = body
  if ((cron === undefined) === (every === undefined)) {
    const given = cron === undefined ? 'none' : 'both'
    throw new GoneError('INVALID_BODY', `cron, every: expected exactly one of them, got ${given}`)
  }
  const graceMs = duration('grace', grace, 1_000, MAX_DEADLINE_MS)
  const lateMs = late === undefined ? undefined : duration('late', late, 0, MAX_DEADLINE_MS)
  if (lateMs !== undefined && lateMs >= graceMs) throw invalid('late', 'less than the grace', late)
  return {
    timetable: readTiming(body),
    graceMs,
    ...(lateMs !== undefined && { lateMs }),
    ...(replicas !== undefined && { replicas: whole('replicas', replicas, 1, MAX_REPLICAS) }),
  }
}
