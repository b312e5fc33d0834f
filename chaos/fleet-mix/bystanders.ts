import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { pause } from '../../src/waiting.ts'
import type { TestRedis } from '../../test/support/redis.ts'
import { monotonicMs } from '../history.ts'
import type { World } from '../world.ts'

const CREW = { folder: 'chaos/crew' }
const TURN_MS = 500
/** Twenty slots each of two, and ten jobs that find none. */
const LONG_AT_ONCE = 50
const LONG_MS = 60_000
const LIMITED_MS = 45_000

/** Workers and queues with which nothing is wrong, though it looks so: idle, held, put off, or with long jobs in every slot. */
export class Bystanders {
  private turn = 0

  constructor(
    private readonly world: World,
    private readonly redis: TestRedis,
    private readonly urls: readonly string[],
  ) {}

  /** @returns how many ms a process takes to begin here */
  async begin(): Promise<number> {
    const startedMs = monotonicMs()
    await this.world.goneWork(this.redis, CREW)
    const tookMs = monotonicMs() - startedMs
    await this.world.goneWork(this.redis, CREW)
    const client = new Redis(this.redis.url, { maxRetriesPerRequest: null })
    client.on('error', () => undefined)
    const queueOf = (name: string) => {
      const queue = new Queue(name, { connection: client, prefix: QUEUE_PREFIX })
      queue.on('error', () => undefined)
      return queue
    }
    const [paused, limited] = [queueOf('paused'), queueOf('limited')]
    await paused.pause()
    await limited.setGlobalConcurrency(1)
    await Promise.all([paused.close(), limited.close()])
    client.disconnect()
    return tookMs
  }

  start(): void {
    // What is cut off here is cut off everywhere.
    this.run().catch(() => undefined)
  }

  private async run(): Promise<void> {
    await this.many('later', 20, 'delayed', {}, { delay: '1h' })
    await this.many('paused', 20, 'paused', {})
    await this.many('limited', 5, 'limited', { sleepMs: LIMITED_MS })
    for (let n = 0; !this.world.isEnded; n += 1) {
      if ((n * TURN_MS) % LONG_MS === 0) await this.many('long', LONG_AT_ONCE, 'long', { sleepMs: LONG_MS })
      if ((n * TURN_MS) % LIMITED_MS === 0) await this.many('more', 1, 'limited', { sleepMs: LIMITED_MS })
      await this.ask(`busy-${n}`, 'busy', { sleepMs: Math.floor(Math.random() * 200) })
      await pause(TURN_MS)
    }
  }

  private async many(
    name: string,
    count: number,
    worker: string,
    data: object,
    more: object = {},
  ): Promise<void> {
    this.turn += 1
    for (let n = 0; n < count; n += 1) await this.ask(`${name}-${this.turn}-${n}`, worker, data, more)
  }

  /** What becomes of them is not looked at. */
  private async ask(round: string, worker: string, data: object, more: object = {}): Promise<void> {
    for (const url of this.urls) {
      const reply = await fetch(`${url}/api/v1/submit/crew/${round}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ worker, data, ...more }),
        signal: AbortSignal.timeout(2_000),
      }).catch(() => undefined)
      if (reply?.ok) return
    }
  }
}
