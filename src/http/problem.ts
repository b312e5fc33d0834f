import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import type { Log } from '../core/rounds/round-ports.ts'
import type { ProblemJson } from '../core/rounds/round-wire.ts'
import { ERROR_CODES, type ErrorCode, GoneError } from '../errors.ts'

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8'

/** Answers with the error as RFC 9457 problem details. */
export function sendProblem(reply: FastifyReply, error: GoneError): FastifyReply {
  reply.code(error.status).header('cache-control', 'no-store').type(PROBLEM_TYPE)
  const retryAfterS = error.retryAfterS ?? (error.retryable ? 1 : undefined)
  if (retryAfterS !== undefined) reply.header('retry-after', String(retryAfterS))
  if (error.code === 'UNAUTHORIZED') reply.header('www-authenticate', 'Bearer realm="gone"')
  // Where the next request begins on this connection is anybody's guess.
  if (error.code === 'BAD_REQUEST') reply.header('connection', 'close')
  return reply.send(JSON.stringify(problemJson(error)))
}

export function problemJson(error: GoneError): ProblemJson {
  const { title, status, retryable } = ERROR_CODES[error.code]
  return { title, status, detail: error.message, code: error.code, retryable }
}

/** What Fastify and its parsers throw, in our codes. */
const FASTIFY_CODES: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_BAD_URL: 'INVALID_URL',
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'UNSUPPORTED_MEDIA_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'INVALID_BODY',
  FST_ERR_CTP_INVALID_JSON_BODY: 'INVALID_BODY',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'INVALID_BODY',
}

const CROWD_EVERY_MS = 60_000

/** Turns whatever a handler or Fastify threw into an answer; a defect of ours is logged and says nothing of its inside. */
export function answerError(log: Log) {
  let unsaid = 0
  let saidMs = Number.NEGATIVE_INFINITY
  /** Who is turned away asks again: a line for each would be the next trouble. */
  const warnOfCrowd = (known: GoneError) => {
    if (performance.now() - saidMs < CROWD_EVERY_MS) {
      unsaid += 1
      return
    }
    log.warn({ code: known.code, more: unsaid }, known.message)
    saidMs = performance.now()
    unsaid = 0
  }
  return (error: FastifyError | GoneError | Error, request: FastifyRequest, reply: FastifyReply) => {
    const known = asGoneError(error)
    if (known.code === 'TOO_MANY_STANDBYS') warnOfCrowd(known)
    else if (known.code === 'INTERNAL')
      log.error({ path: pathOf(request), err: error }, 'request failed by a defect')
    else if (known.status >= 500)
      log.warn({ path: pathOf(request), code: known.code, cause: String(known.cause) }, known.message)
    return sendProblem(reply, known)
  }
}

/** Without the query: a candidate's token proves that it leads. */
function pathOf({ url }: FastifyRequest): string {
  return url.split('?')[0] ?? ''
}

function asGoneError(error: FastifyError | GoneError | Error): GoneError {
  if (error instanceof GoneError) return error
  const code = 'code' in error ? FASTIFY_CODES[error.code] : undefined
  if (code !== undefined) return new GoneError(code, error.message, { cause: error })
  const isClients = 'statusCode' in error && (error.statusCode ?? 500) < 500
  if (isClients) return new GoneError('INVALID_BODY', error.message, { cause: error })
  return new GoneError('INTERNAL', 'the server failed; safe to retry', { cause: error })
}

/** Answers, on a bare socket, what Node's parser refused before there was a request. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || socket.destroyed || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const problem = problemJson(clientError(error.code))
  const { status } = problem
  const body = JSON.stringify(problem)
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${PROBLEM_TYPE}\r\ncache-control: no-store\r\n` +
      `connection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

function clientError(code: string | undefined): GoneError {
  if (code === 'HPE_HEADER_OVERFLOW')
    return new GoneError('HEADERS_TOO_LARGE', 'expected at most 16 KiB of request line and headers')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new GoneError('REQUEST_TIMEOUT', 'the request did not arrive in time')
  return new GoneError('BAD_REQUEST', `not a valid HTTP/1.1 request (${code ?? 'unknown'})`)
}
