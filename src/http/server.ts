import { isUtf8 } from 'node:buffer'
import type { IncomingMessage } from 'node:http'
import type { Queue } from 'bullmq'
import type { FastifyError, FastifyInstance, FastifyRequest } from 'fastify'
import { withoutBasePath } from '../base-path.ts'
import { lossOf } from '../core/exact-json.ts'
import type { RoundId } from '../core/rounds/round.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import type { Sessions } from '../core/session.ts'
import type { Tracer } from '../core/tracing.ts'
import { GoneError } from '../errors.ts'
import type { Calm } from '../service/calm.ts'
import type { Keyring } from '../service/keyring.ts'
import type { Shares } from '../service/shares.ts'
import { Access } from './access/access.ts'
import { auditChanges, type Change } from './access/audit.ts'
import { Callers } from './access/caller.ts'
import { limitConnections } from './access/connections.ts'
import { isDeeperThan } from './access/json-depth.ts'
import { Origins } from './access/origins.ts'
import { refusal } from './access/refusal.ts'
import { logRequests } from './access/request-log.ts'
import { traceRequests } from './access/trace-requests.ts'
import { acceptAllMethods } from './api.ts'
import { fastify } from './fastify.ts'
import { claimJob } from './job-share.ts'
import { answerNotFound, type NotFound } from './not-found.ts'
import type { ConsoleAssets } from './pages/assets.ts'
import { answerBelow } from './pages/below.ts'
import { board } from './pages/board.ts'
import { consolePages } from './pages/console.ts'
import { consoleApi } from './pages/console-api.ts'
import { docs } from './pages/docs.ts'
import { checkLate } from './pages/late.ts'
import { login } from './pages/login.ts'
import { Pages } from './pages/pages.ts'
import { changeStream } from './pages/stream.ts'
import { answerClientError, answerError, sendProblem } from './problem.ts'
import { actorOf } from './requests.ts'
import { notOpened } from './round-refusals.ts'
import { type AlertRoutesParts, alertRoutes } from './routes/alert-routes.ts'
import { type CallRoutesParts, callRoutes } from './routes/call-routes.ts'
import { type ConfigRoutesParts, configRoutes } from './routes/config-routes.ts'
import { type ControlRoutesParts, controlRoutes } from './routes/control-routes.ts'
import { type FleetRoutesParts, fleetRoutes } from './routes/fleet-routes.ts'
import { type HistoryRoutesParts, historyRoutes } from './routes/history-routes.ts'
import { type JobRoutesParts, jobRoutes } from './routes/job-routes.ts'
import { type KeyRoutesParts, keyRoutes } from './routes/key-routes.ts'
import { type LogRoutesParts, logRoutes } from './routes/log-routes.ts'
import { type OpsRoutesParts, opsRoutes } from './routes/ops-routes.ts'
import { type OrderRoutesParts, orderRoutes } from './routes/order-routes.ts'
import { type PoolRoutesParts, poolRoutes } from './routes/pool-routes.ts'
import { type PulseRoutesParts, pulseRoutes } from './routes/pulse-routes.ts'
import { type QueueRoutesParts, queueRoutes } from './routes/queue-routes.ts'
import { type RoundJobRoutesParts, roundJobRoutes } from './routes/round-job-routes.ts'
import { type RoundRoutesParts, roundRoutes } from './routes/round-routes.ts'
import { type ScheduleRoutesParts, scheduleRoutes } from './routes/schedule-routes.ts'
import { type SeriesRoutesParts, seriesRoutes } from './routes/series-routes.ts'
import { type SlotRoutesParts, slotRoutes } from './routes/slot-routes.ts'
import { type StatusRoutesParts, statusRoutes } from './routes/status-routes.ts'
import { type TakeRoutesParts, takeRoutes } from './routes/take-routes.ts'

