import { setMaxListeners } from 'node:events'
import { DelayedError, type Job, UnrecoverableError, WaitingError, Worker } from 'bullmq'
import type { Backoff } from '../core/job.ts'
import type { Log } from '../core/ports.ts'
import { parseRoundKey, type RoundId } from '../core/round.ts'
import { type ErrorCode, GoneError } from '../errors.ts'
import type { RedisClient } from '../redis/connections.ts'
import { type AttemptEnd, type JobRunner, RoundFailed, type Run } from '../service/job-runner.ts'
import { closeWorker } from './close-worker.ts'
import { QUEUE_PREFIX } from './open-queue.ts'

/** What a worker says of itself where a submission does not. */
export interface WorkerTerms {
  readonly concurrency: number
  readonly attempts: number
  readonly backoff: Backoff
  readonly timeoutMs?: number
  /** How long a worker may be silent before BullMQ takes it for dead. */
  readonly lockMs: number
}

/** What a handler is told and may do; `WorkerContext` of the SDK says it to users. */
export interface HandlerContext extends RoundId {
  readonly fence: number
  readonly attempt: number
  readonly signal: AbortSignal
  readonly log: (line: string) => Promise<void>
  readonly progress: (progress: number | object) => Promise<void>
}

export interface JobWorkerParts {
  readonly queue: string
  readonly terms: WorkerTerms
  readonly handler: (data: unknown, context: HandlerContext) => Promise<unknown>
  readonly runner: JobRunner
  /** A client that waits for Redis as long as it takes. */
  readonly client: RedisClient
  readonly log: Log
  /** For display: `mailer@host:4711`. */
  readonly address: string
  readonly jobRetentionMs: number
  readonly jobRetentionCount: number
}

/** BullMQ gives a job up for dead so often before it fails it; the record bounds it better, with a reason. */
const MAX_STALLED = 1_000_000
/** What ended an attempt that was not the handler's doing. */
const NO_ATTEMPT_SPENT: readonly ErrorCode[] = ['STORE_UNAVAILABLE', 'GATE_LOST']

/** Takes the jobs of one queue, runs each by the runner, and tells BullMQ how it ended. */
export class JobWorker {
  private readonly worker: Worker
  private readonly stopping = new AbortController()

  constructor(private readonly parts: JobWorkerParts) {
    const { queue, terms, client, log } = parts
    // Each running job listens; Node would warn from the eleventh on.
    setMaxListeners(0, this.stopping.signal)
    const keep = { age: Math.ceil(parts.jobRetentionMs / 1_000), count: parts.jobRetentionCount }
    this.worker = new Worker(queue, (job, token) => this.run(job, token), {
      connection: client,
      prefix: QUEUE_PREFIX,
      autorun: false,
      concurrency: terms.concurrency,
      lockDuration: terms.lockMs,
      stalledInterval: Math.max(1_000, Math.floor(terms.lockMs / 2)),
      maxStalledCount: MAX_STALLED,
      removeOnComplete: keep,
      removeOnFail: keep,
    })
    this.worker.on('error', (error) => log.warn({ queue, cause: error.message }, 'worker trouble'))
  }

  start(): void {
    const { log, queue } = this.parts
    this.worker.run().catch((error) => log.error({ queue, cause: String(error) }, 'worker ended'))
  }

  /** Takes no more jobs, waits `drainMs` for those that run, then aborts them and returns them to the queue by `endMs`. */
  async stop(drainMs: number, endMs: number): Promise<void> {
    const cutOff = setTimeout(() => this.stopping.abort(new Error('the worker stops')), drainMs)
    await closeWorker(this.worker, this.parts.client, endMs)
    clearTimeout(cutOff)
  }

  private async run(job: Job, token: string | undefined): Promise<unknown> {
    const id = parseRoundKey(job.id ?? '')
    // A submission without terms of its own leaves them to the worker; BullMQ reads them here when an attempt ends.
    const attempts = job.opts.attempts || this.parts.terms.attempts
    const { type, delayMs } = this.parts.terms.backoff
    job.opts.attempts = attempts
    job.opts.backoff ??= { type, delay: delayMs }
    const number = job.attemptsMade + 1
    const attempt = {
      id,
      address: this.parts.address,
      number,
      isLast: number >= attempts,
      isFirst: job.attemptsStarted <= 1,
    }
    const { timeoutMs } = this.parts.terms

    try {
      const end = await this.parts.runner.run(
        { ...attempt, ...(timeoutMs !== undefined && { timeoutMs }) },
        (run) => this.handle(job, id, number, run),
        this.stopping.signal,
      )
      return await this.conclude(job, token, end)
    } catch (error) {
      if (error instanceof RoundFailed) throw new UnrecoverableError(error.message)
      if (error instanceof GoneError) {
        await note(job, error.message)
        // A store that cannot answer must not spend an attempt: after the last one nobody would end the round.
        if (NO_ATTEMPT_SPENT.includes(error.code)) return putOff(job, token, 1_000)
      }
      throw error
    }
  }

  private handle(job: Job, id: RoundId, attempt: number, run: Run): Promise<unknown> {
    return this.parts.handler(job.data, {
      ...id,
      attempt,
      fence: run.fence,
      get signal() {
        return run.signal
      },
      log: async (line) => void (await job.log(line)),
      progress: (progress) => job.updateProgress(progress),
    })
  }

  private async conclude(job: Job, token: string | undefined, end: AttemptEnd): Promise<unknown> {
    switch (end.kind) {
      case 'completed':
        return end.result
      case 'skipped':
        await note(job, `not run: ${end.why}`)
        return { skipped: end.why }
      case 'putOff':
        await note(job, `put off: ${end.why}`)
        return end.ms === 0 ? giveBack(job, token) : putOff(job, token, end.ms)
    }
  }
}

/** Writes into the job's log, if that can be written: it must not decide how the attempt ends. */
async function note(job: Job, line: string): Promise<void> {
  await job.log(line).catch(() => undefined)
}

async function putOff(job: Job, token: string | undefined, ms: number): Promise<never> {
  await job.moveToDelayed(Date.now() + ms, token)
  throw new DelayedError()
}

async function giveBack(job: Job, token: string | undefined): Promise<never> {
  await job.moveToWait(token)
  throw new WaitingError()
}
