import { connect as connectSecurely } from 'node:tls'
import type { Cluster, Redis, RedisOptions } from 'ioredis'
import type { Log } from '../core/rounds/round-ports.ts'
import { endsWithin } from '../waiting.ts'
import { moveTo, watchFailover } from './failover-watch.ts'
import { keepBeating, SILENT_MS } from './heartbeat.ts'
import { ioredis } from './ioredis.ts'
import { type RedisLogin, type RedisNode, redisAddress } from './redis-url.ts'
import { isRefusedDatabase, redisTrouble } from './trouble.ts'

export type RedisClient = Redis | Cluster

/** Where a Redis is: a URL, or what ioredis takes for an embedded one. */
export type RedisTarget =
  | string
  | { readonly path: string }
  | { readonly host: string; readonly port: number }

/** How long one command may take. Two of them in a row must still leave an answer within two seconds. */
const COMMAND_TIMEOUT_MS = 900

const BASE = {
  // Quick enough that service is normal within 5 s of Redis' return.
  retryStrategy: retryDelayMs,
  connectTimeout: 2_000,
  // A stopped server does not close its end.
  disconnectTimeout: 500,
  reconnectOnError: leavesReplica,
} satisfies RedisOptions

/** How often a connection is made anew to what turned out to be a replica. */
const LEAVE_EVERY_MS = 3_000

/**
 * After a failover the old primary answers READONLY until we look for the new one. Not each command that it refuses has us look: where
 * there is no other, whoever asks is to hear why, and whoever reads is to be answered.
 */
function leavesReplica(this: unknown, error: Error): boolean {
  if (!error.message.startsWith('READONLY')) return false
  const nowMs = performance.now()
  // ioredis calls it as a part of the options, of which each connection has its own, also where it was made as another one is.
  const own = this as object
  if (nowMs - (leftAtMs.get(own) ?? Number.NEGATIVE_INFINITY) < LEAVE_EVERY_MS) return false
  leftAtMs.set(own, nowMs)
  return true
}

/** When each connection was last made anew so, by its options. */
const leftAtMs = new WeakMap<object, number>()

function retryDelayMs(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 6), 1_000)
}

/** For commands that a caller waits for: an unreachable or silent Redis is an error at once, never a hang. */
const COMMANDS = {
  ...BASE,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 1,
  commandTimeout: COMMAND_TIMEOUT_MS,
  // A connection that swallows bytes is given up, so that the next one can work.
  socketTimeout: 4 * COMMAND_TIMEOUT_MS,
} satisfies RedisOptions

/** For clients that wait for Redis as long as it takes: BullMQ's workers, and the subscriber. A silent one they give up, and ask anew. */
const WAITING = { ...BASE, maxRetriesPerRequest: null, socketTimeout: SILENT_MS } satisfies RedisOptions

export type ClientKind = 'commands' | 'waiting'

/**
 * A client of its own for each use, because a blocking or subscribed one can do nothing else and a command must not
 * wait behind them. Trouble is logged once a kind of trouble, not once an attempt.
 *
 * @param isCalm true while nobody waits for anything on it
 */
export function connect(
  target: RedisTarget,
  kind: ClientKind,
  name: string,
  log: Log,
  isCalm = () => false,
): RedisClient {
  const options = { ...(kind === 'commands' ? COMMANDS : WAITING), connectionName: `gone-${name}` }
  const client = open(target, options)
  if (kind === 'waiting') keepBeating(client, isCalm)
  let last = ''
  client.on('error', (error: Error) => {
    const trouble = redisTrouble(error)
    if (trouble !== last) log.warn({ client: name, cause: error.message }, trouble)
    last = trouble
    // ioredis would go on in database 0, which may be another installation's.
    if (isRefusedDatabase(error)) client.disconnect(true)
  })
  client.on('ready', () => {
    if (last) log.info({ client: name }, 'Redis is back')
    last = ''
  })
  return client
}

type ClientOptions = (typeof COMMANDS | typeof WAITING) & { readonly connectionName: string }

