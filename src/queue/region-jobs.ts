import type { RegionJobs } from '../core/fleet/fleet-ports.ts'
import { regionQueue } from '../core/rounds/job.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { defineSteps, type Steps } from '../redis/steps.ts'
import { queueKey } from './queue-keys.ts'

const AT_ONCE = 200
const FROM = ['wait', 'active', 'delayed', 'prioritized', 'stalled']
const TO = ['wait', 'delayed', 'prioritized', 'marker', 'completed', 'failed']

/** Moves jobs from the queue of a region to that of their worker, each in one step: so there is never one too many. */
export class BullRegionJobs implements RegionJobs {
  private readonly steps: Steps<'move-on'>

  /** @param client one with a command timeout */
  constructor(private readonly client: RedisClient) {
    this.steps = defineSteps(client, { beside: import.meta.url, names: ['move-on'], prefix: 'gone' })
  }

  async moveOn(worker: string, region: string): Promise<number> {
    const [from, to] = [regionQueue(worker, region), worker].map((queue) => queueKey(queue, '', this.client))
    const keys = [...FROM.map((part) => `${from}${part}`), ...TO.map((part) => `${to}${part}`)]
    return attempt('move jobs of a region on', async () => {
      let sum = 0
      for (;;) {
        const [moved, isMore] = await this.steps['move-on'](
          keys.length,
          ...keys,
          from ?? '',
          to ?? '',
          AT_ONCE,
        )
        sum += Number(moved)
        if (isMore !== 1) return sum
      }
    })
  }
}
