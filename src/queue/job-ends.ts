import type { Job } from 'bullmq'
import { MAX_JOB_RESULT_BYTES } from '../core/rounds/limits.ts'
import { parseRoundKey, type RoundId } from '../core/rounds/round.ts'
import { bullmq } from './bullmq.ts'

/** The round that a job is; undefined for one that somebody else has put here under an id that is no round's. */
export function roundOf({ id }: Pick<Job, 'id'>): RoundId | undefined {
  try {
    return parseRoundKey(id ?? '')
  } catch {
    return undefined
  }
}

interface Failure {
  readonly reason: string
  readonly stack?: string
}

/** An attempt that failed, as BullMQ is told: it reads names and messages, so none of what the handler threw gets there. */
class AttemptFailed extends Error {
  constructor(failure: Failure) {
    super(messageFor(failure))
    this.stack = failure.stack ?? this.message
  }
}

/** The same where no further attempt is to be made. */
class JobOver extends bullmq.UnrecoverableError {
  constructor(failure: Failure) {
    super(messageFor(failure))
    this.stack = failure.stack ?? this.message
  }
}

/** How BullMQ is told of it. */
export function failedAs(end: Failure & { readonly isFinal: boolean }): Error {
  return end.isFinal ? new JobOver(end) : new AttemptFailed(end)
}

/** True of what BullMQ is to be told, or has found by itself, of how an attempt ended. */
export function isEndOfAttempt(error: Error): boolean {
  const { UnrecoverableError, DelayedError, WaitingError } = bullmq
  return [AttemptFailed, UnrecoverableError, DelayedError, WaitingError].some((one) => error instanceof one)
}

/** BullMQ puts a job back for ever whose error says this. */
function messageFor({ reason }: Failure): string {
  return reason === bullmq.RATE_LIMIT_ERROR ? `it threw "${reason}"` : reason
}

/** What the job keeps of a result, which is JSON, or empty for none. */
export function keptOf(result: string): unknown {
  if (result === '') return undefined
  const bytes = Buffer.byteLength(result)
  if (bytes > MAX_JOB_RESULT_BYTES)
    return `… not kept: ${bytes} bytes of JSON, more than ${MAX_JOB_RESULT_BYTES}`
  return JSON.parse(result) as unknown
}

/** How long the job could have been started before it was, by the clock of Redis. */
export function waitedMs({ timestamp, processedOn = timestamp, opts: { delay = 0 } }: Job): number {
  return Math.max(0, processedOn - timestamp - delay)
}
