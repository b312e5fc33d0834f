import { randomBytes } from 'node:crypto'
import { homedir } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { Logger } from 'pino'
import { RedisAlerts } from './alerts/redis-alerts.ts'
import { RedisCensus } from './alerts/redis-census.ts'
import { Closing } from './closing.ts'
import { type Config, hidePassword, isGateIndependent } from './config.ts'
import type { Log } from './core/ports.ts'
import { GoneError } from './errors.ts'
import { RedlockGate } from './gate/redlock-gate.ts'
import { tellAlert } from './hook/alert-hook.ts'
import { Metrics } from './http/metrics.ts'
import { buildServer } from './http/server.ts'
import { BullAlarms } from './queue/alarm-queue.ts'
import { AlarmWorker } from './queue/alarm-worker.ts'
import { BullAlertQueue } from './queue/alert-queue.ts'
import { AlertWorker } from './queue/alert-worker.ts'
import { BullJobQueues } from './queue/job-queues.ts'
import { BullRoundQueue } from './queue/round-queue.ts'
import { SettleWorker } from './queue/settle-worker.ts'
import { RedisKeys } from './records/redis-keys.ts'
import { RedisRecords } from './records/redis-records.ts'
import { connect, disconnect, type RedisClient, type RedisTarget } from './redis/connections.ts'
import { type EmbeddedRedis, startEmbeddedRedis } from './redis/embedded.ts'
import { readPolicy, readReadiness, whenReachable, whenSettled } from './redis/readiness.ts'
import { redisNowMs } from './redis/redis-clock.ts'
import { RedisMarks } from './redis/redis-marks.ts'
import { RedisNews } from './redis/redis-news.ts'
import { defaultCacheDir, findRedisServer } from './redis/redis-server.ts'
import { RedisSchedules } from './schedules/redis-schedules.ts'
import { Canceller } from './service/canceller.ts'
import { Completer } from './service/completer.ts'
import { Dispatcher } from './service/dispatcher.ts'
import { callIdentities, Elector } from './service/elector.ts'
import { Expectations } from './service/expectations.ts'
import { Keyring } from './service/keyring.ts'
import { Reader } from './service/reader.ts'
import { RollCall } from './service/roll-call.ts'
import { RoundMemory } from './service/round-memory.ts'
import { StoredScheduleWatches } from './service/schedule-watches.ts'
import { Schedules } from './service/schedules.ts'
import { SlotTally } from './service/slot-tally.ts'
import { Standby } from './service/standby.ts'
import { StoreWatch } from './service/store-watch.ts'
import { Sweeper } from './service/sweeper.ts'
import { Ticker } from './service/ticker.ts'
import { Timetables } from './service/timetables.ts'
import { Watchdog } from './service/watchdog.ts'
import { Watchman } from './service/watchman.ts'
import { VERSION } from './version.ts'

export interface GoneServer {
  /** Where it listens, such as `http://127.0.0.1:8080`. */
  readonly url: string
  /** Where the embedded Redis keeps its data; undefined with a Redis of the user's. */
  readonly dataDir?: string
  /** Answers what is open, then closes everything. May be called twice. */
  stop(): Promise<void>
}

/** What a server needs of the process that it runs in. */
export interface Surroundings {
  readonly env: NodeJS.ProcessEnv
  readonly log: Logger
  /** Tells the person who started it about something that takes long. */
  readonly say: (line: string) => void
}

/** How many decided rounds a process remembers: some 30 MB. */
const MEMORY_ROUNDS = 100_000

/**
 * Starts a server: Redis if none is given, the facade, and what works behind it.
 *
 * @throws GoneError with one line for the person who started it; nothing is left running then
 */
export async function startServer(config: Config, surroundings: Surroundings): Promise<GoneServer> {
  const closing = new Closing()
  try {
    return await assemble(config, surroundings, closing)
  } catch (error) {
    await closing.close(surroundings.log)
    throw error
  }
}

