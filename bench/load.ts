import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'

/** What one load came to; latencies are sorted. */
export interface LoadResult {
  readonly answers: number
  readonly elapsedMs: number
  readonly latenciesMs: Float64Array
}

export interface Load {
  readonly url: string
  readonly connections: number
  /** Default: GET. A POST has no body. */
  readonly method?: 'POST'
  /** The path of the next request; undefined ends the load. Called once a request, so each can ask for a round of its own. */
  readonly nextPath: () => string | undefined
  /** What every answer has to be; one that is not ends the bench. */
  readonly status: number
  /** No request is sent after that. */
  readonly durationMs: number
}

/** An answer that takes longer than this is a failure, not a figure. */
const ANSWER_WITHIN_MS = 10_000

/**
 * Asks over `connections` kept-alive connections, on each the next request as soon as the last is answered.
 *
 * A generator of our own, because each request needs a path of its own and an exact latency, and because it must not
 * be the limit: see docs/bench.md for how it compares to autocannon.
 */
export async function load({
  url,
  connections,
  method,
  nextPath,
  status,
  durationMs,
}: Load): Promise<LoadResult> {
  const opened = await openConnections(url, connections)
  const latencies: number[] = []
  const startedMs = performance.now()
  let lastMs = startedMs

  const work = (connection: Connection) =>
    new Promise<void>((resolve, reject) => {
      connection.onFailure = reject
      let sentMs = performance.now()
      const send = () => {
        const path = sentMs - startedMs < durationMs ? nextPath() : undefined
        if (path === undefined) return resolve()
        const hear = (answered: number) => {
          if (answered !== status) return reject(new Error(`${path}: expected ${status}, got ${answered}`))
          lastMs = performance.now()
          latencies.push(lastMs - sentMs)
          sentMs = lastMs
          send()
        }
        connection.ask(path, hear, method)
      }
      send()
    })

  try {
    await Promise.all(opened.map(work))
  } finally {
    for (const connection of opened) connection.close()
  }
  return {
    answers: latencies.length,
    elapsedMs: lastMs - startedMs,
    latenciesMs: Float64Array.from(latencies).sort(),
  }
}

export async function openConnections(url: string, count: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => Connection.open(url)))
}

/** One kept-alive HTTP connection with at most one request under way. It reads only what the answers here consist of. */
export class Connection {
  /** Told when the connection breaks or an answer does not come. */
  onFailure: (error: Error) => void = () => undefined
  private onAnswer: ((status: number) => void) | undefined
  private received = ''

  private constructor(
    private readonly socket: Socket,
    private readonly host: string,
  ) {
    socket.setNoDelay(true)
    socket.setTimeout(ANSWER_WITHIN_MS)
    socket.on('data', (bytes) => this.read(bytes))
    socket.on('timeout', () => socket.destroy(new Error(`no answer within ${ANSWER_WITHIN_MS} ms`)))
    socket.on('error', (error) => this.onFailure(error))
    socket.on('close', () => this.onFailure(new Error(`${host} closed a connection`)))
  }

  static async open(url: string): Promise<Connection> {
    const { hostname, port, host } = new URL(url)
    const socket = connect({ host: hostname, port: Number(port) })
    await once(socket, 'connect')
    return new Connection(socket, host)
  }

  ask(path: string, onAnswer: (status: number) => void, method?: 'POST'): void {
    this.onAnswer = onAnswer
    const empty = method === undefined ? '' : 'Content-Length: 0\r\n'
    this.socket.write(
      `${method ?? 'GET'} ${path} HTTP/1.1\r\nHost: ${this.host}\r\nConnection: keep-alive\r\n${empty}\r\n`,
      'latin1',
    )
  }

  close(): void {
    this.onFailure = () => undefined
    this.socket.destroy()
  }

  private read(bytes: Buffer): void {
    this.received += bytes.toString('latin1')
    const headEnd = this.received.indexOf('\r\n\r\n')
    if (headEnd < 0) return
    const status = Number(this.received.slice(9, 12))
    if (this.received.length < headEnd + 4 + (status === 204 ? 0 : bodyLength(this.received, headEnd))) return
    this.received = ''
    this.onAnswer?.(status)
  }
}

function bodyLength(answer: string, headEnd: number): number {
  const length = /\r\ncontent-length: (\d+)/i.exec(answer.slice(0, headEnd))?.[1]
  if (length === undefined) throw new Error(`an answer without content-length: ${answer.slice(0, 200)}`)
  return Number(length)
}
