import type { JobInHand, JobsInHand } from '../core/fleet/fleet-ports.ts'
import { ownerOf, regionQueue } from '../core/rounds/job.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { roundOf } from './job-ends.ts'
import { queueKey } from './queue-keys.ts'

/** Of more jobs that run at once, in all queues of an instance together, the rest is not looked at. */
const MOST_LOOKED = 2_000

/** What instances run, by BullMQ's lists of active jobs: it notes in each job which instance has taken it (`pb`), and when. */
export class BullJobsInHand implements JobsInHand {
  constructor(private readonly client: RedisClient) {}

  async of({
    id,
    workers,
    region,
    regional,
  }: Parameters<JobsInHand['of']>[0]): Promise<readonly JobInHand[]> {
    return attempt('read what an instance runs', async () => {
      const queues = workers.flatMap(({ name }) => [name, ...(regional ? [regionQueue(name, region)] : [])])
      const most = Math.ceil(MOST_LOOKED / Math.max(1, queues.length))
      const found = await Promise.all(queues.map((queue) => this.inQueue(queue, id, most)))
      return found.flat().sort((a, b) => a.sinceMs - b.sinceMs)
    })
  }

  private async inQueue(queue: string, instance: string, most: number): Promise<readonly JobInHand[]> {
    const { worker } = ownerOf(queue)
    const keyOf = (name: string) => queueKey(queue, name, this.client)
    const ids = await this.client.lrange(keyOf('active'), 0, most - 1)
    const takes = await Promise.all(ids.map((id) => this.client.hmget(keyOf(id), 'pb', 'processedOn')))
    return ids.flatMap((id, at) => {
      const [by, sinceMs] = takes[at] ?? []
      const round = by === instance ? roundOf({ id }) : undefined
      return round ? [{ worker, round, sinceMs: Number(sinceMs ?? 0) }] : []
    })
  }
}
