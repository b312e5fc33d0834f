import { Queue, type QueueOptions } from 'bullmq'
import type { RedisClient } from '../redis/connections.ts'

/** BullMQ's keys share one Cluster slot, which its multi-key scripts need. */
export const QUEUE_PREFIX = '{gone}'

/**
 * A BullMQ queue that callers wait for.
 *
 * @param client one with a command timeout: a dead Redis must be an answer, not a hang
 */
export function openQueue<Data = unknown>(
  name: string,
  client: RedisClient,
  settings?: QueueOptions['settings'],
): Queue<Data> {
  const queue = new Queue<Data>(name, {
    connection: client,
    prefix: QUEUE_PREFIX,
    skipWaitingForReady: true,
    skipVersionCheck: true,
    ...(settings && { settings }),
  })
  // Connection trouble is the client's to log; without a listener it would end the process.
  queue.on('error', () => undefined)
  return queue
}
