import { formatDuration, parseDuration } from './core/duration.ts'
import { MAX_DEADLINE_MS } from './core/record.ts'
import { isPercentEncoded } from './core/round.ts'
import { GoneError } from './errors.ts'
import { isNetwork } from './networks.ts'
import { SECRETS, withSecretFiles } from './secrets.ts'

/** Everything a server can be told. Frozen; classes receive the values they need. */
export interface Config {
  readonly host: string
  readonly port: number
  /** Missing: start an embedded Redis. */
  readonly redisUrl?: string
  /** Independent nodes of the gate; empty: the record's own Redis. */
  readonly gateUrls: readonly string[]
  readonly dataDir: string
  readonly retentionMs: number
  readonly jobRetentionMs: number
  readonly jobRetentionCount: number
  readonly deadlineMs: number
  readonly shutdownMs: number
  readonly maxSubmissionBytes: number
  readonly logLevel: LogLevel
  readonly boardReadOnly: boolean
  readonly allowEviction: boolean
  /** Missing: alerts are told nobody. */
  readonly alertUrl?: string
  /** Missing: what is told is not signed. */
  readonly alertSecret?: string
  /** `required`: nobody gets in without a key. `optional`: until there is one. */
  readonly keys: 'required' | 'optional'
  /** Addresses and networks whose X-Forwarded headers are believed. */
  readonly trustedProxies: readonly string[]
  /** Requests a second from each address and with each key; 0: any number. */
  readonly rateLimit: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
type LogLevel = (typeof LOG_LEVELS)[number]

/** A setting as the README's table shows it. */
interface Setting {
  readonly name: string
  readonly fallback: string
  readonly about: string
}

/** Every environment variable that the server reads, with its default as one would write it. The README's table is checked against it. */
export const SETTINGS = [
  { name: 'REDIS_URL', fallback: '', about: 'Redis to use; empty: start an embedded one' },
  {
    name: 'GATE_REDIS_URLS',
    fallback: '',
    about: 'an odd number of gate nodes, comma-separated; empty: none',
  },
  { name: 'GONE_HOST', fallback: '127.0.0.1', about: 'address to listen on' },
  { name: 'GONE_PORT', fallback: '8080', about: 'port to listen on; 0: any free one' },
  { name: 'GONE_DATA_DIR', fallback: '.gone', about: 'where an embedded Redis keeps its data' },
  { name: 'GONE_RETENTION', fallback: '30d', about: 'how long a round is remembered; 0: for ever' },
  { name: 'GONE_JOB_RETENTION', fallback: '7d', about: 'how long the board keeps finished rounds' },
  { name: 'GONE_JOB_RETENTION_COUNT', fallback: '100000', about: 'how many finished rounds the board keeps' },
  {
    name: 'GONE_DEADLINE',
    fallback: '60m',
    about: 'when an unreported round turns red, unless the caller says',
  },
  { name: 'GONE_SHUTDOWN', fallback: '10s', about: 'how long a stopping server may take to drain' },
  { name: 'GONE_MAX_SUBMISSION', fallback: '65536', about: 'the largest submission, in bytes' },
  { name: 'GONE_LOG_LEVEL', fallback: 'info', about: `one of ${LOG_LEVELS.join(', ')}` },
  {
    name: 'GONE_BOARD',
    fallback: 'read-only',
    about: 'read-only, or read-write to retry and remove jobs there',
  },
  {
    name: 'GONE_ALLOW_EVICTION',
    fallback: 'false',
    about: 'start on a Redis that may evict (and so forget) rounds',
  },
  { name: 'GONE_ALERT_URL', fallback: '', about: 'where alerts are posted to; empty: nowhere' },
  { name: 'GONE_ALERT_SECRET', fallback: '', about: 'what signs them; empty: nothing does' },
  {
    name: 'GONE_KEYS',
    fallback: 'auto',
    about: 'required, optional until there is one, or auto: required beyond loopback',
  },
  {
    name: 'GONE_TRUSTED_PROXIES',
    fallback: '',
    about: 'networks whose X-Forwarded headers are believed, such as 10.0.0.0/8',
  },
  {
    name: 'GONE_RATE_LIMIT',
    fallback: '0',
    about: 'requests a second from each address and with each key, ten times as many at once; 0: any number',
  },
  { name: 'GONE_MAX_CONNECTIONS', fallback: '10000', about: 'how many connections there may be' },
  {
    name: 'GONE_MAX_CONNECTIONS_PER_ADDRESS',
    fallback: '2000',
    about: 'of these from one address that is no trusted proxy',
  },
] as const satisfies readonly Setting[]

type SettingName = (typeof SETTINGS)[number]['name']

/** Names with our prefix that other parts read: the CLI its server's address, the workers their settings. */
const OTHER_NAMES = [
  'GONE_URL',
  'GONE_KEY',
  ...SECRETS.map((name) => `${name}_FILE` as const),
  'GONE_WEBHOOK_SECRET',
  'GONE_WEBHOOK_ALLOW',
  'GONE_WEBHOOK_ALLOW_PRIVATE',
  'GONE_SHELL_CATALOGUE',
]

/**
 * The configuration that the environment asks for.
 *
 * @throws GoneError `CONFIG` with one line that names the variable, what it takes and what it got
 */
export function readConfig(given: Readonly<Record<string, string | undefined>>): Config {
  rejectUnknown(given)
  const env = withSecretFiles(given)
  const text = (name: SettingName) =>
    env[name]?.trim() || (SETTINGS.find((s) => s.name === name)?.fallback ?? '')
  const whole = (name: SettingName, min: number, max: number) => parseWhole(name, text(name), min, max)
  const duration = (name: SettingName, minMs: number, maxMs: number) =>
    parseSpan(name, text(name), minMs, maxMs)
  const choice = <T extends string>(name: SettingName, choices: readonly T[]) =>
    parseChoice(name, text(name), choices)

  const redisUrl = text('REDIS_URL')
  if (redisUrl) checkRedisUrl('REDIS_URL', redisUrl)
  const alertUrl = text('GONE_ALERT_URL')
  if (alertUrl) checkHookUrl('GONE_ALERT_URL', alertUrl)
  const alertSecret = text('GONE_ALERT_SECRET')
  const config: Config = {
    host: text('GONE_HOST'),
    port: whole('GONE_PORT', 0, 65_535),
    ...(redisUrl && { redisUrl }),
    gateUrls: parseGateUrls(text('GATE_REDIS_URLS')),
    dataDir: text('GONE_DATA_DIR'),
    retentionMs: duration('GONE_RETENTION', 0, 3_650 * 86_400_000),
    jobRetentionMs: duration('GONE_JOB_RETENTION', 1_000, 3_650 * 86_400_000),
    jobRetentionCount: whole('GONE_JOB_RETENTION_COUNT', 1, 100_000_000),
    deadlineMs: duration('GONE_DEADLINE', 1_000, MAX_DEADLINE_MS),
    maxSubmissionBytes: whole('GONE_MAX_SUBMISSION', 1_024, 16_777_216),
    shutdownMs: duration('GONE_SHUTDOWN', 100, 600_000),
    logLevel: choice('GONE_LOG_LEVEL', LOG_LEVELS),
    boardReadOnly: choice('GONE_BOARD', ['read-only', 'read-write']) === 'read-only',
    allowEviction: choice('GONE_ALLOW_EVICTION', ['true', 'false']) === 'true',
    ...(alertUrl && { alertUrl }),
    ...(alertSecret && { alertSecret }),
    keys: keysOf(choice('GONE_KEYS', ['auto', 'required', 'optional']), text('GONE_HOST')),
    trustedProxies: parseNetworks('GONE_TRUSTED_PROXIES', text('GONE_TRUSTED_PROXIES')),
    rateLimit: whole('GONE_RATE_LIMIT', 0, 1_000_000),
    maxConnections: whole('GONE_MAX_CONNECTIONS', 1, 1_000_000),
    maxConnectionsPerAddress: whole('GONE_MAX_CONNECTIONS_PER_ADDRESS', 1, 1_000_000),
  }
  checkRelations(config)
  return Object.freeze(config)
}

/** True if the gate remembers a leadership that the record's Redis has lost: most nodes are other servers than it. */
export function isGateIndependent(config: Pick<Config, 'redisUrl' | 'gateUrls'>): boolean {
  const record = config.redisUrl === undefined ? undefined : serverOf(config.redisUrl)
  const others = config.gateUrls.filter((url) => serverOf(url) !== record)
  return others.length > config.gateUrls.length / 2
}

function rejectUnknown(env: Readonly<Record<string, string | undefined>>): void {
  const known: readonly string[] = [...SETTINGS.map((s) => s.name), ...OTHER_NAMES]
  const unknown = Object.keys(env).find((name) => name.startsWith('GONE_') && !known.includes(name))
  if (unknown === undefined) return
  throw new GoneError('CONFIG', `${unknown}: no such setting; the settings are ${known.join(', ')}`)
}

function checkRelations(config: Config): void {
  if (config.alertSecret !== undefined && config.alertUrl === undefined)
    throw new GoneError('CONFIG', 'GONE_ALERT_SECRET: expected GONE_ALERT_URL with it, got none')
  if (config.retentionMs === 0) return
  // A job that outlives its record could be added again for a round that has been run.
  const needed = config.jobRetentionMs + MAX_DEADLINE_MS
  if (config.retentionMs >= needed) return
  throw new GoneError(
    'CONFIG',
    `GONE_RETENTION: expected at least ${formatDuration(needed)}, the longest deadline (${formatDuration(MAX_DEADLINE_MS)}) ` +
      `plus GONE_JOB_RETENTION (${formatDuration(config.jobRetentionMs)}), got ${formatDuration(config.retentionMs)}`,
  )
}

function parseWhole(name: string, value: string, min: number, max: number): number {
  const number = /^\d{1,10}$/.test(value) ? Number(value) : Number.NaN
  if (number >= min && number <= max) return number
  throw new GoneError('CONFIG', `${name}: expected an integer from ${min} to ${max}, got "${value}"`)
}

function parseSpan(name: string, value: string, minMs: number, maxMs: number): number {
  const ms = parseDuration(value)
  if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms
  const range = `from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`
  throw new GoneError('CONFIG', `${name}: expected a duration like 30s, 10m or 7d, ${range}, got "${value}"`)
}

function parseChoice<T extends string>(name: string, value: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value)
  if (found !== undefined) return found
  throw new GoneError('CONFIG', `${name}: expected one of ${choices.join(', ')}, got "${value}"`)
}

