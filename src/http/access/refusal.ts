import type { FastifyRequest } from 'fastify'
import { GoneError } from '../../errors.ts'

/** Longer than any path and query that we take, shorter than what Node's parser refuses by itself. */
const MAX_URL = 4_096

/** What is wrong with a request whatever route it takes, before its body is read. */
export function refusal(request: FastifyRequest): GoneError | undefined {
  const { headers, httpVersion, rawHeaders, url = '' } = request.raw
  if (url.length > MAX_URL) {
    return new GoneError(
      'URI_TOO_LONG',
      `expected at most ${MAX_URL} characters of path and query, got ${url.length}`,
    )
  }
  // The router would end the path here, and so take another round than the one that was meant.
  if (url.includes('#')) return new GoneError('INVALID_URL', 'expected a path without a bare "#"; write %23')
  if (headers.host === undefined && httpVersion === '1.1')
    return new GoneError('BAD_REQUEST', 'not a valid HTTP/1.1 request (no Host header)')
  if (httpVersion === '0.9') return new GoneError('BAD_REQUEST', 'not a valid HTTP/1.1 request (no version)')
  // Parsers of older Nodes let these pass: the path would be another round than it looks, and a header that some proxy
  // reads differently is how requests are smuggled.
  if (NOT_IN_URLS.test(url)) return new GoneError('BAD_REQUEST', 'expected a percent-encoded path and query')
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    if (!HEADER_NAME.test(name))
      return new GoneError('BAD_REQUEST', `not a header name: ${JSON.stringify(name)}`)
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
  }
  if (hosts > 1) return new GoneError('BAD_REQUEST', 'not a valid HTTP/1.1 request (several Host headers)')
  return undefined
}

const NOT_IN_URLS = /[^\x21-\x7e]/
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
