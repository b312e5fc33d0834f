import { randomBytes } from 'node:crypto'
import { homedir } from 'node:os'
import { performance } from 'node:perf_hooks'
import type { Logger } from 'pino'
import { type Config, hidePassword, isGateIndependent } from './config.ts'
import type { Log } from './core/ports.ts'
import { GoneError } from './errors.ts'
import { RedlockGate } from './gate/redlock-gate.ts'
import { Metrics } from './http/metrics.ts'
import { buildServer } from './http/server.ts'
import { BullJobQueues } from './queue/job-queues.ts'
import { BullRoundQueue } from './queue/round-queue.ts'
import { SettleWorker } from './queue/settle-worker.ts'
import { RedisRecords } from './records/redis-records.ts'
import { connect, disconnect, type RedisClient, type RedisTarget } from './redis/connections.ts'
import { type EmbeddedRedis, startEmbeddedRedis } from './redis/embedded.ts'
import { readPolicy, readReadiness, whenReachable, whenSettled } from './redis/readiness.ts'
import { RedisNews } from './redis/redis-news.ts'
import { defaultCacheDir, findRedisServer } from './redis/redis-server.ts'
import { Completer } from './service/completer.ts'
import { Dispatcher } from './service/dispatcher.ts'
import { callIdentities, Elector } from './service/elector.ts'
import { Reader } from './service/reader.ts'
import { RoundMemory } from './service/round-memory.ts'
import { Standby } from './service/standby.ts'
import { Sweeper } from './service/sweeper.ts'
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
  const closers: (() => Promise<void>)[] = []
  let stopped: Promise<void> | undefined
  const stop = () => (stopped ??= closeAll(closers, surroundings.log))
  try {
    return await assemble(config, surroundings, closers, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function assemble(
  config: Config,
  { env, log, say }: Surroundings,
  closers: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<GoneServer> {
  const embedded = config.redisUrl === undefined ? await embed(config, { env, log, say }) : undefined
  if (embedded) closers.push(() => embedded.stop())
  const target = config.redisUrl ?? targetOf(embedded as EmbeddedRedis)
  const clients: RedisClient[] = []
  const open = (kind: 'commands' | 'waiting', name: string, to: RedisTarget = target): RedisClient => {
    const client = connect(to, kind, name, log)
    closers.push(() => disconnect(client))
    clients.push(client)
    return client
  }

  const commands = open('commands', 'records')
  await whenReachable(commands, config.redisUrl && hidePassword(config.redisUrl), say)
  // A Redis that is full now may have room in a minute; one that evicts has been set up wrong.
  const policy = await readPolicy(commands, config.allowEviction)
  if (!policy.ready) throw new GoneError('CONFIG', policy.trouble)

  const nowMs = () => performance.now()
  const records = new RedisRecords(commands, config.retentionMs)
  closers.push(() => records.flush())
  const queue = new BullRoundQueue(open('commands', 'queue'))
  closers.push(() => queue.stop())
  const jobs = new BullJobQueues(open('commands', 'jobs'))
  closers.push(() => jobs.stop())
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
  closers.push(() => sweeper.stop())
  closers.push(() => settleWorker.stop())

  const http = await buildServer({
    elector,
    standby,
    completer: new Completer(shared),
    reader: new Reader(records, memory, nowMs),
    metrics: new Metrics({ records, queue, jobs, sweeper }),
    readiness: () => readReadiness(commands, config.allowEviction),
    callIdentity: callIdentities(randomBytes(6).toString('base64url')),
    storeNowMs: () => memory.storeNowMs(),
    deadlineMs: config.deadlineMs,
    queues: async () => [queue.queue, ...(await jobs.all())],
    dispatcher: new Dispatcher({ records, jobs, rounds: queue, log }),
    maxSubmissionBytes: config.maxSubmissionBytes,
    isBoardReadOnly: config.boardReadOnly,
    log,
    version: VERSION,
  })
  closers.push(async () => {
    standby.drain()
    await http.close()
  })

  await whenSettled(clients)
  const url = await http.listen({ host: config.host, port: config.port }).catch((error: unknown) => {
    throw listenError(config, error)
  })
  settleWorker.start()
  sweeper.start()
  return { url, ...(embedded && { dataDir: config.dataDir }), stop }
}

/** Closes in the reverse order of opening, so that whatever is still used closes last. One that fails stops no other. */
async function closeAll(closers: (() => Promise<void>)[], log: Log): Promise<void> {
  for (const close of closers.splice(0).reverse()) {
    await close().catch((error: unknown) => log.warn({ cause: String(error) }, 'not closed in order'))
  }
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