function parseGateUrls(value: string): readonly string[] {
  const urls = value.split(',').flatMap((url) => (url.trim() ? [url.trim()] : []))
  // An even number of nodes can tie, and a tied vote has been seen to hang redlock.
  if (urls.length % 2 === 0 && urls.length > 0) {
    throw new GoneError('CONFIG', `GATE_REDIS_URLS: expected an odd number of nodes, got ${urls.length}`)
  }
  for (const url of urls) checkRedisUrl('GATE_REDIS_URLS', url)
  if (new Set(urls.map(serverOf)).size !== urls.length) {
    throw new GoneError('CONFIG', 'GATE_REDIS_URLS: expected different nodes, got one of them twice')
  }
  return urls
}

function keysOf(choice: 'auto' | 'required' | 'optional', host: string): Config['keys'] {
  if (choice !== 'auto') return choice
  return isLoopback(host) ? 'optional' : 'required'
}

/** True if only this machine can reach it. */
function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)
}

function parseNetworks(name: string, value: string): readonly string[] {
  const networks = value.split(',').flatMap((part) => (part.trim() ? [part.trim()] : []))
  const wrong = networks.find((network) => !isNetwork(network))
  if (wrong === undefined) return networks
  throw new GoneError('CONFIG', `${name}: expected addresses or networks such as 10.0.0.0/8, got "${wrong}"`)
}