export interface ServerParts
  extends RoundRoutesParts,
    HistoryRoutesParts,
    RoundJobRoutesParts,
    KeyRoutesParts,
    JobRoutesParts,
    CallRoutesParts,
    ControlRoutesParts,
    AlertRoutesParts,
    FleetRoutesParts,
    LogRoutesParts,
    OrderRoutesParts,
    PulseRoutesParts,
    QueueRoutesParts,
    StatusRoutesParts,
    ConfigRoutesParts,
    PoolRoutesParts,
    SeriesRoutesParts,
    ScheduleRoutesParts,
    OpsRoutesParts,
    SlotRoutesParts,
    TakeRoutesParts {
  /** The queues to show on the board now, and of these others those that there are. */
  readonly queues: (others: readonly string[]) => Promise<readonly Queue[]>
  readonly isBoardReadOnly: boolean
  /** What browsers load to show the console; undefined where it was not built. */
  readonly consoleAssets: () => ConsoleAssets | undefined
  readonly keyring: Keyring
  readonly calm: Calm
  readonly sessions: Sessions
  readonly shares: Shares
  /** Told of each change that was made; missing: nobody is. */
  readonly noteChange?: (change: Change) => void
  /** Told of what is asked of rounds; missing: nobody is. */
  readonly tracer?: Tracer
  readonly host: string
  /** As `GONE_BASE_PATH` has it; empty where there is none. */
  readonly basePath: string
  readonly allowedHosts: readonly string[]
  /** Networks whose X-Forwarded headers are believed. */
  readonly trustedProxies: readonly string[]
  /** Requests a second from each address and with each key; 0: any number. */
  readonly rateLimit: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly log: Log
  /** As `GONE_LOG_LEVEL` has it. */
  readonly logLevel: string
  readonly version: string
}

const MAX_BODY_BYTES = 16_384
/** Deeper JSON overflows the stack when it is serialised. */
const MAX_BODY_DEPTH = 64
/** What Node's parser takes of request line and headers. */
const MAX_HEADER_BYTES = 16_384
const REQUEST_TIMEOUT_MS = 10_000
const HEADERS_TIMEOUT_MS = 5_000
/** How often slow clients are looked for. Node's own 30 s would be the real timeout. */
const LOOK_FOR_SLOW_MS = 1_000
/** A connection on which nothing moves for so long is one whose caller does not read the answer. Longer than the longest wait. */
const SILENT_MS = 90_000
/** Longer than the idle time of common load balancers, so that it is they who close. */
const KEEP_ALIVE_MS = 72_000
/** By then whatever has arrived is answered; a request that has not arrived would hold up the end of this server. */
const DRAIN_MS = 3_000
const CLOSE_IDLE_EVERY_MS = 20

/** What checks and writes by schemas is not loaded, which would take a tenth of a start: endpoints read and write by their own declarations. */
const NO_SCHEMAS = { compilersFactory: { buildValidator: unneeded, buildSerializer: unneeded } }

/** Longer than any URL that arrives: it is refusal that says what is too long. */
const ROUTING = { maxParamLength: MAX_HEADER_BYTES }

/** The HTTP facade. */
export async function buildServer(parts: ServerParts): Promise<FastifyInstance> {
  const { log } = parts
  const onError = answerError(log)
  checkLate()
  const app = fastify({
    logger: false,
    ...rewriting(parts.basePath),
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
    routerOptions: ROUTING,
    schemaController: NO_SCHEMAS,
    clientErrorHandler: answerClientError,
    frameworkErrors: (error: FastifyError, request, reply) => onError(error, request, reply),
  })
  const access = accessOf(parts)
  app.decorate('access', access)
  app.decorate('endpoints', [])
  app.decorate('timer', (route: string) => parts.metrics.timer(route))
  app.decorateRequest('keyId', undefined)
  app.decorateRequest('sessionKey', undefined)
  app.decorateRequest('isStillIn', undefined)
  app.decorateReply('told', undefined)
  app.decorateReply('hasChangedNothing', false)
  addHooksAskedFor(app, parts)
  const pages = new Pages({ access, sessions: parts.sessions, log, basePath: parts.basePath })
  limitConnections(app.server, parts)
  closeInTime(app)
  acceptAllMethods(app)
  const sendNotFound = answerNotFound(app)
  app.setErrorHandler(onError)
  takeJsonBodies(app)
  const fresh = () => {
    const late = fastify({ logger: false, bodyLimit: MAX_BODY_BYTES, routerOptions: ROUTING })
    if (parts.basePath) answerBelow(late, parts.basePath)
    late.setErrorHandler(onError)
    late.setNotFoundHandler(sendNotFound)
    takeJsonBodies(late)
    return late
  }

  // The API looks for refusals by itself (see serve), because on a GET a hook would cost as much as the answer. What has the
  // hook is a plugin beside it: a hook of what holds both would be the API's too.
  await app.register(async (scope) => api(scope, parts))
  await app.register(async (scope) => {
    scope.setNotFoundHandler(sendNotFound)
    judgePaths(scope, sendNotFound)
    await docs(scope, { ...parts, fresh }, pages)
    await serveConsole(scope, parts, pages, sendNotFound)
    await scope.register(async (inner) => login(inner, pages, log))
    const { queues, isBoardReadOnly: isReadOnly, basePath } = parts
    await board(scope, { queues, isReadOnly, pages, basePath, retry: retryOnBoard(parts), fresh })
  })
  return app
}

