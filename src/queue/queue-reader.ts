import type { QueueReader } from '../core/fleet/fleet-ports.ts'
import type { QueueFacts } from '../core/fleet/health.ts'
import { ownerOf } from '../core/rounds/job.ts'
import { attempt } from '../redis/attempt.ts'
import type { QueueState } from './queue-names.ts'

/** What waits in the workers' queues, as BullMQ has it. */
export class BullQueueReader implements QueueReader {
  constructor(private readonly states: () => Promise<readonly QueueState[]>) {}

  async read(): Promise<readonly QueueFacts[]> {
    return attempt('look at the queues', async () => (await this.states()).map(factsOf))
  }
}

function factsOf({ name, counts, due, ended, isHeld }: QueueState): QueueFacts {
  const ready = counts.waiting + counts.prioritized + due
  const pending = counts.waiting + counts.prioritized + counts.delayed + counts.active
  return {
    ...ownerOf(name),
    ready,
    pending,
    active: counts.active,
    taken: ended,
    isHeld: ready > 0 && isHeld,
  }
}
