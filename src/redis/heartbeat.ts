import type { Cluster, Redis } from 'ioredis'
import { ioredis } from './ioredis.ts'

/** How long a connection may be silent with a command on it before it is given up, and made anew. */
export const SILENT_MS = 6_000
/** No command may keep a connection waiting longer than that, or it would be given up for nothing. */
export const MAX_BLOCK_S = 3
const BEAT_MS = 2_000

/**
 * Asks each connection of the client again and again whether its peer is there. The time limit of a connection, `SILENT_MS`, counts
 * only while something is asked: one that only listens, or has nothing to do, would never notice a peer that is stopped, or a
 * wire that is gone. Ends with the client, and keeps no process alive.
 *
 * @param isCalm true while nobody waits for anything on it
 */
export function keepBeating(client: Redis | Cluster, isCalm: () => boolean): void {
  const timer = setInterval(() => {
    if (isCalm()) return
    const connections = client instanceof ioredis.Cluster ? client.nodes() : [client]
    for (const connection of connections) {
      // What comes of it is the connection's to tell.
      if (connection.status === 'ready') connection.ping().catch(() => undefined)
    }
  }, BEAT_MS).unref()
  client.once('end', () => clearInterval(timer))
}