const REDIS_PROTOCOLS = [
  'redis:',
  'rediss:',
  'redis+sentinel:',
  'rediss+sentinel:',
  'redis+cluster:',
  'rediss+cluster:',
]

function checkRedisUrl(name: string, value: string): void {
  const protocol = /^[a-z+]+:/.exec(value)?.[0] ?? ''
  if (value.startsWith('/')) return // a unix socket
  const isUrl = protocol.includes('+') ? namesNodes(value) : isOneUrl(value)
  if (REDIS_PROTOCOLS.includes(protocol) && isUrl) return
  const protocols = REDIS_PROTOCOLS.map((p) => `${p}//`).join(', ')
  const rule = `${protocols} with a host, and a password percent-encoded (%40 for @)`
  throw new GoneError('CONFIG', `${name}: expected ${rule}, got "${hidePassword(value)}"`)
}

function isOneUrl(value: string): boolean {
  const url = URL.canParse(value) ? new URL(value) : undefined
  return url !== undefined && url.hostname !== '' && isPercentEncoded(url.username + url.password)
}

/** Such as `redis+sentinel://user:password@host1:1,host2:2/name/0`, which URL does not take. */
function namesNodes(value: string): boolean {
  const [, user = '', nodes = ''] =
    /^[a-z+]+:\/\/(?:([^/]*)@)?([^@/?#]+)(?:\/[^/?#]*(?:\/\d*)?)?$/.exec(value) ?? []
  const isNode = (node: string) => isOneUrl(`redis://${node}`)
  return isPercentEncoded(user) && nodes.split(',').every(isNode)
}

/** The value is not shown: paths and queries of webhooks carry secrets. */
function checkHookUrl(name: string, value: string): void {
  const url = URL.canParse(value) ? new URL(value) : undefined
  const isWeb = url?.protocol === 'http:' || url?.protocol === 'https:'
  if (isWeb && !url.username && !url.password) return
  throw new GoneError(
    'CONFIG',
    `${name}: expected an absolute URL with http or https and without a user name or password`,
  )
}

/** A URL fit for a log or an error: without its password. */
export function hidePassword(url: string): string {
  // To the last @: a password may hold one that should have been escaped.
  return url.replace(/\/\/([^:@/]*):.*@/s, '//$1:***@')
}

/** The server behind a URL, so that two spellings of one compare equal; the database number does not matter. */
function serverOf(url: string): string {
  const authority = url
    .replace(/^[a-z+]+:\/\//, '')
    .replace(/^[^@]*@/, '')
    .replace(/[/?].*$/, '')
  const withPort = /:\d+$/.test(authority) ? authority : `${authority}:6379`
  return withPort.toLowerCase().replace(/^(localhost|\[::1\]):/, '127.0.0.1:')
}
