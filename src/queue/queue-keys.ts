import { ownerOf } from '../core/rounds/job.ts'
import { isOneServer, type RedisClient } from '../redis/connections.ts'

/** What BullMQ's keys begin with on one server, and of older builds in a Cluster too: all in one slot. */
export const QUEUE_PREFIX = '{gone}'

/**
 * What BullMQ's keys of a queue begin with on this Redis. Its multi-key scripts need all keys of a queue in one slot of a Cluster; so do
 * ours that move jobs from the queue of a region to that of its worker, and so these two share a slot.
 */
export function prefixOf(queue: string, client: RedisClient): string {
  return isOneServer(client) ? QUEUE_PREFIX : `{gone:${ownerOf(queue).worker}}`
}

/** The workers' queues that are used, by when they last were. No queue can have this name. */
export const NAMES_KEY = `${QUEUE_PREFIX}:~queues`

/** Where older builds kept them, without a time. */
export const OLD_NAMES_KEY = 'gone:queues'

/** What BullMQ keeps of a queue besides its jobs, in the order in which the step that forgets it reads them. */
export const BULL_PARTS: readonly string[] = [
  ...[
    'wait',
    'paused',
    'active',
    'delayed',
    'prioritized',
    'waiting-children',
    'repeat',
    'completed',
    'failed',
  ],
  ...['meta', 'id', 'events', 'marker', 'pc', 'limiter', 'stalled', 'stalled-check', 'metrics:completed'],
  ...['metrics:completed:data', 'metrics:failed', 'metrics:failed:data'],
]

/** Where jobs are noted that are being moved from where an older build kept them. No round has such a key, and nothing of BullMQ. */
export const MOVING = '~moving'

/** A key where older builds keep it; on one server that is where it is. */
export function oldKey(queue: string, part: string): string {
  return `${QUEUE_PREFIX}:${queue}:${part}`
}

/** A key of a queue, or of a job of that id. */
export function queueKey(queue: string, part: string, client: RedisClient): string {
  return `${prefixOf(queue, client)}:${queue}:${part}`
}
