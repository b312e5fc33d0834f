import { Queue, type QueueOptions } from 'bullmq'
import type { RedisClient } from '../redis/connections.ts'
import { type Want, wantedIfAny } from '../redis/wants.ts'

/** BullMQ's keys share one Cluster slot, which its multi-key scripts need. */
export const QUEUE_PREFIX = '{gone}'

/** A queue in which jobs are that have not ended. */
export function wantsOfJobs(name: string): readonly Want[] {
  return ['wait', 'paused', 'active', 'prioritized', 'delayed'].map((state) =>
    wantedIfAny(`${QUEUE_PREFIX}:${name}:${state}`),
  )
}

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
