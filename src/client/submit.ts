import type { RoundJson } from '../core/rounds/round-wire.ts'
import { type Duration, durationText } from './duration.ts'
import { type Time, timeText } from './time.ts'

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
  /** Where it is run as long as an instance of the worker takes jobs there; else wherever one is free. */
  readonly region?: string
  /** The trace that it is part of (W3C), where no instrumented `fetch` says so: the handler is told. */
  readonly traceparent?: string
  /** Ends the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

export interface Submitted {
  /** True for the one submission that made the job. A repetition after a lost answer is not told apart: then false. */
  readonly isFirst: boolean
  /** True if the round was submitted before, for another worker or with other data, which are kept. */
  readonly isConflict: boolean
  /** `no-worker`: nobody takes the jobs of the worker, as far as the server can see; the round waits until somebody does. */
  readonly warning?: 'no-worker'
  readonly round: RoundJson
}

/** The body of a submission. */
export function submissionBody({ signal: _, traceparent: __, ...options }: SubmitOptions): object {
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