function open(target: RedisTarget, options: ClientOptions): RedisClient {
  if (typeof target !== 'string') return new ioredis.Redis({ ...options, ...target })
  const address = redisAddress(target)
  const { isSecured, login } = address
  const secured = { ...login, ...(isSecured && { tls: {} }) }
  switch (address.kind) {
    case 'server':
      return new ioredis.Redis({ ...options, ...secured, ...address.node, db: address.database })
    case 'socket':
      return new ioredis.Redis({ ...options, ...secured, path: address.path, db: address.database })
    case 'sentinels':
      return new ioredis.Redis({
        ...options,
        ...secured,
        sentinels: [...address.nodes],
        name: address.primary,
        db: address.database,
        // A sentinel that is stopped would be waited for, and the others not asked.
        sentinelCommandTimeout: COMMAND_TIMEOUT_MS,
        ...(isSecured && { sentinelTLS: {}, enableTLSForSentinelMode: true }),
        ...sentinelOptions(address.sentinelLogin),
      })
    case 'cluster': {
      const { retryStrategy, ...redisOptions } = options
      return new ioredis.Cluster([...address.nodes], {
        enableOfflineQueue: !('enableOfflineQueue' in options),
        clusterRetryStrategy: retryStrategy,
        redisOptions: { ...redisOptions, ...secured },
        // A certificate is of a name: what ioredis resolves itself would be checked as an address.
        ...(isSecured && { dnsLookup: (host, found) => found(null, host) }),
      })
    }
  }
}

/** True if all keys are on one server, so that a script may take any of them. */
export function isOneServer(client: RedisClient): boolean {
  return !(client instanceof ioredis.Cluster)
}

const SENTINEL_RETRY_MS = 1_000

/**
 * Has these clients of the target go to a new primary as soon as a sentinel names it. Nothing to watch where there is no sentinel.
 *
 * @returns what ends it
 */
export function followPrimary(target: RedisTarget, clients: readonly RedisClient[], log: Log): () => void {
  const address = typeof target === 'string' ? redisAddress(target) : undefined
  if (address?.kind !== 'sentinels') return () => {}
  const { nodes, primary, isSecured, sentinelLogin } = address
  const sentinels = nodes.map((node) => {
    const login = { ...sentinelLogin, ...(isSecured && { tls: {} }) }
    const sentinel = new ioredis.Redis({
      ...WAITING,
      retryStrategy: () => SENTINEL_RETRY_MS,
      ...login,
      ...node,
    })
    keepBeating(sentinel, () => false)
    return sentinel
  })
  const onFailover = (node: RedisNode) => {
    const moved = clients.filter((client) => moveTo(node, client))
    if (moved.length > 0) log.warn({ ...node, clients: moved.length }, 'the sentinels name another primary')
  }
  return watchFailover({ sentinels, primary, onFailover })
}

function sentinelOptions(
  login: RedisLogin | undefined,
): Pick<RedisOptions, 'sentinelUsername' | 'sentinelPassword'> {
  if (!login) return {}
  const { username, password } = login
  return { sentinelPassword: password, ...(username && { sentinelUsername: username }) }
}

/**
 * Why the sentinels or nodes that a URL names cannot be spoken to with TLS: ioredis says no more of any of them than that its
 * connection was closed. Undefined where one can, or another form is meant.
 */
export async function securityTrouble(target: string | undefined): Promise<Error | undefined> {
  const address = target === undefined ? undefined : redisAddress(target)
  if (!(address?.isSecured && 'nodes' in address)) return undefined
  const troubles = await Promise.all(address.nodes.map(handshakeTrouble))
  return troubles.includes(undefined) ? undefined : troubles[0]
}

function handshakeTrouble({ host, port }: RedisNode): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const socket = connectSecurely({ host, port, timeout: BASE.connectTimeout })
    const end = (error?: Error) => {
      socket.destroy()
      resolve(error)
    }
    socket.once('secureConnect', () => end())
    socket.once('timeout', () => end(new Error('connect ETIMEDOUT')))
    socket.once('error', end)
  })
}

const GOODBYE_WITHIN_MS = 500

/** Closes a client whatever state it is in; the server's goodbye is not waited for beyond a moment. */
export async function disconnect(client: RedisClient): Promise<void> {
  if (client.status === 'end') return
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  const isSilent = client.status === 'ready' && !(await saysGoodbye(client))
  client.disconnect()
  // A silent server does not close its end; the client's own timeout does that later.
  if (!isSilent) await endsWithin(GOODBYE_WITHIN_MS, ended)
}

async function saysGoodbye(client: RedisClient): Promise<boolean> {
  const answered = client.quit().catch(() => undefined)
  return endsWithin(GOODBYE_WITHIN_MS, answered)
}
