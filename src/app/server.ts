import type { Config } from '../config.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import type { Siblings } from '../core/siblings.ts'
import type { EmbeddedRedis } from '../embedded/embedded-redis.ts'
import { KeysNote } from '../embedded/keys-note.ts'
import { GoneError } from '../errors.ts'
import { Metrics } from '../http/metrics/metrics.ts'
import type { Readiness } from '../http/routes/ops-routes.ts'
import { buildServer } from '../http/server.ts'
import type { RedisClient } from '../redis/connections.ts'
import { readReadiness, whenAnswered } from '../redis/readiness.ts'
import { redisNowMs } from '../redis/redis-clock.ts'
import { Calm } from '../service/calm.ts'
import { KeyUseNotes } from '../service/key-uses.ts'
import { Keyring } from '../service/keyring.ts'
import type { Work } from '../service/loop.ts'
import { Timetables } from '../service/schedules/timetables.ts'
import { RedisKeys } from '../store/redis-api-keys.ts'
import { RedisKeyUses } from '../store/redis-key-uses.ts'
import { RedisSessions } from '../store/redis-sessions.ts'
import { RedisSchedules } from '../store/schedules/redis-schedules.ts'
import { VERSION } from '../version.ts'
import { assembleAlerts } from './alerts.ts'
import { type Ground, nowMs } from './assembly.ts'
import { openAuditLog } from './audit-log.ts'
import { assembleCaller } from './calls.ts'
import { Closing } from './closing.ts'
import { consoleAssets } from './console-assets.ts'
import { assembleFleet } from './fleet.ts'
import { openLines, type Surroundings } from './lines.ts'
import { assembleRounds } from './rounds.ts'
import { assembleSchedules } from './schedules.ts'
import { assembleSeries } from './series.ts'
import { redisOfServer, type ServerRedis } from './server-redis.ts'
import { assembleShares } from './shares.ts'
import { spareMemory } from './spare-memory.ts'
import { assembleStatus } from './status.ts'
import { tracing } from './tracing.ts'
import { watchRedis } from './watches.ts'

export interface GoneServer {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string
  /** Where the embedded Redis keeps its data; undefined with a Redis of the user's. */
  readonly dataDir?: string
  /** Resolves when that was taken away: then nothing can be decided here any more. Undefined with a Redis of the user's. */
  readonly lost?: Promise<void>
  /** Answers what is open, then closes everything. May be called twice. */
  stop(): Promise<void>
}

/** How many queues of workers the board shows: it asks Redis a dozen things of each at once. */
const MAX_SHOWN = 100

interface ServerSurroundings extends Surroundings {
  readonly env: NodeJS.ProcessEnv
  /** Its Redis, where another process has seen to that. */
  readonly redis?: ServerRedis
  /** The other processes that share its port. */
  readonly siblings?: Siblings
}

/**
 * Starts a server: Redis if none is given, the facade, and what works behind it.
 *
 * @throws GoneError with one line for the person who started it; nothing is left running then
 */
export async function startServer(config: Config, surroundings: ServerSurroundings): Promise<GoneServer> {
  const { log, env, redis, siblings } = surroundings
  const closing = new Closing()
  try {
    const { target, embedded } = redis ?? (await redisOfServer(config, env, surroundings, closing))
    const calm = new Calm(nowMs)
    spareMemory(calm, nowMs, log)
    const lines = await openLines(config, target, { ...surroundings, isCalm: () => calm.isNow }, closing)
    const keyring = await readKeyring(config, lines.commands, log)
    const traced = tracing({ config, closing, log })
    const url = await serve({ config, lines, closing, log, ...traced }, { keyring, calm, embedded, siblings })
    const own = embedded && { dataDir: config.dataDir, lost: embedded.lost }
    return { url, ...own, stop: () => closing.close(log) }
  } catch (error) {
    await closing.close(log)
    throw error
  }
}

interface OpenServer {
  readonly keyring: Keyring
  readonly calm: Calm
  readonly embedded: EmbeddedRedis | undefined
  readonly siblings: Siblings | undefined
}

