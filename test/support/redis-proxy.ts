import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface RedisProxy {
  readonly url: string
  /** From now on Redis is heard by nobody: commands arrive, replies do not. */
  swallowReplies(): void
  /** The next command that has this text reaches Redis; the connection breaks in place of the reply. */
  loseReplyTo(text: string): void
  /** Ends all connections; new ones get through, and replies too. */
  heal(): void
  /** Ends all connections, in the middle of whatever is under way. */
  cut(): void
  stop(): Promise<void>
}

/**
 * A wire to Redis, or another server, that can break. It keeps the order of the bytes.
 *
 * @param portOf a function where that may come back at another port
 */
export async function startRedisProxy(portOf: number | (() => number)): Promise<RedisProxy> {
  const sockets = new Set<Socket>()
  let isSwallowing = false
  let lost: string | undefined

  function keep(socket: Socket): void {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  }

  const server = createServer((client) => {
    const redis = connect(typeof portOf === 'number' ? portOf : portOf(), '127.0.0.1')
    for (const socket of [client, redis]) keep(socket)
    let isLosing = false
    client.on('data', (chunk) => {
      if (lost !== undefined && chunk.includes(lost)) {
        isLosing = true
        lost = undefined
      }
      redis.write(chunk)
    })
    redis.on('data', (chunk) => {
      if (isLosing) client.destroy()
      else if (!isSwallowing) client.write(chunk)
    })
    client.once('close', () => redis.destroy())
    redis.once('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')

  function cut(): void {
    for (const socket of sockets) socket.destroy()
  }

  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallowReplies() {
      isSwallowing = true
    },
    loseReplyTo(text) {
      lost = text
    },
    heal() {
      cut()
      isSwallowing = false
    },
    cut,
    async stop() {
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    },
  }
}
