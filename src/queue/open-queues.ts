import type { Queue } from 'bullmq'
import { LRUCache } from 'lru-cache'

/** Queues that are opened when they are first used. Of too many the one that has not been used longest is closed; whatever has it in hand goes on. */
export class OpenQueues {
  private readonly queues: LRUCache<string, Queue>

  constructor(
    /** How many are open at the most. */
    max: number,
    private readonly openOne: (name: string) => Queue,
  ) {
    this.queues = new LRUCache({ max, dispose: (queue) => void queue.close().catch(() => undefined) })
  }

  open(name: string): Queue {
    const known = this.queues.get(name)
    if (known) return known
    const queue = this.openOne(name)
    this.queues.set(name, queue)
    return queue
  }

  async close(): Promise<void> {
    await Promise.all([...this.queues.values()].map((queue) => queue.close()))
  }
}
