import type { LookupAddress } from 'node:dns'
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { Tail } from '../process/tail.ts'

export interface HttpCall {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** The addresses to connect to, whatever the host's name resolves to by then. */
  readonly addresses: readonly LookupAddress[]
  readonly signal: AbortSignal
}

export interface HttpAnswer {
  readonly status: number
  /** The end of the answer's body, up to 1 KiB. */
  readonly tail: string
  /** The header `Retry-After`, as it came. */
  readonly retryAfter?: string
}

/** The rest is not read: the connection is closed. */
const MAX_RESPONSE_BYTES = 65_536
const TAIL_BYTES = 1_024

/**
 * One HTTP request on a connection of its own, in bounded memory. Follows no redirect.
 *
 * @throws the system's error if there is no answer, or the signal's if it was aborted
 */
export function call({ url, method, headers, body, addresses, signal }: HttpCall): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest
    // No agent: a connection that is kept open would be found by its host's name, past the check of its address.
    const sent = request(url, { method, headers, signal, agent: false, lookup: lookupAmong(addresses) })
    let isAnswered = false
    sent.on('response', (response) => {
      isAnswered = true
      const retryAfter = response.headers['retry-after']
      const said = { status: response.statusCode ?? 0, ...(retryAfter !== undefined && { retryAfter }) }
      tailOf(response).then((tail) => resolve({ ...said, tail }), reject)
    })
    sent.on('error', reject)
    sent.on('close', () => {
      if (!isAnswered) reject(new Error('the connection was closed without an answer'))
    })
    sent.end(body)
  })
}

async function tailOf(response: IncomingMessage): Promise<string> {
  const tail = new Tail(TAIL_BYTES)
  let leftBytes = MAX_RESPONSE_BYTES
  for await (const chunk of response as AsyncIterable<Buffer>) {
    tail.add(chunk.subarray(0, leftBytes))
    leftBytes -= chunk.length
    if (leftBytes <= 0) break
  }
  return tail.text()
}

/** Node asks for all addresses where it tries several in turn, and for one where it does not. */
function lookupAmong(addresses: readonly LookupAddress[]): LookupFunction {
  return (_host, options, callback) => {
    const [first] = addresses
    if (first === undefined) return callback(new Error('the host has no address'), '', 0)
    if (options.all) return callback(null, [...addresses])
    return callback(null, first.address, first.family)
  }
}
