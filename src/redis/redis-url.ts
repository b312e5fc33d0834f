import { isIPv6 } from 'node:net'
import { isPercentEncoded } from '../core/rounds/round.ts'

export interface RedisNode {
  readonly host: string
  readonly port: number
}

export interface RedisLogin {
  readonly username?: string
  readonly password: string
}

interface Reached {
  /** Over TLS. */
  readonly isSecured: boolean
  readonly login?: RedisLogin
}

/** Where a Redis is, as a URL says it. */
export type RedisAddress = Reached &
  (
    | { readonly kind: 'server'; readonly node: RedisNode; readonly database: number }
    | { readonly kind: 'socket'; readonly path: string; readonly database: number }
    | {
        readonly kind: 'sentinels'
        readonly nodes: readonly RedisNode[]
        readonly primary: string
        readonly database: number
        /** Missing: the sentinels want no password. */
        readonly sentinelLogin?: RedisLogin
      }
    | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] }
  )

/** What a text is not, in words that come after "expected". */
interface Mistake {
  readonly kind: 'mistake'
  readonly expected: string
}

const PORT = 6_379
const SENTINEL_PORT = 26_379
const MAX_DATABASE = 99_999

const FORMS =
  'redis://host:6379/0, rediss:// for TLS, redis+sentinel://host,host2/mymaster, redis+cluster://host,host2, or the path of a socket'
const ENCODED =
  'a user and password that are percent-encoded (%40 for @, %2F for /, %23 for #, %3F for ?, %25 for %)'

/**
 * The one grammar of `REDIS_URL` and of each of `GATE_REDIS_URLS`:
 *
 *     redis[s]://[user:password@]host[:port][/database]
 *     redis[s]+sentinel://[user:password@]host[:port],...[/primary[/database]][?sentinel-user=name&sentinel-password=text]
 *     redis[s]+cluster://[user:password@]host[:port],...
 *     /path/of/socket
 *     unix://[user:password@]/path/of/socket[?database=number]
 */
export function parseRedisUrl(text: string): RedisAddress | Mistake {
  if (text.startsWith('/')) return { kind: 'socket', path: text, database: 0, isSecured: false }
  const [, scheme = '', afterScheme = ''] = /^([a-z+]+):\/\/(.*)$/is.exec(text) ?? []
  // To the last @: a password may hold one that should have been encoded.
  const [, login, rest = ''] = /^(?:(.*)@)?([^@]*)$/s.exec(afterScheme) ?? []
  const read = FORM_READERS[scheme.toLowerCase()]
  if (!read) return mistake(FORMS)
  try {
    return read(rest, login === undefined ? {} : { login: readLogin(login) })
  } catch (error) {
    if (error instanceof Unreadable) return mistake(error.message)
    throw error
  }
}

/** The address of a URL that a check has taken. */
export function redisAddress(text: string): RedisAddress {
  const address = parseRedisUrl(text)
  if (address.kind !== 'mistake') return address
  throw new TypeError(`expected ${address.expected}, got ${hidePassword(text)}`)
}

/** Its message comes after "expected". */
class Unreadable extends Error {}

type Login = Pick<Reached, 'login'>

const FORM_READERS: Readonly<Record<string, (rest: string, login: Login) => RedisAddress>> = {
  redis: (rest, login) => readServer(rest, { ...login, isSecured: false }),
  rediss: (rest, login) => readServer(rest, { ...login, isSecured: true }),
  'redis+sentinel': (rest, login) => readSentinels(rest, { ...login, isSecured: false }),
  'rediss+sentinel': (rest, login) => readSentinels(rest, { ...login, isSecured: true }),
  'redis+cluster': (rest, login) => readCluster(rest, { ...login, isSecured: false }),
  'rediss+cluster': (rest, login) => readCluster(rest, { ...login, isSecured: true }),
  unix: (rest, login) => readSocket(rest, { ...login, isSecured: false }),
}

function readServer(rest: string, reached: Reached): RedisAddress {
  const { authority, path, query } = split(rest)
  const [node, ...others] = readNodes(authority, PORT)
  if (node === undefined || others.length > 0)
    throw new Unreadable('one host, or redis+sentinel:// or redis+cluster:// before several')
  readQuery(query, [])
  const [, database = ''] = /^\/?(.*)$/s.exec(path) ?? []
  return { ...reached, kind: 'server', node, database: readDatabase(database) }
}

function readSentinels(rest: string, reached: Reached): RedisAddress {
  const { authority, path, query } = split(rest)
  const [, primary = '', database = '', ...others] = path.split('/')
  if (others.length > 0) throw new Unreadable('/mymaster or /mymaster/0 after the hosts of the sentinels')
  const asked = readQuery(query, ['sentinel-user', 'sentinel-password'])
  const [username, password] = [asked.get('sentinel-user'), asked.get('sentinel-password')]
  if (username !== undefined && password === undefined)
    throw new Unreadable('a sentinel-password with the sentinel-user')
  return {
    ...reached,
    kind: 'sentinels',
    nodes: readNodes(authority, SENTINEL_PORT),
    primary: decode(primary) || 'mymaster',
    database: readDatabase(database),
    ...(password !== undefined && { sentinelLogin: { ...(username && { username }), password } }),
  }
}

