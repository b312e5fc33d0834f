import type { Queue } from 'bullmq'
import { type AlertNews, deliveryId } from '../core/alert.ts'
import type { AlertQueue } from '../core/alert-ports.ts'
import { type AlertNewsJson, alertNewsJson } from '../core/alert-wire.ts'
import { ALERTS_QUEUE } from '../core/job.ts'
import type { RedisClient } from '../redis/connections.ts'
import { openQueue } from './open-queue.ts'

/** About a day of attempts, at the pace of `retryDelayMs`. */
const ATTEMPTS = 300
const MAX_RETRY_MS = 300_000

/** What is to be told, as BullMQ jobs: a delivery that fails is tried again, and shown on the board until it succeeds. */
export class BullAlertQueue implements AlertQueue {
  readonly queue: Queue<AlertNewsJson>

  /** @param client one with a command timeout: a dead Redis must be an answer, not a hang */
  constructor(client: RedisClient) {
    this.queue = openQueue<AlertNewsJson>(ALERTS_QUEUE, client)
  }

  async add(news: AlertNews): Promise<void> {
    const { system, name, kind } = news.alert
    await this.queue.add(`${system}/${name} ${kind} ${news.event}`, alertNewsJson(news), {
      jobId: deliveryId(news),
      attempts: ATTEMPTS,
      backoff: { type: 'custom' },
    })
  }

  async stop(): Promise<void> {
    await this.queue.close()
  }
}

/** 1 s, 2 s, 4 s and so on, up to five minutes. */
export function retryDelayMs(attemptsMade: number): number {
  return Math.min(1_000 * 2 ** Math.min(attemptsMade - 1, 20), MAX_RETRY_MS)
}
