import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A wire that can break. It keeps the order of the bytes: what it loses, it loses up to the end of the connection. */
export interface TcpProxy {
  readonly port: number
  readonly redisUrl: string
  readonly httpUrl: string
  /** From now on each piece takes so long in each direction. */
  delay(ms: number): void
  /** From now on nothing gets through in this direction; the connections stay up. */
  drop(direction: 'requests' | 'replies'): void
  /** What is sent next with this text in it never arrives, and its connection is cut. Once. */
  swallowRequest(text: string): void
  /** What is sent next with this text in it arrives; its reply does not, and its connection is cut. Once. */
  swallowReply(text: string): void
  /** Ends all connections, in the middle of whatever is under way. */
  cut(): void
  /** New connections are refused. */
  refuse(): void
  /** Ends all connections; new ones get through whole. */
  heal(): void
  /** How many requests and replies were swallowed by `swallowRequest` and `swallowReply`. */
  readonly swallowed: number
  stop(): Promise<void>
}

interface Wire {
  readonly client: Socket
  readonly server: Socket
  /** The next bytes of the server are the reply that is to be lost. */
  losesReply: boolean
}

export async function startProxy(targetPort: number): Promise<TcpProxy> {
  const wires = new Set<Wire>()
  const queues = new WeakMap<Socket, { chunk: Buffer; dueMs: number }[]>()
  let delayMs = 0
  let dropped: 'requests' | 'replies' | undefined
  let isRefusing = false
  let swallowed = 0
  const requestsToLose = new Set<string>()
  const repliesToLose = new Set<string>()

  function close(wire: Wire): void {
    wires.delete(wire)
    wire.client.destroy()
    wire.server.destroy()
  }

  function onRequest(wire: Wire, chunk: Buffer): void {
    if (dropped === 'requests') return
    if (takeFrom(requestsToLose, chunk)) {
      swallowed += 1
      close(wire)
      return
    }
    if (takeFrom(repliesToLose, chunk)) wire.losesReply = true
    send(wire.server, chunk)
  }

  function onReply(wire: Wire, chunk: Buffer): void {
    if (wire.losesReply) {
      swallowed += 1
      close(wire)
      return
    }
    if (dropped !== 'replies') send(wire.client, chunk)
  }

  /** A queue for each end: timers alone would let a piece overtake one whose delay was longer. */
  function send(to: Socket, chunk: Buffer): void {
    const queue = queues.get(to) ?? []
    queue.push({ chunk, dueMs: performance.now() + delayMs })
    queues.set(to, queue)
    if (queue.length === 1) drain(to, queue)
  }

  function drain(to: Socket, queue: { chunk: Buffer; dueMs: number }[]): void {
    for (let first = queue[0]; first; first = queue[0]) {
      const restMs = first.dueMs - performance.now()
      if (restMs > 0) {
        setTimeout(drain, Math.ceil(restMs), to, queue)
        return
      }
      if (to.writable) to.write(first.chunk)
      queue.shift()
    }
  }

  const server = createServer((client) => {
    if (isRefusing) {
      client.destroy()
      return
    }
    const wire: Wire = { client, server: connect(targetPort, '127.0.0.1'), losesReply: false }
    wires.add(wire)
    client.setNoDelay(true)
    wire.server.setNoDelay(true)
    client.on('data', (chunk) => onRequest(wire, chunk))
    wire.server.on('data', (chunk) => onReply(wire, chunk))
    for (const socket of [client, wire.server]) {
      socket.on('error', () => close(wire))
      socket.once('close', () => close(wire))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo

  function cut(): void {
    for (const wire of [...wires]) close(wire)
  }

  return {
    port,
    redisUrl: `redis://127.0.0.1:${port}`,
    httpUrl: `http://127.0.0.1:${port}`,
    get swallowed() {
      return swallowed
    },
    delay(ms) {
      delayMs = ms
    },
    drop(direction) {
      dropped = direction
    },
    swallowRequest: (text) => void requestsToLose.add(text),
    swallowReply: (text) => void repliesToLose.add(text),
    cut,
    refuse() {
      isRefusing = true
      cut()
    },
    heal() {
      cut()
      delayMs = 0
      dropped = undefined
      isRefusing = false
      requestsToLose.clear()
      repliesToLose.clear()
    },
    async stop() {
      const closed = once(server, 'close')
      server.close()
      cut()
      await closed
    },
  }
}

function takeFrom(texts: Set<string>, chunk: Buffer): boolean {
  for (const text of texts) {
    if (chunk.includes(text)) return texts.delete(text)
  }
  return false
}