async function assemble(
  config: Config,
  { env, log, say }: Surroundings,
  closing: Closing,
): Promise<GoneServer> {
  const embedded = config.redisUrl === undefined ? await embed(config, { env, log, say }) : undefined
  if (embedded) closing.add('redis', () => embedded.stop())
  const target = config.redisUrl ?? targetOf(embedded as EmbeddedRedis)
  const clients: RedisClient[] = []
  const open = (kind: 'commands' | 'waiting', name: string, to: RedisTarget = target): RedisClient => {
    const client = connect(to, kind, name, log)
    closing.add('clients', () => disconnect(client))
    clients.push(client)
    return client
  }

  const commands = open('commands', 'records')
  await whenReachable(commands, config.redisUrl && hidePassword(config.redisUrl), say)
  // A Redis that is full now may have room in a minute; one that evicts has been set up wrong.
  const policy = await readPolicy(commands, config.allowEviction)
  if (!policy.ready) throw new GoneError('CONFIG', policy.trouble)

  const keyring = await readKeyring(config, commands, log)
  closing.add('work', () => keyring.stop())
  const records = new RedisRecords(commands, config.retentionMs)
  closing.add('queues', () => records.flush())
  const queue = new BullRoundQueue(open('commands', 'queue'))
  closing.add('queues', () => queue.stop())
  const jobs = new BullJobQueues(open('commands', 'jobs'))
  closing.add('queues', () => jobs.stop())
  const gate = isGateIndependent(config)
    ? new RedlockGate(
        config.gateUrls.map((url, index) => open('commands', `gate-${index}`, url)),
        log,
      )
    : undefined
  const memory = new RoundMemory(MEMORY_ROUNDS, nowMs)
  const shared = { records, queue, memory, log, nowMs, ...(gate && { gate }) }
  const elector = new Elector(shared)
  const news = new RedisNews(open('waiting', 'news'))
  const standby = new Standby({ elector, records, memory, news, nowMs })
  const sweeper = new Sweeper(records, queue, jobs, log)
  const settleWorker = new SettleWorker({ ...config, client: open('waiting', 'settle'), records, queue, log })
  closing.add('work', () => sweeper.stop())
  closing.add('work', () => settleWorker.stop())

  const completer = new Completer(shared)
  const dispatcher = new Dispatcher({ records, jobs, rounds: queue, log })
  const store = new RedisSchedules(commands)
  const alarms = new BullAlarms(open('commands', 'alarms'))
  closing.add('queues', () => alarms.stop())
  const timetables = new Timetables()
  const slots = new SlotTally()
  const canceller = new Canceller({ records, completer, jobs, log })
  const ticker = new Ticker({
    store,
    alarms,
    dispatcher,
    records,
    canceller,
    timetables,
    observer: slots,
    log,
  })
  const alarmWorker = new AlarmWorker({ client: open('waiting', 'ring'), alarms, ticker, log })
  const watchdog = new Watchdog(store, alarms, ticker, log)
  closing.add('work', () => alarmWorker.stop())
  closing.add('work', () => watchdog.stop())

  const alerts = new RedisAlerts(commands, config.retentionMs)
  const census = new RedisCensus(commands)
  const rollCall = new RollCall(alerts, census, log)
  closing.add('work', () => rollCall.stop())
  const teller = config.alertUrl === undefined ? undefined : openTeller(config, config.alertUrl, open, log)
  if (teller) {
    closing.add('work', () => teller.worker.stop())
    closing.add('queues', () => teller.queue.stop())
  }
  const watchman = new Watchman({
    alerts,
    records,
    census,
    timetables,
    schedules: new StoredScheduleWatches(store, records, timetables),
    log,
    deadlineMs: config.deadlineMs,
    ...(teller && { queue: teller.queue }),
  })
  closing.add('work', () => watchman.stop())

  const relist = () => {
    records.relist()
    jobs.relist()
  }
  const storeWatch = new StoreWatch({ marks: new RedisMarks(commands), onLoss: relist, log })
  closing.add('work', () => storeWatch.stop())

  const http = await buildServer({
    elector,
    standby,
    completer,
    reader: new Reader(records, memory, nowMs),
    metrics: new Metrics({
      records,
      queue,
      jobs,
      sweeper,
      storeWatch,
      schedules: store,
      slots,
      watchdog,
      alerts,
      watchman,
      ...(teller && { deliveries: teller.worker.counts }),
    }),
    readiness: async () => {
      const found = await readReadiness(commands, config.allowEviction)
      return found.ready && storeWatch.loss !== undefined ? { ...found, warning: storeWatch.loss } : found
    },
    sharedNowMs: () => redisNowMs(commands),
    callIdentity: callIdentities(randomBytes(6).toString('base64url')),
    storeNowMs: () => memory.storeNowMs(),
    deadlineMs: config.deadlineMs,
    queues: async () => [
      queue.queue,
      alarms.queue,
      ...(teller ? [teller.queue.queue] : []),
      ...(await jobs.all()),
    ],
    dispatcher,
    schedules: new Schedules({ store, ticker, dispatcher, timetables, watchman, log }),
    expectations: new Expectations(alerts, watchman, rollCall),
    rollCall,
    maxSubmissionBytes: config.maxSubmissionBytes,
    isBoardReadOnly: config.boardReadOnly,
    keyring,
    trustedProxies: config.trustedProxies,
    rateLimit: config.rateLimit,
    maxConnections: config.maxConnections,
    maxConnectionsPerAddress: config.maxConnectionsPerAddress,
    log,
    version: VERSION,
  })
  closing.add('callers', async () => {
    standby.drain()
    await http.close()
  })

  await whenSettled(clients)
  await rollCall.refresh()
  const url = await http.listen({ host: config.host, port: config.port }).catch((error: unknown) => {
    throw listenError(config, error)
  })
  keyring.start()
  storeWatch.start()
  settleWorker.start()
  sweeper.start()
  rollCall.start()
  watchman.start()
  teller?.worker.start()
  alarmWorker.start()
  watchdog.start()
  return { url, ...(embedded && { dataDir: config.dataDir }), stop: () => closing.close(log) }
}

