import type { ServerFacts, Servers } from '../core/servers.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { redisNowMs } from '../redis/redis-clock.ts'
import { defineSteps, type Steps } from '../redis/steps.ts'

/** The servers, each as JSON, by when it was last heard. */
const KEY = 'gone:{~servers}:heard'
/** Three beats and a moment, or one in the calm, and again. */
const HEARD_WITHIN_MS = 16_000
const MAX_LISTED = 1_000

export class RedisServers implements Servers {
  private readonly steps: Steps<'hear'>

  constructor(private readonly client: RedisClient) {
    this.steps = defineSteps(client, {
      beside: import.meta.url,
      prefix: 'gone',
      names: ['hear'],
      keyCount: 1,
    })
  }

  async beat(server: ServerFacts): Promise<void> {
    await attempt('tell of this server', () => this.steps.hear(KEY, JSON.stringify(server), HEARD_WITHIN_MS))
  }

  async leave(server: ServerFacts): Promise<void> {
    await attempt('leave the servers', () => this.client.zrem(KEY, JSON.stringify(server)))
  }

  async list(): Promise<{ readonly servers: readonly ServerFacts[]; readonly nowMs: number }> {
    const nowMs = await redisNowMs(this.client)
    const heard = await attempt('list the servers', () =>
      this.client.zrangebyscore(KEY, nowMs - HEARD_WITHIN_MS, '+inf', 'LIMIT', 0, MAX_LISTED),
    )
    const servers = heard.map((text) => JSON.parse(text) as ServerFacts)
    return { servers: servers.toSorted(compare), nowMs }
  }
}

function compare(one: ServerFacts, other: ServerFacts): number {
  if (one.host !== other.host) return one.host < other.host ? -1 : 1
  return one.pid - other.pid
}
