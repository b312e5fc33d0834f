import { connect as connectSecurely } from 'node:tls'
import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Log } from '../core/ports.ts'
import { redisTrouble } from './trouble.ts'

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
  // After a failover the old primary answers READONLY until we look for the new one.
  reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
} satisfies RedisOptions

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

/** For clients that wait for Redis as long as it takes: BullMQ's workers, and the subscriber. */
const WAITING = { ...BASE, maxRetriesPerRequest: null } satisfies RedisOptions

export type ClientKind = 'commands' | 'waiting'

/**
 * A client of its own for each use, because a blocking or subscribed one can do nothing else and a command must not
 * wait behind them. Trouble is logged once a kind of trouble, not once an attempt.
 */
export function connect(target: RedisTarget, kind: ClientKind, name: string, log: Log): RedisClient {
  const options = { ...(kind === 'commands' ? COMMANDS : WAITING), connectionName: `gone-${name}` }
  const client = open(target, options)
  let last = ''
  client.on('error', (error: Error) => {
    const trouble = redisTrouble(error)
    if (trouble !== last) log.warn({ client: name, cause: error.message }, trouble)
    last = trouble
  })
  client.on('ready', () => {
    if (last) log.info({ client: name }, 'Redis is back')
    last = ''
  })
  return client
}

type ClientOptions = (typeof COMMANDS | typeof WAITING) & { readonly connectionName: string }

function open(target: RedisTarget, options: ClientOptions): RedisClient {
  if (typeof target !== 'string') return new Redis({ ...options, ...target })
  const isSecured = target.startsWith('rediss+')
  if (/^rediss?\+sentinel:/.test(target)) {
    const { credentials, nodes, path } = splitNodes(target, 26_379)
    const [masterName, db] = path.split('/')
    return new Redis({
      ...options,
      ...credentials,
      sentinels: nodes,
      name: masterName || 'mymaster',
      ...(db && { db: Number(db) }),
      ...(isSecured && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
    })
  }
  if (/^rediss?\+cluster:/.test(target)) {
    const { credentials, nodes } = splitNodes(target, 6_379)
    const { retryStrategy, ...redisOptions } = options
    return new Cluster(nodes, {
      enableOfflineQueue: !('enableOfflineQueue' in options),
      clusterRetryStrategy: retryStrategy,
      redisOptions: { ...redisOptions, ...credentials, ...(isSecured && { tls: {} }) },
      // A certificate is of a name: what ioredis resolves itself would be checked as an address.
      ...(isSecured && { dnsLookup: (host, found) => found(null, host) }),
    })
  }
  return new Redis(target, options)
}

/** Splits `scheme://user:password@host1:1,host2:2/path`, which URL does not take. */
function splitNodes(target: string, defaultPort: number) {
  const [authority = '', ...path] = target.replace(/^[a-z+]+:\/\//, '').split('/')
  const at = authority.lastIndexOf('@')
  const [username = '', password = ''] = authority
    .slice(0, Math.max(0, at))
    .split(/:(.*)/s)
    .map((part) => decodeURIComponent(part))
  const nodes = authority
    .slice(at + 1)
    .split(',')
    .map((node) => {
      const [host = '', port] = node.split(/:(?=\d+$)/)
      return { host: host.replace(/^\[(.*)\]$/, '$1'), port: port ? Number(port) : defaultPort }
    })
  const credentials = { ...(username && { username }), ...(password && { password }) }
  return { credentials, nodes, path: path.join('/') }
}

/**
 * Why the sentinels or nodes that a URL names cannot be spoken to with TLS: ioredis says no more of any of them than that its
 * connection was closed. Undefined where one can, or another form is meant.
 */
export async function securityTrouble(target: string): Promise<Error | undefined> {
  if (!target.startsWith('rediss+')) return undefined
  const { nodes } = splitNodes(target, target.startsWith('rediss+sentinel:') ? 26_379 : 6_379)
  const troubles = await Promise.all(nodes.map(handshakeTrouble))
  return troubles.includes(undefined) ? undefined : troubles[0]
}

function handshakeTrouble({ host, port }: { host: string; port: number }): Promise<Error | undefined> {
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

/** Closes a client whatever state it is in; the server's goodbye is not waited for beyond a moment. */
export async function disconnect(client: RedisClient): Promise<void> {
  if (client.status === 'end') return
  const ended = new Promise<void>((resolve) => client.once('end', resolve))
  const isSilent = client.status === 'ready' && !(await saysGoodbye(client))
  client.disconnect()
  // A silent server does not close its end; the client's own timeout does that later.
  if (!isSilent) await Promise.race([ended, pause(500)])
}

async function saysGoodbye(client: RedisClient): Promise<boolean> {
  const answered = client.quit().then(
    () => true,
    () => true,
  )
  return Promise.race([answered, pause(500).then(() => false)])
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}
