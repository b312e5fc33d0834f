import type { Queue } from 'bullmq'
import type { Submission } from '../core/job.ts'
import type { JobQueues } from '../core/ports.ts'
import { type RoundId, roundKey } from '../core/round.ts'
import type { RedisClient } from '../redis/connections.ts'
import { openQueue } from './open-queue.ts'

/** Where the names of all queues are kept that were ever submitted to, for the board and metrics of every process. */
const QUEUES_KEY = 'gone:queues'
const STATES = ['waiting', 'active', 'delayed', 'prioritized', 'completed', 'failed'] as const

/** The workers' queues in BullMQ, opened when they are first used. */
export class BullJobQueues implements JobQueues {
  private readonly queues = new Map<string, Queue>()
  private readonly listed = new Set<string>()

  /** @param client one with a command timeout: a dead Redis must be an answer, not a hang */
  constructor(private readonly client: RedisClient) {}

  async add(id: RoundId, submission: Pick<Submission, 'queue' | 'data' | 'queueTerms'>): Promise<void> {
    const { queue, data, queueTerms } = submission
    const { attempts, backoff, delayMs, priority } = queueTerms
    await this.list(queue)
    await this.open(queue).add(id.system, data ?? null, {
      jobId: roundKey(id),
      ...(attempts !== undefined && { attempts }),
      ...(backoff && { backoff: { type: backoff.type, delay: backoff.delayMs } }),
      ...(delayMs !== undefined && { delay: delayMs }),
      ...(priority !== undefined && { priority }),
    })
  }

  async remove(id: RoundId, queue: string): Promise<void> {
    await this.open(queue).remove(roundKey(id))
  }

  async counts(): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>> {
    const queues = await this.all()
    const counts = await Promise.all(queues.map((queue) => queue.getJobCounts(...STATES)))
    return Object.fromEntries(queues.map((queue, index) => [queue.name, counts[index] ?? {}]))
  }

  /** All queues that any process has submitted to. */
  async all(): Promise<readonly Queue[]> {
    const names = await this.client.smembers(QUEUES_KEY)
    return names.sort().map((name) => this.open(name))
  }

  /** Lists queues anew as they are used: the store may have lost that they are listed. */
  relist(): void {
    this.listed.clear()
  }

  async stop(): Promise<void> {
    await Promise.all([...this.queues.values()].map((queue) => queue.close()))
  }

  private async list(name: string): Promise<void> {
    if (this.listed.has(name)) return
    await this.client.sadd(QUEUES_KEY, name)
    this.listed.add(name)
  }

  private open(name: string): Queue {
    const known = this.queues.get(name)
    if (known) return known
    const queue = openQueue(name, this.client)
    this.queues.set(name, queue)
    return queue
  }
}
