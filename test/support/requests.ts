import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { expect } from 'vitest'
import { ERROR_CODES, type ErrorCode } from '../../src/errors.ts'

export interface Call {
  readonly method?: string
  /** Sent as it stands: fetch would normalise it. */
  readonly path: string
  /** A header with a list is sent once for each. */
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: string | Buffer
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** `ip:port` of the caller, as the server sees it. */
  readonly caller: string
  readonly tookMs: number
}

const ANSWERED_WITHIN_MS = 20_000

/** One HTTP request, with nothing added or corrected on the way. Rejects if there is no answer. */
export function send(url: string, call: Call): Promise<Answer> {
  const { hostname, port } = new URL(url)
  const { method = 'GET', path, headers = {}, body } = call
  const startMs = performance.now()
  return new Promise((resolve, reject) => {
    const sent = request(
      { hostname, port, method, path, headers, timeout: ANSWERED_WITHIN_MS },
      (response) => {
        const { localAddress, localPort } = response.socket
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', reject)
        response.once('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
            caller: `${localAddress}:${localPort}`,
            tookMs: performance.now() - startMs,
          }),
        )
      },
    )
    sent.once('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer`)))
    sent.once('error', reject)
    sent.end(body)
  })
}

/** Sends bytes and reads until the server closes; the first answer in it. */
export function sendBytes(url: string, bytes: string | Buffer): Promise<Omit<Answer, 'caller' | 'tookMs'>> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes))
    const chunks: Buffer[] = []
    socket.setTimeout(ANSWERED_WITHIN_MS, () => socket.destroy(new Error('the server does not close')))
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('error', reject)
    socket.once('end', () => {
      socket.end()
      const [head = '', ...rest] = Buffer.concat(chunks).toString().split('\r\n\r\n')
      const [first = '', ...lines] = head.split('\r\n')
      resolve({
        status: Number(first.split(' ')[1]),
        headers: Object.fromEntries(lines.map((line) => line.toLowerCase().split(': ') as [string, string])),
        text: rest.join('\r\n\r\n'),
      })
    })
  })
}

/** Expects RFC 9457 problem details with the code and the status that goes with it; returns its detail. */
export function expectProblem(answer: Pick<Answer, 'status' | 'headers' | 'text'>, code: ErrorCode): string {
  const { status, title, retryable } = ERROR_CODES[code]
  const body = JSON.parse(answer.text || '{}') as { detail?: string }
  const { 'content-type': type, 'cache-control': cache, 'retry-after': retryAfter } = answer.headers
  expect({ status: answer.status, type, cache, body }).toEqual({
    status,
    type: 'application/problem+json; charset=utf-8',
    cache: 'no-store',
    body: { title, status, detail: expect.stringMatching(/^.{5,1000}$/s), code, retryable },
  })
  expect(retryAfter).toBe(code === 'QUOTA_EXCEEDED' ? '60' : retryable ? '1' : undefined)
  return String(body.detail)
}
