import type { Job } from 'bullmq'
import { deliveryId } from '../core/alerts/alert.ts'
import type { Alerts } from '../core/alerts/alert-ports.ts'
import type { AlertNewsJson } from '../core/alerts/alert-wire.ts'
import { ALERTS_QUEUE } from '../core/rounds/job.ts'
import { isJobFailed, laterMsOf } from '../core/rounds/job-failed.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import type { RedisClient } from '../redis/connections.ts'
import type { Calm } from '../service/calm.ts'
import type { Work } from '../service/loop.ts'
import { type AlertDelivery, type BullAlertQueue, retryDelayMs } from './alert-queue.ts'
import { bullmq } from './bullmq.ts'
import { closeWorker } from './close-worker.ts'
import { HeardWorker } from './heard-worker.ts'
import { prefixOf } from './queue-keys.ts'

export interface AlertWorkerParts {
  /** Tells the receiver. Rejects if it is to be told again, with JobFailed if it is not, with JobLater when. */
  readonly deliver: (
    news: AlertNewsJson,
    receiver: string | undefined,
    stopping: AbortSignal,
  ) => Promise<void>
  readonly queue: Pick<BullAlertQueue, 'isOpeningAhead'>
  readonly alerts: Pick<Alerts, 'isUnqueued'>
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

/** They only wait: receivers that do not answer leave room for those that do. */
const CONCURRENCY = 64
/** A delivery takes ten seconds at most; one that was cut off by its server's death is taken up so soon by another. */
const LOCK_MS = 15_000
const STALLED_EVERY_MS = 5_000
/** A server may die in each of many attempts; that is no reason not to tell. */
const MAX_STALLED = 1_000
const STOP_WITHIN_MS = 1_500

/** Delivers what is in the queue of alerts, each at least once. */
export class AlertWorker implements Work {
  readonly counts: Readonly<DeliveryCounts>
  private readonly tally: DeliveryCounts = { delivered: 0, retried: 0, givenUp: 0 }
  private readonly worker: HeardWorker<AlertDelivery, void>
  private readonly stopping = new AbortController()

  constructor(private readonly parts: AlertWorkerParts) {
    this.counts = this.tally
    const keep = { age: Math.ceil(parts.jobRetentionMs / 1_000), count: parts.jobRetentionCount }
    this.worker = new HeardWorker(ALERTS_QUEUE, (job, token) => this.takeUp(job, token), {
      connection: parts.client,
      prefix: prefixOf(ALERTS_QUEUE, parts.client),
      autorun: false,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_EVERY_MS,
      maxStalledCount: MAX_STALLED,
      removeOnComplete: keep,
      removeOnFail: keep,
      skipVersionCheck: true,
      settings: {
        backoffStrategy: (made, _, error) =>
          retryDelayMs(made, error instanceof Undelivered ? error.afterMs : undefined),
      },
    })
    this.worker.on('error', (error) => parts.log.debug({ cause: String(error) }, 'alert worker'))
  }

  start(calm?: Calm): void {
    const ended = (error: unknown) => this.parts.log.error({ cause: String(error) }, 'alert worker ended')
    this.worker.runUnless(calm).catch(ended)
  }

  /** Cuts off what is being delivered: it is told again, by this server or another. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await closeWorker(this.worker, this.parts.client, STOP_WITHIN_MS)
  }

  /** Who is told that an alert has ended before they hear that it has begun could not end it. That is put off, which is no attempt. */
  private async takeUp(job: Job<AlertDelivery>, token: string | undefined): Promise<void> {
    const { receiver, event, alert } = job.data
    if (event === 'resolved' && (await this.isOpeningAhead(alert.id, receiver))) {
      await job.moveToDelayed(Date.now() + retryDelayMs(job.attemptsStarted), token)
      throw new bullmq.DelayedError()
    }
    await this.deliver(job)
  }

  private async isOpeningAhead(id: string, receiver: string | undefined): Promise<boolean> {
    const { alerts, queue } = this.parts
    // In this order: it leaves the outbox only when it is in the queue.
    if (await alerts.isUnqueued(deliveryId({ event: 'opened', alert: { id } }))) return true
    return queue.isOpeningAhead(id, receiver)
  }

  private async deliver(job: Job<AlertDelivery>): Promise<void> {
    const { log, deliver } = this.parts
    const { receiver, ...news } = job.data
    const { id, event, alert } = news
    const fields = { delivery: id, system: alert.system, name: alert.name, kind: alert.kind, event }
    try {
      await deliver(news, receiver, this.stopping.signal)
    } catch (error) {
      const attempt = job.attemptsMade + 1
      const isLast = isJobFailed(error) || attempt >= (job.opts.attempts ?? 1)
      this.tally[isLast ? 'givenUp' : 'retried'] += 1
      const cause = error instanceof Error ? error.message : String(error)
      if (isLast) log.error({ ...fields, cause }, 'alert not delivered, and not tried again')
      // The first tells the operator; the others are on the board.
      else log[attempt === 1 ? 'warn' : 'debug']({ ...fields, attempt, cause }, 'alert not delivered yet')
      throw isJobFailed(error) ? new Refused(cause) : new Undelivered(cause, laterMsOf(error))
    }
    this.tally.delivered += 1
    log.info(fields, 'alert delivered')
  }
}

/** Why a delivery's job is red. The board shows the stack, and nobody there is helped by ours. */
class Undelivered extends Error {
  constructor(
    reason: string,
    readonly afterMs: number | undefined,
  ) {
    super(reason)
    this.stack = reason
  }
}

/** The same where it is not tried again. */
class Refused extends bullmq.UnrecoverableError {
  constructor(reason: string) {
    super(reason)
    this.stack = reason
  }
}
