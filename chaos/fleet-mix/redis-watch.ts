import { Redis } from 'ioredis'
import { pause } from '../../src/waiting.ts'
import type { TestRedis } from '../../test/support/redis.ts'
import { monotonicMs } from '../history.ts'
import type { World } from '../world.ts'
import type { Dips } from './dips.ts'
import type { Marks } from './marks.ts'

const ASK_EVERY_MS = 200
/** A little less than what whoever asks for something waits for it. */
const STALL_MS = 700

interface Told {
  readonly marks: Marks
  readonly dips: Dips
  readonly soonMs: number
  /** How long what was cut off by it may take to be found. */
  readonly afterMs: number
}

/**
 * Asks Redis past all wires. Where it stands still, as on a disk that has much to do, nobody can hold a gate: that is
 * done to all then, and said.
 */
export class RedisWatch {
  stalls = 0
  longestMs = 0
  private readonly client: Redis

  constructor(
    private readonly world: World,
    redis: TestRedis,
    private readonly told: Told,
  ) {
    this.client = new Redis(redis.url, { maxRetriesPerRequest: null })
    this.client.on('error', () => undefined)
    world.onEnd(() => this.client.disconnect())
  }

  start(): void {
    // What is cut off here is cut off everywhere.
    this.run().catch(() => undefined)
  }

  private async run(): Promise<void> {
    const { marks, dips, soonMs, afterMs } = this.told
    while (!this.world.isEnded) {
      const fromMs = monotonicMs()
      await this.client.ping()
      const untilMs = monotonicMs()
      if (untilMs - fromMs > STALL_MS) {
        this.stalls += 1
        this.longestMs = Math.max(this.longestMs, untilMs - fromMs)
        marks.harm({ what: 'Redis did not answer', fromMs, untilMs: untilMs + afterMs })
        dips.excuse({ fromMs, untilMs: untilMs + soonMs })
      }
      await pause(ASK_EVERY_MS)
    }
  }
}
