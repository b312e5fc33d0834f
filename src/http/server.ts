import type { Queue } from 'bullmq'
import Fastify, { type FastifyError, type FastifyInstance } from 'fastify'
import type { Log } from '../core/ports.ts'
import { GoneError } from '../errors.ts'
import { acceptAllMethods } from './api.ts'
import { board } from './board.ts'
import { docs } from './docs.ts'
import { type HistoryRoutesParts, historyRoutes } from './history-routes.ts'
import { type OpsRoutesParts, opsRoutes } from './ops-routes.ts'
import { answerClientError, answerError, sendProblem } from './problem.ts'
import { type RoundRoutesParts, roundRoutes } from './round-routes.ts'

export interface ServerParts extends RoundRoutesParts, HistoryRoutesParts, OpsRoutesParts {
  readonly queues: readonly Queue[]
  readonly isBoardReadOnly: boolean
  readonly log: Log
  readonly version: string
}

/** Longer than any path and query that we take, shorter than what Node's parser refuses by itself. */
const MAX_URL = 4_096
const MAX_BODY_BYTES = 16_384
const REQUEST_TIMEOUT_MS = 10_000
/** Longer than the idle time of common load balancers, so that it is they who close. */
const KEEP_ALIVE_MS = 72_000

/** The HTTP facade. */
export async function buildServer(parts: ServerParts): Promise<FastifyInstance> {
  const { log } = parts
  const onError = answerError(log)
  const app = Fastify({
    logger: false,
    // HEAD would run an election.
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    routerOptions: { maxParamLength: MAX_URL },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error: FastifyError, request, reply) => onError(error, request, reply),
  })
  acceptAllMethods(app)
  app.setErrorHandler(onError)
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? ''
    return sendProblem(
      reply,
      new GoneError('NOT_FOUND', `${request.method} ${path.slice(0, 256)}: no such path; see /docs`),
    )
  })
  refuseLongUrls(app)
  takeJsonBodies(app)

  await docs(app, parts.version)
  roundRoutes(app, parts)
  historyRoutes(app, parts)
  opsRoutes(app, parts)
  app.get('/', (_, reply) => reply.redirect('/board', 302))
  await board(app, { queues: parts.queues, isReadOnly: parts.isBoardReadOnly })
  return app
}

function refuseLongUrls(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _, done) => {
    if (request.url.length <= MAX_URL) return done()
    done(
      new GoneError(
        'URI_TOO_LONG',
        `expected at most ${MAX_URL} characters of path and query, got ${request.url.length}`,
      ),
    )
  })
}

/** JSON, or no body at all whatever its type says: `curl -d ''` declares a form and sends nothing. */
function takeJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, undefined)
    return parse(request, body as string, done)
  })
  app.addContentTypeParser('*', { parseAs: 'string' }, (request, body, done) => {
    if (body === '') return done(null, undefined)
    const type = JSON.stringify(request.headers['content-type'])
    return done(new GoneError('UNSUPPORTED_MEDIA_TYPE', `expected a body of application/json, got ${type}`))
  })
}
