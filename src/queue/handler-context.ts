import type { Job } from 'bullmq'
import { failureOf } from '../core/rounds/handler-end.ts'
import { MAX_PROGRESS_BYTES } from '../core/rounds/limits.ts'
import type { RoundId } from '../core/rounds/round.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import type { Run } from '../service/rounds/job-runner.ts'
import type { JobLogs } from './job-log.ts'
import type { MadeFor } from './job-queues.ts'

/** What a handler is told and may do; `WorkerContext` of the SDK says it to users. */
export interface HandlerContext extends RoundId {
  readonly fence: number
  readonly attempt: number
  /** What is set of the worker from one place, as its own parser made it; undefined: nothing. */
  readonly config: unknown
  readonly signal: AbortSignal
  readonly traceparent?: string
  readonly log: (line: string) => Promise<void>
  readonly progress: (progress: number | object) => Promise<void>
}

interface ContextParts {
  readonly job: Job
  readonly id: RoundId
  readonly attempt: number
  readonly run: Run
  readonly config: unknown
  readonly logs: JobLogs
  readonly log: Log
  /** The trace that what it begins is part of, where that is not the submission's. */
  readonly traced: string | undefined
}

/** All that it has is its own, so that a handler may take it apart or spread it. */
export class JobContext implements HandlerContext {
  /** One for all: an object whose accessor is made with it takes ten times the memory. */
  private static readonly SIGNAL: PropertyDescriptor = {
    get(this: JobContext) {
      return this.#run.signal
    },
    enumerable: true,
    configurable: true,
  }

  readonly #run: Run
  readonly system: string
  readonly round: string
  readonly attempt: number
  readonly config: unknown
  readonly fence: number
  declare readonly signal: AbortSignal
  declare readonly traceparent?: string
  readonly log: (line: string) => Promise<void>
  readonly progress: (progress: number | object) => Promise<void>

  constructor({ job, id, attempt, run, config, logs, log, traced }: ContextParts) {
    const write = logs.of(job)
    const traceparent = traced ?? (job.opts as MadeFor).traceparent
    this.#run = run
    this.system = id.system
    this.round = id.round
    this.attempt = attempt
    if (traceparent !== undefined) this.traceparent = traceparent
    this.config = config
    this.fence = run.fence
    Object.defineProperty(this, 'signal', JobContext.SIGNAL)
    this.log = (line) => noticed(job, log, 'log', write(line))
    this.progress = (progress) => noticed(job, log, 'progress', showProgress(job, progress, write))
  }
}

/** A handler need not await what it writes: where that fails it is this job's trouble, and not the process'. */
function noticed(job: Job, log: Log, what: string, writing: Promise<unknown>): Promise<void> {
  const written = writing.then(() => undefined)
  written.catch((error: unknown) => {
    log.warn({ round: job.id, cause: failureOf(error).reason }, `${what} of a job not written`)
  })
  return written
}

/** Shows it, or says in the job's log why not: it is no reason to fail. */
async function showProgress(
  job: Job,
  progress: number | object,
  log: (line: string) => Promise<void>,
): Promise<void> {
  const bytes = Buffer.byteLength(JSON.stringify(progress) ?? '')
  if (bytes <= MAX_PROGRESS_BYTES) return job.updateProgress(progress)
  return log(`… a progress was not shown: ${bytes} bytes of JSON, more than ${MAX_PROGRESS_BYTES}`)
}