const nowMs = () => performance.now()

/** @throws GoneError `CONFIG` if nobody could get in, because one needs a key and there is none */
async function readKeyring(config: Config, commands: RedisClient, log: Log): Promise<Keyring> {
  const isRequired = config.keys === 'required'
  const keyring = new Keyring({ store: new RedisKeys(commands), isRequired, nowMs, log })
  await keyring.read()
  if (!(isRequired && keyring.isEmpty)) return keyring
  throw new GoneError(
    'CONFIG',
    `GONE_KEYS: listening on ${config.host} needs an API key and there is none; make one with "gone key create", ` +
      'listen on 127.0.0.1, or set GONE_KEYS=optional where only those you trust can reach it',
  )
}

/** What tells the receiver at `url` of alerts. */
function openTeller(
  config: Config,
  url: string,
  open: (kind: 'commands' | 'waiting', name: string) => RedisClient,
  log: Log,
) {
  const { alertSecret: secret } = config
  const queue = new BullAlertQueue(open('commands', 'alerts'))
  const worker = new AlertWorker({
    ...config,
    client: open('waiting', 'alert-worker'),
    deliver: (news, stopping) => tellAlert({ url, ...(secret && { secret }) }, news, Date.now(), stopping),
    log,
  })
  return { queue, worker }
}

async function embed(config: Config, { env, log, say }: Surroundings): Promise<EmbeddedRedis> {
  const binary = await findRedisServer({ cacheDir: defaultCacheDir(env, homedir()), env, say })
  return startEmbeddedRedis({ dataDir: config.dataDir, binary, say, log })
}

function targetOf({ path, port }: EmbeddedRedis): RedisTarget {
  return path === undefined ? { host: '127.0.0.1', port: port as number } : { path }
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
