import type { Job } from 'bullmq'
import { ROUNDS_QUEUE } from '../core/rounds/job.ts'
import type { Completion } from '../core/rounds/record.ts'
import { parseRoundKey } from '../core/rounds/round.ts'
import type { Log, Records, RoundQueue } from '../core/rounds/round-ports.ts'
import { GoneError } from '../errors.ts'
import type { RedisClient } from '../redis/connections.ts'
import type { Calm } from '../service/calm.ts'
import type { Work } from '../service/loop.ts'
import { bullmq } from './bullmq.ts'
import { closeWorker } from './close-worker.ts'
import { HeardWorker } from './heard-worker.ts'
import { prefixOf } from './queue-keys.ts'
import { endOf, NOT_STARTED, type RoundJobResult, unreportedWithin } from './round-job.ts'

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
class RoundNotDone extends bullmq.UnrecoverableError {
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

/**
 * Ends jobs of rounds that BullMQ hands out, as the records say: those that older builds have made, from the election on or to be
 * ended by whoever takes them.
 */
export class SettleWorker implements Work {
  private readonly worker: HeardWorker<unknown, RoundJobResult>

  constructor(private readonly parts: SettleWorkerParts) {
    const keep = { age: Math.ceil(parts.jobRetentionMs / 1_000), count: parts.jobRetentionCount }
    this.worker = new HeardWorker(ROUNDS_QUEUE, (job, token) => this.settle(job, token), {
      connection: parts.client,
      prefix: prefixOf(ROUNDS_QUEUE, parts.client),
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
      if (job && error instanceof OverdueError) void this.settleLater(job)
    })
  }

  start(calm?: Calm): void {
    const ended = (error: unknown) => this.parts.log.error({ cause: String(error) }, 'settle worker ended')
    this.worker.runUnless(calm).catch(ended)
  }

  /** Ends what is being settled. Where Redis does not answer it is cut off: another process settles it again. */
  async stop(): Promise<void> {
    await closeWorker(this.worker, this.parts.client, STOP_WITHIN_MS)
  }

  private async settle(job: Job, token: string | undefined): Promise<RoundJobResult> {
    const ruling = await this.judge(job, token)
    switch (ruling.verdict) {
      case 'finished':
        return settled(ruling.record.completion as Completion)
      case 'pending':
        return this.putOff(job, token, ruling.restMs)
      case 'overdue': {
        throw new OverdueError(unreportedWithin(ruling.record.deadlineMs))
      }
      case 'notStarted':
        throw new OverdueError(NOT_STARTED)
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
    await this.settleLater(job)
    throw new bullmq.DelayedError()
  }

  /** A completion recorded between our look at the record and where we have moved the job found it active, and let it be. */
  private async settleLater(job: Job): Promise<void> {
    const id = parseRoundKey(job.id ?? '')
    try {
      const seen = await this.parts.records.read(id)
      if (seen.record?.completion) await this.parts.queue.show([{ id, ...seen }])
    } catch (cause) {
      this.parts.log.warn({ round: job.id, cause: String(cause) }, 'round not looked at again')
    }
  }
}

function settled(completion: Completion): RoundJobResult {
  const { result, reason } = endOf(completion)
  if (result) return result
  throw new RoundNotDone(reason ?? '')
}
