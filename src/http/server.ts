import { isUtf8 } from 'node:buffer'
import type { Queue } from 'bullmq'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify'
import type { Log } from '../core/ports.ts'
import { GoneError } from '../errors.ts'
import type { Keyring } from '../service/keyring.ts'
import { Access } from './access.ts'
import { type AlertRoutesParts, alertRoutes } from './alert-routes.ts'
import { acceptAllMethods } from './api.ts'
import { board } from './board.ts'
import { Callers } from './caller.ts'
import { limitConnections } from './connections.ts'
import { docs } from './docs.ts'
import { type HistoryRoutesParts, historyRoutes } from './history-routes.ts'
import { type JobRoutesParts, jobRoutes } from './job-routes.ts'
import { login } from './login.ts'
import { type OpsRoutesParts, opsRoutes } from './ops-routes.ts'
import { Pages } from './pages.ts'
import { answerClientError, answerError, sendProblem } from './problem.ts'
import { RateLimit } from './rate-limit.ts'
import { refusal } from './refusal.ts'
import { type RoundRoutesParts, roundRoutes } from './round-routes.ts'
import { type ScheduleRoutesParts, scheduleRoutes } from './schedule-routes.ts'
import { type SlotRoutesParts, slotRoutes } from './slot-routes.ts'

export interface ServerParts
  extends RoundRoutesParts,
    HistoryRoutesParts,
    JobRoutesParts,
    AlertRoutesParts,
    ScheduleRoutesParts,
    OpsRoutesParts,
    SlotRoutesParts {
  /** All queues there are now, for the board. */
  readonly queues: () => Promise<readonly Queue[]>
  readonly isBoardReadOnly: boolean
  readonly keyring: Keyring
  /** Networks whose X-Forwarded headers are believed. */
  readonly trustedProxies: readonly string[]
  /** Requests a second from each address and with each key; 0: any number. */
  readonly rateLimit: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly log: Log
  readonly version: string
}

const MAX_BODY_BYTES = 16_384
/** Deeper JSON overflows the stack of who writes it again. */
const MAX_BODY_DEPTH = 64
/** What Node's parser takes of request line and headers. */
const MAX_HEADER_BYTES = 16_384
const REQUEST_TIMEOUT_MS = 10_000
const HEADERS_TIMEOUT_MS = 5_000
/** How often slow clients are looked for. Node's own 30 s would be the real timeout. */
const LOOK_FOR_SLOW_MS = 1_000
/** On which nothing moves for so long: who does not read its answer. Longer than the longest wait. */
const SILENT_MS = 90_000
/** Longer than the idle time of common load balancers, so that it is they who close. */
const KEEP_ALIVE_MS = 72_000
/** By then whatever has arrived is answered; a request that has not arrived would hold up the end of this server. */
const DRAIN_MS = 3_000
const CLOSE_IDLE_EVERY_MS = 20

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
    // Node would answer without a body; see refusal.
    http: {
      requireHostHeader: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: LOOK_FOR_SLOW_MS,
    },
    connectionTimeout: SILENT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Longer than any URL that arrives: it is refusal that says what is too long.
    routerOptions: { maxParamLength: MAX_HEADER_BYTES },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error: FastifyError, request, reply) => onError(error, request, reply),
  })
  const callers = new Callers(parts.trustedProxies)
  const { keyring, rateLimit } = parts
  const access = new Access({
    keyring,
    callers,
    ...(rateLimit > 0 && { rateLimit: new RateLimit(rateLimit, () => performance.now()) }),
  })
  app.decorate('access', access)
  const pages = new Pages(access, log)
  limitConnections(app.server, parts)
  closeInTime(app)
  acceptAllMethods(app)
  app.setErrorHandler(onError)
  app.setNotFoundHandler((request, reply) => sendProblem(reply, notFound(request)))
  takeJsonBodies(app)

  await docs(app, parts.version, pages)
  // The API looks for refusals by itself (see serve), because on a GET a hook would cost as much as the answer. Whatever
  // comes after this plugin has the hook.
  await app.register(async (api) => {
    roundRoutes(api, parts)
    historyRoutes(api, parts)
    jobRoutes(api, parts)
    alertRoutes(api, parts)
    scheduleRoutes(api, parts)
    slotRoutes(api, parts)
    opsRoutes(api, parts)
  })
  app.addHook('onRequest', (request, reply, done) => {
    const refused = refusal(request) ?? unknownPath(request)
    // Answered and not thrown: the board's plugin would make an error of its own of it.
    if (refused) sendProblem(reply, refused)
    else done()
  })
  app.get('/', (_, reply) => reply.redirect('/board', 302))
  await app.register(async (scope) => login(scope, pages, log))
  await board(app, { queues: parts.queues, isReadOnly: parts.isBoardReadOnly, pages })
  return app
}

/** Keeps no connection longer than it takes to answer what has arrived on it. */
function closeInTime(app: FastifyInstance): void {
  app.addHook('preClose', async () => {
    const { server } = app
    // Requests that were open are answered without "connection: close", so their callers would keep the connection.
    const idle = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS).unref()
    const late = setTimeout(() => server.closeAllConnections(), DRAIN_MS).unref()
    server.once('close', () => {
      clearInterval(idle)
      clearTimeout(late)
    })
  })
}

/** Paths are judged before bodies: a path that is not there should not be answered 415. */
function unknownPath(request: FastifyRequest): GoneError | undefined {
  return request.is404 ? notFound(request) : undefined
}

function notFound({ method, url }: FastifyRequest): GoneError {
  const path = url.split('?')[0] ?? ''
  return new GoneError('NOT_FOUND', `${method} ${path.slice(0, 256)}: no such path; see /docs`)
}

/** JSON, or no body at all whatever its type says: `curl -d ''` declares a form and sends nothing. */
function takeJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length === 0) return done(null, undefined)
    if (!isUtf8(body)) return done(new GoneError('INVALID_BODY', 'expected valid UTF-8'))
    const text = body.toString()
    if (depthOf(text) > MAX_BODY_DEPTH)
      return done(new GoneError('INVALID_BODY', `expected JSON at most ${MAX_BODY_DEPTH} levels deep`))
    return parse(request, text, done)
  })
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    if (body.length === 0) return done(null, undefined)
    const type = request.headers['content-type'] ?? 'none'
    return done(
      new GoneError(
        'UNSUPPORTED_MEDIA_TYPE',
        `expected a body of application/json, got ${JSON.stringify(type)}`,
      ),
    )
  })
}

/** How deep brackets nest outside of strings. */
function depthOf(json: string): number {
  let depth = 0
  let deepest = 0
  for (const [bracket] of json.replace(/"(?:[^"\\]|\\.)*"/gs, '').matchAll(/[[\]{}]/g)) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1
    deepest = Math.max(deepest, depth)
  }
  return deepest
}
