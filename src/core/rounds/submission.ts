import { GoneError } from '../../errors.ts'
import {
  instant,
  type Members,
  ofText,
  oneOf,
  type Rule,
  span,
  takeJson,
  unexpected,
  whole,
} from '../expect.ts'
import { formatDuration } from '../time/duration.ts'
import { type Backoff, isWorkerName, type QueueTerms, type RunTerms, type Submission } from './job.ts'
import { MAX_DEADLINE_MS } from './record.ts'

export const MAX_ATTEMPTS = 100
/** BullMQ's own bound. */
export const MAX_PRIORITY = 2_097_151

/**
 * The submission that a body asks for.
 *
 * @param ownQueue the queue of a submission that names no worker
 * @throws GoneError `INVALID_BODY` naming the member, what it takes and what it got
 */
export function readSubmission(body: Members, ownQueue: string): Submission {
  const { data = null } = body
  return {
    queue: readWorker(body.worker, ownQueue),
    data,
    queueTerms: readQueueTerms(body),
    runTerms: readRunTerms(body),
  }
}

const WORKER: Rule<string> = ofText({
  expected: () =>
    'a name of letters, digits, "_", "-" or ".", all else escaped as in "caf%C3%A9", other than "rounds", "alarms" and "alerts"',
  fromText: (name) => (isWorkerName(name) ? name : undefined),
})

const REGION_FORM = /^[\w.:-]{1,64}$/

/** As `--region` of workers. */
export const REGION: Rule<string> = ofText({
  expected: () => '1 to 64 of letters, digits, ".", "_", ":" and "-"',
  fromText: (text) => (REGION_FORM.test(text) ? text : undefined),
  schema: { type: 'string', pattern: REGION_FORM.source },
})

function readWorker(worker: unknown, ownQueue: string): string {
  return fromBody('worker', WORKER, worker ?? ownQueue)
}

function readQueueTerms(body: Members): QueueTerms {
  const { attempts, backoff, priority } = body
  const delay = readDelay(body)
  return {
    ...(attempts !== undefined && { attempts: fromBody('attempts', whole(1, MAX_ATTEMPTS), attempts) }),
    ...(backoff !== undefined && { backoff: readBackoff(backoff) }),
    ...delay,
    ...(priority !== undefined && { priority: fromBody('priority', whole(1, MAX_PRIORITY), priority) }),
  }
}

function readRunTerms({ timeout, deadline, ifExecutorDies, region }: Members): RunTerms {
  const dies = fromBody('ifExecutorDies', oneOf(['rerun', 'fail']), ifExecutorDies ?? 'rerun')
  return {
    ...(timeout !== undefined && { timeoutMs: fromBody('timeout', span(1, MAX_DEADLINE_MS), timeout) }),
    ...(deadline !== undefined && {
      deadlineMs: fromBody('deadline', span(1_000, MAX_DEADLINE_MS), deadline),
    }),
    ...(dies === 'fail' && { ifExecutorDies: dies }),
    ...(region !== undefined && { region: fromBody('region', REGION, region) }),
  }
}

function readDelay({ delay, at }: Members): Pick<QueueTerms, 'delayMs' | 'atMs'> {
  if (delay !== undefined && at !== undefined)
    throw new GoneError('INVALID_BODY', 'delay, at: expected one of them')
  if (delay !== undefined) return { delayMs: fromBody('delay', span(0, MAX_DEADLINE_MS), delay) }
  if (at === undefined) return {}
  return { atMs: fromBody('at', instant(), at) }
}

/**
 * Refuses a time that is further ahead than a job may wait.
 *
 * @param nowMs by the clock that decides when it starts, and not by one of whoever is asked
 * @throws GoneError `INVALID_BODY`
 */
export function checkStart({ queueTerms: { atMs } }: Submission, nowMs: number): void {
  const latest = {
    ms: nowMs + MAX_DEADLINE_MS,
    words: `at most ${formatDuration(MAX_DEADLINE_MS)} ahead`,
  }
  if (atMs !== undefined) fromBody('at', instant(latest), new Date(atMs).toISOString())
}

function readBackoff(backoff: unknown): Backoff {
  const { type, delay, ...rest } = (typeof backoff === 'object' && backoff ? backoff : {}) as Members
  if ((type !== 'fixed' && type !== 'exponential') || Object.keys(rest).length > 0) {
    throw invalid('backoff', '{"type": "fixed" or "exponential", "delay": "1s"}', backoff)
  }
  return { type, delayMs: fromBody('backoff.delay', span(0, MAX_DEADLINE_MS), delay) }
}

/** What a member of a body means. @throws GoneError `INVALID_BODY` */
export function fromBody<T>(name: string, rule: Rule<T>, value: unknown): T {
  return takeJson(name, rule, value, invalidBody)
}

export function invalid(name: string, rule: string, value: unknown): GoneError {
  return invalidBody(unexpected(name, rule, value))
}

export function invalidBody(message: string): GoneError {
  return new GoneError('INVALID_BODY', message)
}
