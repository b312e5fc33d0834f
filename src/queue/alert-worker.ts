import { type Job, Worker } from 'bullmq'
import type { AlertNewsJson } from '../core/alert-wire.ts'
import { ALERTS_QUEUE } from '../core/job.ts'
import type { Log } from '../core/ports.ts'
import type { RedisClient } from '../redis/connections.ts'
import { retryDelayMs } from './alert-queue.ts'
import { closeWorker } from './close-worker.ts'
import { QUEUE_PREFIX } from './open-queue.ts'

export interface AlertWorkerParts {
  /** Tells the receiver. Rejects if it is to be told again. */
  readonly deliver: (news: AlertNewsJson, stopping: AbortSignal) => Promise<void>
  /** A client that waits for Redis as long as it takes. */
  readonly client: RedisClient
  readonly log: Log
  readonly jobRetentionMs: number
  readonly jobRetentionCount: number
}

/** How deliveries went that this process tried. */
export interface DeliveryCounts {
  delivered: number
  /** Failed, and tried again later. */
  retried: number
  /** Failed for the last time. */
  givenUp: number
}

const CONCURRENCY = 4
/** A delivery takes ten seconds at most; one that was cut off by its server's death is taken up so soon by another. */
const LOCK_MS = 15_000
const STALLED_EVERY_MS = 5_000
/** A server may die in each of many attempts; that is no reason not to tell. */
const MAX_STALLED = 1_000
const STOP_WITHIN_MS = 1_500

/** Delivers what is in the queue of alerts, each at least once. */
export class AlertWorker {
  readonly counts: Readonly<DeliveryCounts>
  private readonly tally: DeliveryCounts = { delivered: 0, retried: 0, givenUp: 0 }
  private readonly worker: Worker<AlertNewsJson, void>
  private readonly stopping = new AbortController()

  constructor(private readonly parts: AlertWorkerParts) {
    this.counts = this.tally
    const keep = { age: Math.ceil(parts.jobRetentionMs / 1_000), count: parts.jobRetentionCount }
    this.worker = new Worker(ALERTS_QUEUE, (job) => this.deliver(job), {
      connection: parts.client,
      prefix: QUEUE_PREFIX,
      autorun: false,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_EVERY_MS,
      maxStalledCount: MAX_STALLED,
      removeOnComplete: keep,
      removeOnFail: keep,
      skipVersionCheck: true,
      settings: { backoffStrategy: retryDelayMs },
    })
    this.worker.on('error', (error) => parts.log.debug({ cause: String(error) }, 'alert worker'))
  }

  start(): void {
    this.worker.run().catch((error) => this.parts.log.error({ cause: String(error) }, 'alert worker ended'))
  }

  /** Cuts off what is being delivered: it is told again, by this server or another. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await closeWorker(this.worker, this.parts.client, STOP_WITHIN_MS)
  }

  private async deliver(job: Job<AlertNewsJson>): Promise<void> {
    const { log, deliver } = this.parts
    const { id, event, alert } = job.data
    const fields = { delivery: id, system: alert.system, name: alert.name, kind: alert.kind, event }
    try {
      await deliver(job.data, this.stopping.signal)
    } catch (error) {
      const attempt = job.attemptsMade + 1
      const isLast = attempt >= (job.opts.attempts ?? 1)
      this.tally[isLast ? 'givenUp' : 'retried'] += 1
      const cause = error instanceof Error ? error.message : String(error)
      if (isLast) log.error({ ...fields, cause }, 'alert not delivered, and not tried again')
      // The first tells the operator; the others are on the board.
      else log[attempt === 1 ? 'warn' : 'debug']({ ...fields, attempt, cause }, 'alert not delivered yet')
      throw new UndeliveredError(cause)
    }
    this.tally.delivered += 1
    log.info(fields, 'alert delivered')
  }
}

/** Why a delivery's job is red. The board shows the stack, and nobody there is helped by ours. */
class UndeliveredError extends Error {
  constructor(reason: string) {
    super(reason)
    this.stack = reason
  }
}
