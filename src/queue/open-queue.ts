import type { Queue, QueueOptions } from 'bullmq'
import type { RedisClient } from '../redis/connections.ts'
import { type Want, wantedIfAny } from '../redis/wants.ts'
import { bullmq } from './bullmq.ts'
import { prefixOf, queueKey } from './queue-keys.ts'

/** A queue in which jobs are that have not ended. */
export function wantsOfJobs(name: string, client: RedisClient): readonly Want[] {
  return ['wait', 'paused', 'active', 'prioritized', 'delayed'].map((state) =>
    wantedIfAny(queueKey(name, state, client)),
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
  const queue = new bullmq.Queue<Data>(name, {
    connection: client,
    prefix: prefixOf(name, client),
    skipWaitingForReady: true,
    skipVersionCheck: true,
    // To look for a job is not to make a queue: nobody lists one that is made so, and nobody would forget it.
    skipMetasUpdate: true,
    ...(settings && { settings }),
  })
  // Connection trouble is the client's to log; without a listener it would end the process.
  queue.on('error', () => undefined)
  return queue
}
