import type { Pokes } from '../../core/fleet/fleet-ports.ts'
import type { RedisClient } from '../../redis/connections.ts'

const CHANNEL = 'gone:fleet:poke'

/** Pokes over Redis publish and subscribe. One can be lost with the connection, so instances also ask. */
export class RedisPokes implements Pokes {
  private readonly listeners = new Map<string, () => void>()

  /**
   * @param client what pokes
   * @param subscriber a client of its own that listens, where this process does: once it subscribes it can do nothing else
   */
  constructor(
    private readonly client: RedisClient,
    private readonly subscriber?: RedisClient,
  ) {
    subscriber?.on('message', (channel: string, text: string) => {
      if (channel !== CHANNEL) return
      const ids = text === '*' ? [...this.listeners.keys()] : text.split(' ')
      for (const id of ids) this.listeners.get(id)?.()
    })
  }

  async poke(ids: readonly string[]): Promise<void> {
    await this.client.publish(CHANNEL, ids.join(' '))
  }

  async listen(id: string, onPoke: () => void): Promise<() => void> {
    this.listeners.set(id, onPoke)
    await this.subscriber?.subscribe(CHANNEL)
    return () => void this.listeners.delete(id)
  }
}
