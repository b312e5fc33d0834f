import { isIP } from 'node:net'
import type { Cluster, Redis } from 'ioredis'
import { ioredis } from './ioredis.ts'
import type { RedisNode } from './redis-url.ts'

const CHANNEL = '+switch-master'

interface SentinelsToHear {
  /** A client of each. */
  readonly sentinels: readonly Redis[]
  readonly primary: string
  /** Told where the new primary is. */
  readonly onFailover: (primary: RedisNode) => void
}

/**
 * Hears from the sentinels that another Redis is the primary now. The old one may go on answering for a while, and what it
 * acknowledges then is lost.
 *
 * @returns what ends it
 */
export function watchFailover({ sentinels, primary, onFailover }: SentinelsToHear): () => void {
  for (const sentinel of sentinels) {
    // One that is down is the trouble of whoever asks it for the primary.
    sentinel.on('error', () => undefined)
    sentinel.on('message', (_channel: string, text: string) => {
      // "name old-host old-port new-host new-port"
      const [name, , , host = '', port] = text.split(' ')
      if (name === primary) onFailover({ host, port: Number(port) })
    })
    sentinel.subscribe(CHANNEL).catch(() => undefined)
  }
  return () => {
    for (const sentinel of sentinels) sentinel.disconnect()
  }
}

/** Has a client ask the sentinels again; false if it is there already, or asks as it is. */
export function moveTo({ host, port }: RedisNode, client: Redis | Cluster): boolean {
  if (client instanceof ioredis.Cluster || !['connect', 'ready'].includes(client.status)) return false
  const { remoteAddress, remotePort } = (client.stream ?? {}) as {
    remoteAddress?: string
    remotePort?: number
  }
  // A name says nothing of where the connection goes to.
  if (isIP(host) !== 0 && remoteAddress === host && remotePort === port) return false
  // Not in order: an old primary that is stopped says nothing more.
  client.stream?.destroy()
  return true
}
