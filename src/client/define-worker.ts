import type { Duration } from './duration.ts'

/** The round's job as a handler gets it. */
export interface WorkerJob<Data> {
  /** The round's key, as the board shows it. */
  readonly id: string
  /** What was submitted. */
  readonly data: Data
}

/**
 * What a handler is told, and may do, beside its data: also call other workers. A call that it makes is given up when its own attempt
 * must end.
 */
export interface WorkerContext extends Calls {
  readonly system: string
  readonly round: string
  /** Grows with each start of a round of this system: show it where the effect lands, and refuse lower ones there. */
  readonly fence: number
  /** From 1; a new one follows a failure. A start after a worker's death is the same attempt, under a higher fence. */
  readonly attempt: number
  /** What is set of this worker from one place (`gone fleet config`), as the worker's `config` made it; undefined: nothing. */
  readonly config: unknown
  /** Aborted when the attempt must end: the gate was lost, the time is up, or the worker stops. */
  readonly signal: AbortSignal
  /** The trace that the submission was part of (W3C `traceparent`), to go on in: missing where it was in none. */
  readonly traceparent?: string
  /** Writes a line into the job's log, which the board shows. A long line is cut; a log of too many lines ends with a note. */
  log(line: string): Promise<void>
  /** Shows progress on the board: a percentage, or any object of up to 4 KiB of JSON; of a larger one the log tells. */
  progress(progress: number | object): Promise<void>
}

export type WorkerHandler<Data, Result> = (
  job: WorkerJob<Data>,
  context: WorkerContext,
) => Promise<Result> | Result

/** How a worker runs its jobs; a submission's own attempts, backoff and timeout go before. */
export interface WorkerOptions {
  /** How many jobs one process runs at a time. Default 1. */
  readonly concurrency?: number
  /** How long an attempt may take. Default: as long as it likes. */
  readonly timeout?: Duration
  /** How many attempts a round has before it is recorded as failed. Default 1. */
  readonly attempts?: number
  /** What a new attempt waits, up to 7 days. Default: exponential from 1 s. */
  readonly backoff?: { readonly type: 'fixed' | 'exponential'; readonly delay: Duration }
  /** How long a worker may be silent before its jobs are given to another, from 1 s to 7 days. Default 30 s. */
  readonly lock?: Duration
  /**
   * Makes of what is set from one place (`gone fleet config`) the `config` that handlers are given; what it throws says why it does not
   * take that, and the worker goes on as before. Default: as it is set.
   */
  readonly config?: (config: unknown) => unknown
  /**
   * Called once, before its process takes jobs: sees whether it can do its work, such as by asking its database. What it throws, or
   * that it takes longer than 30 s, ends the process: a release whose workers are not ready is rolled back.
   */
  readonly ready?: () => Promise<void> | void
}

/** What a file in `workers/` exports by default. */
export interface WorkerDefinition<Data = unknown, Result = unknown> {
  readonly options: WorkerOptions
  readonly handler: WorkerHandler<Data, Result>
}

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

export interface WorkerCallOptions {
  /** How long it may take, waiting included, up to 10m; then it is given up. Default 10s. */
  readonly timeout?: Duration
  /** Whose rounds the call is of. Default: the worker's name. */
  readonly system?: string
  /** A token for this one call: the same again is the same call. Default: a random one. */
  readonly request?: string
  /** It waits where no worker is there, in place of being refused at once. */
  readonly queue?: boolean
  /** Where it is run as long as an instance of the worker takes jobs there; else wherever one is free. */
  readonly region?: string
  /** Gives the call up; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

/** Ask a worker, and be told what its handler returns. */
export interface Calls {
  /**
   * What the worker's handler returns. It is started again only where its worker died. Who needs data and result typed names the
   * worker: `call<typeof worker>`.
   *
   * @throws GoneError `CALL_FAILED` with the handler's reason; `CALL_GIVEN_UP` if it had no end within its timeout; `NO_WORKER` if
   *   none is there; from a handler also `CALL_TOO_DEEP`, and `CALL_DEADLOCK` if it could never begin
   */
  call<Worker extends AnyWorker = WorkerDefinition>(
    worker: string,
    data: DataOf<Worker>,
    options?: WorkerCallOptions,
  ): Promise<ResultOf<Worker>>
  /** The same, started once, ever: where its worker dies the call has failed. */
  callOnce<Worker extends AnyWorker = WorkerDefinition>(
    worker: string,
    data: DataOf<Worker>,
    options?: WorkerCallOptions,
  ): Promise<ResultOf<Worker>>
}

/**
 * Defines a worker: the default export of a file in `workers/`, whose name is the queue that it serves. Its `Data` and
 * `Result` types flow to `submit<typeof worker>` and `schedules.put<typeof worker>`.
 *
 * @param options may be left out
 * @example export default defineWorker({ concurrency: 4 }, async (job: WorkerJob<{ to: string }>) => send(job.data.to))
 */
export function defineWorker<Data, Result>(
  handler: WorkerHandler<Data, Result>,
): WorkerDefinition<Data, Result>
export function defineWorker<Data, Result>(
  options: WorkerOptions,
  handler: WorkerHandler<Data, Result>,
): WorkerDefinition<Data, Result>
export function defineWorker<Data, Result>(
  ...given:
    | [handler: WorkerHandler<Data, Result>]
    | [options: WorkerOptions, handler: WorkerHandler<Data, Result>]
): WorkerDefinition<Data, Result> {
  const [first, second] = given
  return typeof first === 'function'
    ? { options: {}, handler: first }
    : { options: first, handler: second as WorkerHandler<Data, Result> }
}
