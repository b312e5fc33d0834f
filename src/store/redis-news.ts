import { randomBytes } from 'node:crypto'
import type { RoundId } from '../core/rounds/round.ts'
import type { RoundNews, Sighting } from '../core/rounds/round-ports.ts'
import type { RedisClient } from '../redis/connections.ts'
import { endsWithin } from '../waiting.ts'
import { sightingOf } from './records/redis-records.ts'
import { earChannel, roundChannel } from './round-channel.ts'

/** How long whoever begins to listen waits for Redis to say that it does. */
const SUBSCRIBED_WITHIN_MS = 500

/**
 * Finished rounds, over Redis publish and subscribe. A message can be lost with the connection, so whoever listens
 * also looks at the record from time to time.
 */
export class RedisNews implements RoundNews {
  private readonly listeners = new Map<string, Set<() => void>>()
  private readonly heard = new Map<string, Set<(seen: Sighting) => void>>()
  private readonly own = earChannel(randomBytes(9).toString('base64url'))
  private hasEar = false

  /** @param subscriber a client of its own: once it subscribes it can do nothing else */
  constructor(private readonly subscriber: RedisClient) {
    subscriber.on('message', (channel: string, message: string) => {
      if (channel === this.own) this.tell(message)
      for (const onFinished of this.listeners.get(channel) ?? []) onFinished()
    })
    subscriber.subscribe(this.own).then(
      () => {
        this.hasEar = true
      },
      () => undefined,
    )
  }

  /** A client that has lost its connection subscribes again by itself. */
  get ear(): string | undefined {
    return this.hasEar && this.subscriber.status === 'ready' ? this.own : undefined
  }

  hear(id: RoundId, onEnd: (seen: Sighting) => void): () => void {
    const channel = roundChannel(id)
    const all = this.heard.get(channel) ?? new Set()
    this.heard.set(channel, all.add(onEnd))
    return () => {
      all.delete(onEnd)
      if (all.size === 0 && this.heard.get(channel) === all) this.heard.delete(channel)
    }
  }

  private tell(message: string): void {
    const [channel, nowMs, fields] = JSON.parse(message) as [string, number, string[]]
    for (const onEnd of this.heard.get(channel) ?? []) onEnd(sightingOf(['told', nowMs, fields]))
  }

  async listen(id: RoundId, onFinished: () => void): Promise<() => void> {
    const channel = roundChannel(id)
    const known = this.listeners.get(channel)
    if (known) known.add(onFinished)
    else this.listeners.set(channel, new Set([onFinished]))
    if (!known) await this.subscribe(channel)
    return () => this.leave(channel, onFinished)
  }

  /** Where Redis cannot be reached now, this client would wait for it; the listener's own look at the record must do. */
  private async subscribe(channel: string): Promise<void> {
    await endsWithin(
      SUBSCRIBED_WITHIN_MS,
      this.subscriber.subscribe(channel).catch(() => undefined),
    )
  }

  private leave(channel: string, onFinished: () => void): void {
    const listeners = this.listeners.get(channel)
    listeners?.delete(onFinished)
    if (listeners?.size !== 0) return
    this.listeners.delete(channel)
    this.subscriber.unsubscribe(channel).catch(() => undefined)
  }
}
