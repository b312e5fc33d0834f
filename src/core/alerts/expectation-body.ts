import { GoneError } from '../../errors.ts'
import { type Members, span, whole } from '../expect.ts'
import { MAX_DEADLINE_MS } from '../rounds/record.ts'
import { fromBody, invalid } from '../rounds/submission.ts'
import { readTiming } from '../schedules/schedule-body.ts'
import type { Expectation } from './alert-ports.ts'

export const MAX_REPLICAS = 1_000

/**
 * The expectation that a body asks for, of which only the members of `ExpectationBody` are there.
 *
 * @throws GoneError `INVALID_BODY` naming the member, what it takes and what it got
 */
export function readExpectation(body: Members): Expectation {
  const { cron, every, grace, late, replicas } = body
  if ((cron === undefined) === (every === undefined)) {
    const given = cron === undefined ? 'none' : 'both'
    throw new GoneError('INVALID_BODY', `cron, every: expected exactly one of them, got ${given}`)
  }
  const graceMs = fromBody('grace', span(1_000, MAX_DEADLINE_MS), grace)
  const lateMs = late === undefined ? undefined : fromBody('late', span(0, MAX_DEADLINE_MS), late)
  if (lateMs !== undefined && lateMs >= graceMs) throw invalid('late', 'less than the grace', late)
  return {
    timetable: readTiming(body),
    graceMs,
    ...(lateMs !== undefined && { lateMs }),
    ...(replicas !== undefined && { replicas: fromBody('replicas', whole(1, MAX_REPLICAS), replicas) }),
  }
}