/** Puts the capabilities together, and starts them; where it listens. */
async function serve(ground: Ground, { keyring, calm, embedded, siblings }: OpenServer): Promise<string> {
  const { config, lines, closing, log } = ground
  const store = new RedisSchedules(lines.commands)
  const timetables = new Timetables()
  const series = assembleSeries(ground)
  const rounds = assembleRounds(ground, series)
  const alerts = assembleAlerts(ground, { store, timetables, records: rounds.records })
  const schedules = assembleSchedules(ground, { store, timetables, rounds, watchman: alerts.watchman })
  const fleet = assembleFleet(ground, rounds, { ...alerts.metrics, ...series })
  const watches = watchRedis(ground, rounds, calm)
  const keyUses = new KeyUseNotes({ store: new RedisKeyUses(lines.commands), nowMs, log })

  const readiness = readinessOf(ground, watches, { embedded, siblings })
  const ownQueues = [...rounds.queues, ...schedules.queues, ...alerts.queues]
  let url = ''
  const status = assembleStatus(ground, rounds, { readiness, urlOf: () => url })

  const parts = [watches, series, rounds, alerts, schedules, fleet, status]
  const works = [keyring, keyUses, ...parts.flatMap((one): readonly Work[] => one.works)]
  for (const work of works) closing.add('work', () => work.stop())
  const audit = await openAudit(ground)
  const http = await buildServer({
    ...config,
    ...rounds.http,
    ...schedules.http,
    ...alerts.http,
    ...fleet.http,
    caller: assembleCaller(ground, rounds, fleet.http.served),
    metrics: new Metrics(
      { ...rounds.metrics, ...schedules.metrics, ...alerts.metrics, ...fleet.metrics, ...watches.metrics },
      VERSION,
      siblings,
    ),
    ...status.http,
    readiness,
    sharedNowMs: () => redisNowMs(lines.commands),
    queues: async (others) => [...ownQueues, ...(await rounds.jobs.recent(MAX_SHOWN, others))],
    isBoardReadOnly: config.boardReadOnly,
    consoleAssets,
    keyring,
    keyUses,
    calm,
    sessions: new RedisSessions(lines.commands),
    shares: assembleShares(ground, {
      schedules: store,
      expectations: alerts.http.expectations,
      jobs: rounds.jobs,
    }),
    ...(audit && { noteChange: audit.note }),
    ...(ground.tracer && { tracer: ground.tracer }),
    log,
    version: VERSION,
  })
  closing.add('callers', async () => {
    rounds.http.standby.drain()
    rounds.http.taker.drain()
    await http.close()
  })

  await lines.settled()
  await alerts.rollCall.refresh()
  url = await http.listen({ host: config.host, port: config.port }).catch((error: unknown) => {
    throw listenError(config, error)
  })
  for (const work of works) work.start(calm)
  return url
}

/** Whether rounds can be decided now, as it is told to people. */
function readinessOf(
  { config, lines }: Ground,
  { metrics: { storeWatch }, oldJobs }: ReturnType<typeof watchRedis>,
  { embedded, siblings }: Pick<OpenServer, 'embedded' | 'siblings'>,
): () => Promise<Readiness> {
  return async () => {
    const [found, joint] = await Promise.all([
      readReadiness(lines.commands, config.allowEviction),
      siblings?.state().catch((error: unknown) => ({ trouble: messageOf(error), warning: undefined })),
    ])
    const trouble = joint?.trouble ?? embedded?.trouble()
    if (!found.ready) return { ...found, trouble: trouble ?? found.trouble }
    if (joint?.trouble !== undefined) return { ready: false, trouble: joint.trouble }
    const warning = storeWatch.loss ?? joint?.warning ?? oldJobs?.warning
    return warning === undefined ? found : { ...found, warning }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What writes down changes, where that is asked for. */
async function openAudit({ config, closing, log }: Ground) {
  const audit = config.auditLog === undefined ? undefined : await openAuditLog(config.auditLog, log)
  if (audit) closing.add('queues', () => audit.stop())
  return audit
}

/** @throws GoneError `CONFIG` if nobody could get in, because one needs a key and there is none */
async function readKeyring(config: Config, commands: RedisClient, log: Log): Promise<Keyring> {
  const isRequired = config.keys === 'required'
  const note = config.redisUrl === undefined ? new KeysNote(config.dataDir) : undefined
  const keyring = new Keyring({
    store: new RedisKeys(commands),
    isRequired,
    nowMs,
    log,
    ...(note && { note }),
  })
  await whenAnswered(() => keyring.read())
  if (!isRequired && !keyring.isOpen && keyring.isEmpty)
    log.warn(
      {},
      'API keys are in use and there is none: nobody gets in; "gone key create" makes one, "gone key disable" lets everybody in',
    )
  if (!(isRequired && keyring.isEmpty)) return keyring
  throw new GoneError(
    'CONFIG',
    `GONE_KEYS: listening on ${config.host} needs an API key and there is none; make one with "gone key create", ` +
      'listen on 127.0.0.1, or set GONE_KEYS=optional where only those you trust can reach it',
  )
}

function listenError({ host, port }: Config, cause: unknown): GoneError {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  if (code === 'EADDRINUSE') {
    return new GoneError(
      'CONFIG',
      `port ${port} of ${host} is taken; choose another with --port or GONE_PORT`,
      { cause },
    )
  }
  return new GoneError('CONFIG', `cannot listen on ${host}:${port}: ${String(cause)}`, { cause })
}