/** What opens a round again for whoever asks so on the board. */
function retryOnBoard({ retrier, callIdentity }: ServerParts) {
  return async (id: RoundId, request: FastifyRequest | undefined) => {
    const retried = await retrier.retry(id, {
      by: request ? actorOf(request) : 'board',
      reason: 'on the board',
      identity: callIdentity(),
      ...(request && { claim: (job) => claimJob(request, id, job) }),
    })
    if (retried.verdict !== 'opened') throw notOpened(id, retried)
  }
}

function accessOf({
  keyring,
  keyUses,
  calm,
  shares,
  trustedProxies,
  host,
  allowedHosts,
  rateLimit,
}: ServerParts): Access {
  const callers = new Callers(trustedProxies)
  return new Access({
    keyring,
    keyUses,
    calm,
    callers,
    origins: new Origins({ callers, boundHost: host, allowedHosts }),
    requestsPerSecond: rateLimit,
    shares,
    nowMs: () => performance.now(),
  })
}

/** A hook costs each request, so only who asks for what it does has it. */
function addHooksAskedFor(
  app: FastifyInstance,
  { basePath, logLevel, log, noteChange, tracer }: ServerParts,
): void {
  if (basePath) answerBelow(app, basePath)
  if (logLevel === 'debug') logRequests(app, log)
  if (noteChange) auditChanges(app, noteChange)
  if (tracer) traceRequests(app, tracer)
}

function unneeded(): never {
  throw new Error('a route has a schema')
}

function rewriting(basePath: string): { rewriteUrl?: (request: IncomingMessage) => string } {
  return basePath === '' ? {} : { rewriteUrl: ({ url = '/' }) => withoutBasePath(url, basePath) }
}

/** The console's pages, what they ask, and what tells them of changes. */
async function serveConsole(
  app: FastifyInstance,
  parts: ServerParts,
  pages: Pages,
  notFound: NotFound,
): Promise<void> {
  await consolePages(app, { assets: parts.consoleAssets, pages, basePath: parts.basePath, notFound })
  consoleApi(app, pages, parts)
  changeStream(app, pages, parts)
}

/** Answers what is wrong with a request, or leads nowhere, before its body is read. */
function judgePaths(app: FastifyInstance, sendNotFound: NotFound): void {
  app.addHook('onRequest', (request, reply, done) => {
    // Pages count for themselves.
    const refused = refusal(request) ?? (request.is404 ? app.access.limitedAddress(request) : undefined)
    // Answered and not thrown: the board's plugin would make an error of its own of it.
    if (refused) sendProblem(reply, refused)
    // Paths are judged before bodies: a path that is not there should not be answered 415.
    else if (request.is404) sendNotFound(request, reply)
    else done()
  })
}

/** The paths of the API. */
function api(app: FastifyInstance, parts: ServerParts): void {
  roundRoutes(app, parts)
  historyRoutes(app, parts)
  roundJobRoutes(app, parts)
  jobRoutes(app, parts)
  callRoutes(app, parts)
  controlRoutes(app, parts)
  takeRoutes(app, parts)
  queueRoutes(app, parts)
  keyRoutes(app, parts)
  alertRoutes(app, parts)
  fleetRoutes(app, parts)
  logRoutes(app, parts)
  orderRoutes(app, parts)
  pulseRoutes(app, parts)
  configRoutes(app, parts)
  poolRoutes(app, parts)
  seriesRoutes(app, parts)
  scheduleRoutes(app, parts)
  slotRoutes(app, parts)
  statusRoutes(app, parts)
  opsRoutes(app, parts)
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

/** JSON, or no body at all whatever its type says: `curl -d ''` declares a form and sends nothing. */
function takeJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length === 0) return done(null, undefined)
    if (!isUtf8(body)) return done(new GoneError('INVALID_BODY', 'expected valid UTF-8'))
    if (isDeeperThan(MAX_BODY_DEPTH, body))
      return done(new GoneError('INVALID_BODY', `expected JSON at most ${MAX_BODY_DEPTH} levels deep`))
    const text = body.toString()
    return parse(request, text, (error, value) => {
      const loss = error ? undefined : lossOf(text)
      return done(loss === undefined ? error : new GoneError('INVALID_BODY', loss), value)
    })
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
