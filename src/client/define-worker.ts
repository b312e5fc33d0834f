import type { Duration } from './duration.ts'

/** The round's job as a handler gets it. */
export interface WorkerJob<Data> {
  /** The round's key, as the board shows it. */
  readonly id: string
  /** What was submitted. */
  readonly data: Data
}

/** What a handler is told, and may do, beside its data. */
export interface WorkerContext {
  readonly system: string
  readonly round: string
  /** Grows with each start of a round of this system: show it where the effect lands, and refuse lower ones there. */
  readonly fence: number
  /** From 1; a new one follows a failure. A start after a worker's death is the same attempt, under a higher fence. */
  readonly attempt: number
  /** Aborted when the attempt must end: the gate was lost, the time is up, or the worker stops. */
  readonly signal: AbortSignal
  /** Writes a line into the job's log, which the board shows. */
  log(line: string): Promise<void>
  /** Shows progress on the board: a percentage, or any object. */
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
  /** What a new attempt waits. Default: exponential from 1 s. */
  readonly backoff?: { readonly type: 'fixed' | 'exponential'; readonly delay: Duration }
  /** How long a worker may be silent before its jobs are given to another. Default 30 s. */
  readonly lock?: Duration
}

/** What a file in `workers/` exports by default. */
export interface WorkerDefinition<Data = unknown, Result = unknown> {
  readonly options: WorkerOptions
  readonly handler: WorkerHandler<Data, Result>
}

/**
 * Defines a worker: the default export of a file in `workers/`, whose name is the queue that it serves. Its `Data` and
 * `Result` types flow to `submit<typeof worker>` and `schedules.put<typeof worker>`.
 *
 * @example export default defineWorker({ concurrency: 4 }, async (job: WorkerJob<{ to: string }>) => send(job.data.to))
 */
export function defineWorker<Data, Result>(
  options: WorkerOptions,
  handler: WorkerHandler<Data, Result>,
): WorkerDefinition<Data, Result> {
  return { options, handler }
}
