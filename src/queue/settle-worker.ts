import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq'
import { formatDuration } from '../core/duration.ts'
import { ROUNDS_QUEUE } from '../core/job.ts'
import type { Log, Records, RoundQueue } from '../core/ports.ts'
import type { Completion } from '../core/record.ts'
import { parseRoundKey } from '../core/round.ts'
import { GoneError } from '../errors.ts'
import type { RedisClient } from '../redis/connections.ts'
import { closeWorker } from './close-worker.ts'
import { QUEUE_PREFIX } from './open-queue.ts'
import type { RoundJobResult } from './round-queue.ts'

export interface SettleWorkerParts {
  /** A client that waits for Redis as long as it takes. */
  readonly client: RedisClient
  readonly records: Records
  readonly queue: RoundQueue
  readonly log: Log
  readonly jobRetentionMs: number
  readonly jobRetentionCount: number
}

/** Why a round's job is red. The board shows the stack, and nobody there is helped by ours. */
class RoundNotDone extends UnrecoverableError {
  constructor(reason: string) {
    super(reason)
    this.stack = reason
  }
}

/** The deadline came without a report. */
class OverdueError extends RoundNotDone {}

const CONCURRENCY = 16
/** Settling takes ms: what was under way when its process or Redis died is settled anew soon, and as often as it takes. */
const LOCK_MS = 5_000
const MAX_STALLED = 1_000_000
const RETRY_MS = 1_000
const STOP_WITHIN_MS = 1_500

/** Ends the rounds' jobs as the records say: completed, failed, or red because nobody reported in time. */
export class SettleWorker {
  private readonly worker: Worker<unknown, RoundJobResult>

  constructor(private readonly parts: SettleWorkerParts) {
    const keep = { age: Math.ceil(parts.jobRetentionMs / 1_000), count: parts.jobRetentionCount }
    this.worker = new Worker(ROUNDS_QUEUE, (job, token) => this.settle(job, token), {
      connection: parts.client,
      prefix: QUEUE_PREFIX,
      autorun: false,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: LOCK_MS,
      maxStalledCount: MAX_STALLED,
      removeOnComplete: keep,
      removeOnFail: keep,
      skipVersionCheck: true,
    })
    this.worker.on('error', (error) => parts.log.debug({ cause: String(error) }, 'settle worker'))
    this.worker.on('failed', (job, error) => {
      if (job && error instanceof OverdueError) void this.lookAgain(job)
    })
  }

  start(): void {
    this.worker.run().catch((error) => this.parts.log.error({ cause: String(error) }, 'settle worker ended'))
  }

  /** Ends what is being settled. Where Redis does not answer it is cut off: another process settles it again. */
  async stop(): Promise<void> {
    await closeWorker(this.worker, this.parts.client, STOP_WITHIN_MS)
  }

  private async settle(job: Job, token: string | undefined): Promise<RoundJobResult> {
    const ruling = await this.judge(job, token)
    switch (ruling.verdict) {
      case 'finished':
        return endOf(ruling.record.completion as Completion)
      case 'pending':
        return this.putOff(job, token, ruling.restMs)
      case 'overdue': {
        const within = formatDuration(ruling.record.deadlineMs)
        this.parts.log.warn(
          { round: job.id, leader: ruling.record.leader },
          `no completion reported within ${within}`,
        )
        throw new OverdueError(`no completion reported within ${within}`)
      }
      case 'notStarted':
        throw new OverdueError('no worker has started it by its deadline')
      case 'notLed':
        throw new RoundNotDone('the record of this round has expired or was lost')
    }
  }

  private async judge(job: Job, token: string | undefined) {
    try {
      return await this.parts.records.expire(parseRoundKey(job.id ?? ''))
    } catch (error) {
      // A store that cannot answer must not turn a round red.
      if (error instanceof GoneError && error.retryable) return this.putOff(job, token, RETRY_MS)
      throw error
    }
  }

  private async putOff(job: Job, token: string | undefined, ms: number): Promise<never> {
    await job.moveToDelayed(Date.now() + ms, token)
    await this.lookAgain(job)
    throw new DelayedError()
  }

  /** A completion recorded between our look at the record and where we have moved the job found it active, and let it be. */
  private async lookAgain(job: Job): Promise<void> {
    const id = parseRoundKey(job.id ?? '')
    try {
      const { record } = await this.parts.records.read(id)
      if (record?.completion) await this.parts.queue.close(id)
    } catch (cause) {
      this.parts.log.warn({ round: job.id, cause: String(cause) }, 'round not looked at again')
    }
  }
}

function endOf({ outcome, by, detail }: Completion): RoundJobResult {
  if (outcome === 'failed') throw new RoundNotDone(detail || 'the leader reported a failure without a reason')
  return { outcome, completedBy: by, ...(detail && { result: JSON.parse(detail) as unknown }) }
}
