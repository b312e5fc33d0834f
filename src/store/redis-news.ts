import { type RoundId, roundKey } from '../core/rounds/round.ts'
import type { RoundNews } from '../core/rounds/round-ports.ts'
import type { RedisClient } from '../redis/connections.ts'
import { endsWithin } from '../waiting.ts'

/** How long whoever begins to listen waits for Redis to say that it does. */
const SUBSCRIBED_WITHIN_MS = 500

/** Where the completion of a round is announced. One channel a round, so that nobody hears of rounds it does not wait for. */
export function roundChannel(id: RoundId): string {
  return `gone:finished:${roundKey(id)}`
}

/**
 * Finished rounds, over Redis publish and subscribe. A message can be lost with the connection, so whoever listens
 * also looks at the record from time to time.
 */
export class RedisNews implements RoundNews {
  private readonly listeners = new Map<string, Set<() => void>>()

  /** @param subscriber a client of its own: once it subscribes it can do nothing else */
  constructor(private readonly subscriber: RedisClient) {
    subscriber.on('message', (channel: string) => {
      for (const onFinished of this.listeners.get(channel) ?? []) onFinished()
    })
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
