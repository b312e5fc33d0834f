import type { Queue } from 'bullmq'
import { type Alert, type AlertNews, deliveryId } from '../core/alerts/alert.ts'
import type { AlertQueue } from '../core/alerts/alert-ports.ts'
import { type AlertNewsJson, alertNewsJson } from '../core/alerts/alert-wire.ts'
import { ALERTS_QUEUE } from '../core/rounds/job.ts'
import type { RedisClient } from '../redis/connections.ts'
import { openQueue } from './open-queue.ts'

/** About a day of attempts, at the pace of `retryDelayMs`. */
const ATTEMPTS = 300
const MAX_RETRY_MS = 300_000

/** The data of a job; `receiver` says who is told, where there are several. */
export type AlertDelivery = AlertNewsJson & { readonly receiver?: string }

/** What is to be told, as BullMQ jobs: a delivery that fails is tried again, and shown on the board until it succeeds. */
export class BullAlertQueue implements AlertQueue {
  readonly queue: Queue<AlertDelivery>

  /**
   * @param client one with a command timeout: a dead Redis must be an answer, not a hang
   * @param receivers their ids, where there are several: each is told by a job of its own
   */
  constructor(
    client: RedisClient,
    private readonly receivers: readonly string[] = [],
  ) {
    this.queue = openQueue<AlertDelivery>(ALERTS_QUEUE, client)
  }

  async add(news: AlertNews): Promise<void> {
    if (this.receivers.length === 0) return this.addFor(news)
    for (const receiver of this.receivers) await this.addFor(news, receiver)
  }

  private async addFor(news: AlertNews, receiver?: string): Promise<void> {
    const { system, name, kind } = news.alert
    const told = { ...alertNewsJson(news), ...(receiver !== undefined && { receiver }) }
    await this.queue.add(`${system}/${name} ${kind} ${news.event}`, told, {
      jobId: jobIdOf(news, receiver),
      attempts: ATTEMPTS,
      backoff: { type: 'custom' },
    })
  }

  /** Whether the receiver is yet to be told, by a job, that the alert has begun: false too where that was given up, or is forgotten. */
  async isOpeningAhead(id: string, receiver: string | undefined): Promise<boolean> {
    const state = await this.queue.getJobState(jobIdOf({ event: 'opened', alert: { id } }, receiver))
    return !ENDED.includes(state)
  }

  async stop(): Promise<void> {
    await this.queue.close()
  }
}

const ENDED: readonly string[] = ['completed', 'failed', 'unknown']

function jobIdOf(news: Pick<AlertNews, 'event'> & { readonly alert: Pick<Alert, 'id'> }, receiver?: string) {
  return receiver === undefined ? deliveryId(news) : `${deliveryId(news)}-${receiver}`
}

/**
 * 1 s, 2 s, 4 s and so on, up to five minutes.
 *
 * @param askedMs what the receiver asks for. One that asks for less is not told the more often: the attempts must last for a day
 */
export function retryDelayMs(attempts: number, askedMs = 0): number {
  return Math.max(askedMs, Math.min(1_000 * 2 ** Math.min(attempts - 1, 20), MAX_RETRY_MS))
}
