import { GoneError } from '../errors.ts'
import { formatDuration, parseDuration } from './duration.ts'
import { type Backoff, isWorkerName, type QueueTerms, type RunTerms, type Submission } from './job.ts'
import { MAX_DEADLINE_MS } from './record.ts'

/** The members of a submission's body, with an example value each. */
export const SUBMISSION_EXAMPLE = {
  worker: 'webhook',
  data: { url: 'https://example.com/hook' },
  attempts: 3,
  backoff: { type: 'exponential', delay: '1s' },
  timeout: '30s',
  delay: '5m',
  at: '2026-11-22T08:00:00Z',
  priority: 10,
  deadline: '10m',
  ifExecutorDies: 'rerun',
} as const

export type Body = Readonly<Record<string, unknown>>

const MAX_ATTEMPTS = 100
/** BullMQ's own bound. */
const MAX_PRIORITY = 2_097_152

/**
 * The submission that a body asks for.
 *
 * @param ownQueue the queue of who names no worker
 * @param nowMs Unix time, to make a delay of `at`
 * @throws GoneError `INVALID_BODY` naming the member, what it takes and what it got
 */
export function readSubmission(body: Body, ownQueue: string, nowMs: number): Submission {
  const { data = null } = body
  return {
    queue: readWorker(body.worker, ownQueue),
    data,
    queueTerms: readQueueTerms(body, nowMs),
    runTerms: readRunTerms(body),
  }
}

function readWorker(worker: unknown, ownQueue: string): string {
  const name = worker ?? ownQueue
  if (typeof name === 'string' && isWorkerName(name)) return name
  throw invalid(
    'worker',
    'a name of letters, digits, "_", "-" or "." other than "rounds", "alarms" and "alerts"',
    name,
  )
}

function readQueueTerms(body: Body, nowMs: number): QueueTerms {
  const { attempts, backoff, priority } = body
  const delayMs = readDelay(body, nowMs)
  return {
    ...(attempts !== undefined && { attempts: whole('attempts', attempts, 1, MAX_ATTEMPTS) }),
    ...(backoff !== undefined && { backoff: readBackoff(backoff) }),
    ...(delayMs !== undefined && { delayMs }),
    ...(priority !== undefined && { priority: whole('priority', priority, 1, MAX_PRIORITY) }),
  }
}

function readRunTerms({ timeout, deadline, ifExecutorDies }: Body): RunTerms {
  if (ifExecutorDies !== undefined && ifExecutorDies !== 'rerun' && ifExecutorDies !== 'fail') {
    throw invalid('ifExecutorDies', '"rerun" or "fail"', ifExecutorDies)
  }
  return {
    ...(timeout !== undefined && { timeoutMs: duration('timeout', timeout, 1, MAX_DEADLINE_MS) }),
    ...(deadline !== undefined && { deadlineMs: duration('deadline', deadline, 1_000, MAX_DEADLINE_MS) }),
    ...(ifExecutorDies === 'fail' && { ifExecutorDies }),
  }
}

function readDelay({ delay, at }: Body, nowMs: number): number | undefined {
  if (delay !== undefined && at !== undefined)
    throw new GoneError('INVALID_BODY', 'delay, at: expected one of them')
  if (delay !== undefined) return duration('delay', delay, 0, MAX_DEADLINE_MS)
  if (at === undefined) return undefined
  const atMs = typeof at === 'string' && ISO.test(at) ? Date.parse(at) : Number.NaN
  if (atMs <= nowMs + MAX_DEADLINE_MS) return Math.max(0, atMs - nowMs)
  throw invalid('at', `an ISO 8601 time with its zone, at most ${formatDuration(MAX_DEADLINE_MS)} ahead`, at)
}

export const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$/

function readBackoff(backoff: unknown): Backoff {
  const { type, delay, ...rest } = (typeof backoff === 'object' && backoff ? backoff : {}) as Body
  if ((type !== 'fixed' && type !== 'exponential') || Object.keys(rest).length > 0) {
    throw invalid('backoff', '{"type": "fixed" or "exponential", "delay": "1s"}', backoff)
  }
  return { type, delayMs: duration('backoff.delay', delay, 0, MAX_DEADLINE_MS) }
}

/** @throws GoneError `INVALID_BODY` */
export function duration(name: string, value: unknown, minMs: number, maxMs: number): number {
  const ms = typeof value === 'string' ? parseDuration(value) : undefined
  if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms
  throw invalid(
    name,
    `a duration like "30s" or "10m", from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`,
    value,
  )
}

/** @throws GoneError `INVALID_BODY` */
export function whole(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw invalid(name, `an integer from ${min} to ${max}`, value)
}

export function invalid(name: string, rule: string, value: unknown): GoneError {
  const shown = JSON.stringify(value) ?? 'nothing'
  const short = shown.length > 64 ? `${shown.slice(0, 64)}…` : shown
  return new GoneError('INVALID_BODY', `${name}: expected ${rule}, got ${short}`)
}