function readCluster(rest: string, reached: Reached): RedisAddress {
  const { authority, path, query } = split(rest)
  readQuery(query, [])
  if (path.replace('/', '') !== '')
    throw new Unreadable('nothing after the hosts of a Cluster, which has database 0 alone')
  return { ...reached, kind: 'cluster', nodes: readNodes(authority, PORT) }
}

function readSocket(rest: string, reached: Reached): RedisAddress {
  const { authority, path, query } = split(rest)
  if (authority !== '' || path.length < 2)
    throw new Unreadable('the path of a socket, as in unix:///run/redis.sock')
  const database = readDatabase(readQuery(query, ['database']).get('database') ?? '')
  return { ...reached, kind: 'socket', path: decode(path), database }
}

function split(rest: string): { authority: string; path: string; query: string } {
  const [, authority = '', path = '', query = '', fragment] =
    /^([^/?#]*)(\/[^?#]*)?(?:\?([^#]*))?(#.*)?$/s.exec(rest) ?? []
  if (fragment !== undefined) throw new Unreadable('nothing from a "#" on')
  return { authority, path, query }
}

/** A user alone would be taken for a password by some, and be asked for none by others. */
function readLogin(text: string): RedisLogin {
  const [, user = '', password] = /^([^:]*)(?::(.*))?$/s.exec(text) ?? []
  if (/[/?#\s]/.test(text)) throw new Unreadable(ENCODED)
  if (!password) throw new Unreadable('a password before the @, as in user:password@ or :password@')
  const username = decode(user)
  return { ...(username && { username }), password: decode(password) }
}

function decode(text: string): string {
  if (!isPercentEncoded(text)) throw new Unreadable(ENCODED)
  return decodeURIComponent(text)
}

function readNodes(text: string, defaultPort: number): readonly RedisNode[] {
  return text.split(',').map((node) => {
    const [, bracketed, plain = '', digits] =
      /^(?:\[([^\]]*)\]|([\p{L}\p{N}._-]+))(?::(\d{1,5}))?$/u.exec(node) ?? []
    const host = bracketed ?? plain
    const port = digits === undefined ? defaultPort : Number(digits)
    const isHost = bracketed === undefined ? host !== '' : isIPv6(host)
    if (isHost && port >= 1 && port <= 65_535) return { host, port }
    throw new Unreadable('a host after ://, as in host, host:6379 or [::1]:6379')
  })
}

function readDatabase(text: string): number {
  if (text === '') return 0
  if (/^\d{1,5}$/.test(text) && Number(text) <= MAX_DATABASE) return Number(text)
  throw new Unreadable('a database by its number, as in redis://host/0')
}

function readQuery(query: string, names: readonly string[]): ReadonlyMap<string, string> {
  const read = new Map<string, string>()
  for (const part of query === '' ? [] : query.split('&')) {
    const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(part) ?? []
    if (!names.includes(name) || read.has(name) || value === '')
      throw new Unreadable(
        names.length === 0
          ? 'no query after the address'
          : `no query but ${names.join(' and ')}, each once and not empty`,
      )
    read.set(name, decode(value))
  }
  return read
}

function mistake(expected: string): Mistake {
  return { kind: 'mistake', expected }
}

/** A URL fit for a log or an error, also if it is a wrong one: without passwords. */
export function hidePassword(url: string): string {
  return (
    url
      .replace(/^([a-z+]*:(?:\/\/)?)?(?:([^:@/?#]*):.*|[^@]*)@/is, (_, scheme = '', user) =>
        user === undefined ? `${scheme}***@` : `${scheme}${user}:***@`,
      )
      // Where a host is expected with its port, a password may stand.
      .replace(/^([a-z+]*:\/\/[^@/?#[\]]*):(?!\d{1,5}(?:[/,?#]|$))[^@]*$/is, '$1:***')
      .replace(/([?&#][^=&]*)=[^&]*/g, '$1=***')
  )
}

/** What of a URL is a password, as it is written and as it is meant. */
export function passwordsIn(url: string): readonly string[] {
  const address = parseRedisUrl(url)
  if (address.kind === 'mistake') return []
  const [, written = ''] = /^[a-z+]+:\/\/[^:@]*:(.*)@/is.exec(url) ?? []
  const [, sentinels = ''] = /[?&]sentinel-password=([^&]*)/.exec(url) ?? []
  const meant = [
    address.login?.password,
    address.kind === 'sentinels' ? address.sentinelLogin?.password : undefined,
  ]
  return [written, sentinels, ...meant].flatMap((text) => (text ? [text] : []))
}

/** The server behind a URL, so that two spellings of one compare equal; the database does not matter. */
export function serverOf(url: string): string {
  const address = redisAddress(url)
  if (address.kind === 'socket') return address.path
  const nodes = address.kind === 'server' ? [address.node] : address.nodes
  return nodes
    .map(({ host, port }) => `${host.toLowerCase().replace(/^(localhost|::1)$/, '127.0.0.1')}:${port}`)
    .sort()
    .join(',')
}
