import type { RoundJson } from '../core/wire.ts'
import type { WorkerDefinition, WorkerHandler } from './define-worker.ts'
import { type Duration, durationText } from './duration.ts'
import { type Time, timeText } from './time.ts'

/** Whatever a file in `workers/` may export by default. */
export type AnyWorker = WorkerDefinition<never, unknown> | WorkerHandler<never, unknown>

/** What a worker is submitted. */
export type DataOf<W> =
  W extends WorkerDefinition<infer Data, unknown>
    ? Data
    : W extends WorkerHandler<infer Data, unknown>
      ? Data
      : never

/** What a worker answers, as JSON brings it. */
export type ResultOf<W> =
  W extends WorkerDefinition<never, infer Result>
    ? Result
    : W extends WorkerHandler<never, infer Result>
      ? Result
      : never

/** A round's job. What is left out is the worker's to say. */
export type SubmitOptions<Data = unknown> = SubmitTerms &
  (undefined extends Data ? { readonly data?: Data } : { readonly data: Data })

interface SubmitTerms {
  /** The worker that runs it: the name of its file. Default: the system's name. */
  readonly worker?: string
  /** How many attempts it has, up to 100. */
  readonly attempts?: number
  /** What a new attempt waits. */
  readonly backoff?: { readonly type: 'fixed' | 'exponential'; readonly delay: Duration }
  /** How long an attempt may take, up to 7d. */
  readonly timeout?: Duration
  /** When it starts at the earliest, from now on; up to 7d. */
  readonly delay?: Duration
  /** The same as a time, in place of `delay`. */
  readonly at?: Time
  /** 1 goes first; the default goes before all that have one. */
  readonly priority?: number
  /** When the round turns red if it has not ended, from the submission on; 1s to 7d. */
  readonly deadline?: Duration
  /** `fail`: started once, ever. Default `rerun`: started again where its worker died. */
  readonly ifExecutorDies?: 'rerun' | 'fail'
  /** Ends the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface Submitted {
  /** True for the one submission that made the job. A repetition after a lost answer is not told apart: then false. */
  readonly isFirst: boolean
  /** True if the round was submitted before, for another worker or with other data, which are kept. */
  readonly isConflict: boolean
  readonly round: RoundJson
}

/** The body of a submission. */
export function submissionBody({ signal: _, ...options }: SubmitOptions): object {
  const { backoff, timeout, delay, at, deadline, ...rest } = options
  return {
    ...rest,
    ...(backoff && { backoff: { ...backoff, delay: durationText(backoff.delay) } }),
    timeout: durationText(timeout),
    delay: durationText(delay),
    deadline: durationText(deadline),
    at: timeText('at', at),
  }
}
