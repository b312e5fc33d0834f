import type { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { Queue } from 'bullmq'
import { LRUCache } from 'lru-cache'

/** Besides the queues of workers that were used last, how many that somebody has asked for by their address. */
const MAX_ASKED = 20

/** Queues come up, and are forgotten, while the server runs: whoever looks sees those of that moment, and the one asked for. */
export class ShownQueues {
  private readonly shown = new Map<string, { readonly queue: Queue; readonly adapter: BullMQAdapter }>()
  private readonly asked = new LRUCache<string, true>({ max: MAX_ASKED })

  /** @param queues those to show, and of these others those that there are */
  constructor(
    private readonly queues: (others: readonly string[]) => Promise<readonly Queue[]>,
    private readonly adapterOf: (queue: Queue) => BullMQAdapter,
  ) {}

  /** What the board shows to whoever asks for this address of it. */
  async at(url: string): Promise<readonly BullMQAdapter[]> {
    const name = queueIn(url)
    if (name !== undefined) this.asked.set(name, true)
    const found = await this.queues([...this.asked.keys()])
    const names = new Set(found.map((queue) => queue.name))
    for (const name of this.shown.keys()) if (!names.has(name)) this.shown.delete(name)
    for (const queue of found) {
      // One of many may have been closed, and opened anew.
      if (this.shown.get(queue.name)?.queue === queue) continue
      this.shown.set(queue.name, { queue, adapter: this.adapterOf(queue) })
    }
    return [...this.shown.values()].map(({ adapter }) => adapter)
  }
}

/** The queue that an address of the board is of. */
function queueIn(url: string): string | undefined {
  const { pathname, searchParams } = new URL(url, 'http://board')
  const escaped = /^\/board\/(?:api\/queues|queue)\/([^/]+)/.exec(pathname)?.[1]
  return escaped === undefined ? (searchParams.get('activeQueue') ?? undefined) : decodeURIComponent(escaped)
}
