import type { FastifyRequest } from 'fastify'
import { GoneError } from '../errors.ts'

/** Longer than any path and query that we take, shorter than what Node's parser refuses by itself. */
const MAX_URL = 4_096

/** What is wrong with a request whatever route it takes, before its body is read. */
export function refusal(request: FastifyRequest): GoneError | undefined {
  const { headers, httpVersion, url = '' } = request.raw
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
  return undefined
}
