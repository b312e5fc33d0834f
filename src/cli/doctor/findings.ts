import type { CallerJson } from '../../core/status-wire.ts'
import { formatDuration } from '../../core/time/duration.ts'

/** What was seen of a Redis. */
export interface RedisFacts {
  /** As its URL was written, without its password. */
  readonly where: string
  /** Why it was not reached; then nothing else is known. */
  readonly trouble?: string
  readonly version?: string
  readonly role?: string
  readonly policy?: string
  readonly hasAof?: boolean
  /** Missing where the user may not read settings. */
  readonly fsync?: string
  readonly listpackValue?: number
  readonly maxMemoryBytes?: number
  readonly usedMemoryBytes?: number
  /** How far this machine's clock is ahead of its. */
  readonly aheadMs?: number
  readonly roundTripMs?: number
  /** The same for two addresses of one server. */
  readonly runId?: string
  /** What is to be said of jobs where older builds kept them in a Cluster. */
  readonly oldJobs?: string
}

/** What runs of one version. */
export interface Build {
  readonly version: string
  readonly servers: number
  readonly instances: number
}

/** What a server says of itself and of the others. */
export interface ServerFacts {
  readonly url: string
  readonly isReady: boolean
  readonly trouble?: string
  readonly warning?: string
  /** What runs, by version. */
  readonly builds?: readonly Build[]
  /** How this command's own request came to it; missing where it is too old to say. */
  readonly caller?: CallerJson
  /** Why these two are not known, though it is ready. */
  readonly refusal?: string
}

export interface Facts {
  readonly node: string
  /** Of this command. */
  readonly version: string
  /** What is wrong with the settings, in one line. */
  readonly settingsTrouble?: string
  readonly redis?: RedisFacts
  readonly gate: readonly RedisFacts[]
  /** What the server that these settings start says of itself; missing: none answers. */
  readonly server?: ServerFacts
  /** Networks of proxies that are everybody's. */
  readonly trusted: readonly string[]
  readonly isBeyondLoopback: boolean
  readonly areKeysNeeded: boolean
  readonly keys?: number
}

/** `wrong`: it does not work, or not as promised. `note`: it works, and may be meant otherwise. */
export interface Finding {
  readonly kind: 'ok' | 'note' | 'wrong'
  readonly about: string
  /** What is, and where it is not ok, what would be right. */
  readonly detail: string
}

const CLOCK_MS = 1_000
const SLOW_MS = 20
const OLDEST = [6, 2]

/** What is right and wrong, in the order in which one would mend it. */
export function findingsOf(facts: Facts): readonly Finding[] {
  return [
    ok('node', facts.node),
    facts.settingsTrouble === undefined
      ? ok('settings', 'each is known, and has a value that is taken')
      : wrong('settings', facts.settingsTrouble),
    ...ownRedisFindings(facts),
    ...facts.gate.flatMap((node, index) => redisFindings(`gate ${index + 1}`, node, false)),
    ...gateFindings(facts),
    ...keyFindings(facts),
    ...serverFindings(facts),
    ...versionFindings(facts),
    ...proxyFindings(facts),
  ]
}

function ownRedisFindings({ redis, settingsTrouble }: Facts): readonly Finding[] {
  if (redis !== undefined) return redisFindings('redis', redis, true)
  if (settingsTrouble !== undefined) return []
  return [note('redis', 'REDIS_URL names none, and no server runs in this folder: gone serve starts one')]
}

function redisFindings(about: string, redis: RedisFacts, isRecord: boolean): readonly Finding[] {
  if (redis.trouble !== undefined) return [wrong(about, `${redis.where}: ${redis.trouble}`)]
  const { version = 'unknown', roundTripMs } = redis
  const speed = roundTripMs === undefined ? '' : `, answers in ${roundTripMs.toFixed(1)} ms`
  const found = [ok(about, `${redis.where}: ${version}${speed}`)]
  if (isOld(version)) found.push(wrong(about, `version ${version}: 6.2 or newer is expected`))
  if (roundTripMs !== undefined && roundTripMs > SLOW_MS)
    found.push(note(about, `each decision takes at least ${roundTripMs.toFixed(0)} ms: is it far away?`))
  if (!isRecord) return found
  const old = redis.oldJobs === undefined ? [] : [wrong('queues', redis.oldJobs)]
  return [...found, ...keepFindings(about, redis), ...clockFindings(about, redis), ...old]
}

function keepFindings(about: string, redis: RedisFacts): Finding[] {
  const { role, policy, hasAof, fsync, listpackValue, maxMemoryBytes = 0, usedMemoryBytes = 0 } = redis
  const found: Finding[] = []
  if (role !== undefined && role !== 'master')
    found.push(wrong(about, `it is a ${role}: name the primary, or sentinels (redis+sentinel://…)`))
  if (policy !== undefined && policy !== 'noeviction')
    found.push(wrong(about, `maxmemory-policy ${policy} forgets rounds: set noeviction`))
  if (hasAof === false)
    found.push(wrong(about, 'appendonly no: a restart forgets what it acknowledged; set it to yes'))
  if (hasAof === true && fsync === 'no')
    found.push(wrong(about, 'appendfsync no may lose half a minute: set always, or everysec'))
  if (hasAof === true && fsync === 'everysec')
    found.push(note(about, 'appendfsync everysec may lose the last second after power loss; always does not'))
  if (listpackValue !== undefined && listpackValue < 512)
    found.push(
      note(about, `hash-max-listpack-value ${listpackValue}: rounds take up to three times less with 512`),
    )
  if (maxMemoryBytes > 0 && usedMemoryBytes > 0.9 * maxMemoryBytes)
    found.push(wrong(about, 'its memory is full by nine tenths: then callers get errors that say retry'))
  return found
}

function clockFindings(about: string, { aheadMs = 0 }: RedisFacts): Finding[] {
  if (Math.abs(aheadMs) < CLOCK_MS) return []
  const off = formatDuration(Math.round(Math.abs(aheadMs) / 1_000) * 1_000)
  const detail = `this machine's clock is ${off} ${aheadMs > 0 ? 'ahead of' : 'behind'} that of Redis, which decides; names of rounds that replicas compute by themselves may differ`
  return [note(about, detail)]
}

function gateFindings({ gate, redis }: Facts): Finding[] {
  if (gate.length === 0) return []
  const ids = [redis, ...gate].map((one) => one?.runId).filter((id) => id !== undefined)
  const isShared = new Set(ids).size < ids.length
  const reached = gate.filter(({ trouble }) => trouble === undefined).length
  if (reached <= gate.length / 2)
    return [
      wrong('gate', `${reached} of ${gate.length} nodes answer: without most of them nobody new is elected`),
    ]
  return isShared
    ? [note('gate', 'two of its nodes are one Redis, or the rounds’ own: they fail together')]
    : []
}

function keyFindings({ isBeyondLoopback, areKeysNeeded, keys }: Facts): Finding[] {
  if (keys === undefined) return []
  const shown = `${keys} API ${keys === 1 ? 'key' : 'keys'}`
  if (keys > 0) return [ok('keys', shown)]
  if (areKeysNeeded) return [wrong('keys', 'one is needed, and there is none: gone key create')]
  return isBeyondLoopback
    ? [note('keys', 'none: whoever reaches the port may do everything')]
    : [ok('keys', 'none, and it listens on this machine alone')]
}

function serverFindings({ server }: Facts): Finding[] {
  if (server === undefined) return [note('server', 'none answers here: gone serve starts one')]
  if (!server.isReady) return [wrong('server', `${server.url}: ${server.trouble ?? 'not ready'}`)]
  return server.warning === undefined
    ? [ok('server', `${server.url} is ready`)]
    : [wrong('server', `${server.url}: ${server.warning}`)]
}

function versionFindings({ version, server }: Facts): readonly Finding[] {
  const { builds = [], refusal } = server ?? {}
  if (refusal !== undefined)
    return [note('versions', `not looked at, and no proxy either: ${refusal}; GONE_KEY that may read`)]
  const [first, second] = builds
  if (first === undefined) return []
  const running = builds.map((build) => `${build.version} (${countsOf(build)})`).join(', ')
  if (second !== undefined)
    return [
      note('versions', `gone ${running} side by side: well while you upgrade, of neighbouring versions`),
    ]
  return first.version === version
    ? [ok('versions', `gone ${running}`)]
    : [note('versions', `this command is gone ${version}, and what runs is ${running}`)]
}

function countsOf({ servers, instances }: Build): string {
  const counted = [
    [servers, 'server'],
    [instances, 'instance'],
  ] as const
  return counted
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}${count === 1 ? '' : 's'}`)
    .join(', ')
}

function proxyFindings({ trusted, server }: Facts): readonly Finding[] {
  const found = trusted.map((network) =>
    wrong('proxy', `GONE_TRUSTED_PROXIES=${network} believes everybody: name the proxies’ own network`),
  )
  return server?.caller === undefined ? found : [...found, ...passageFindings(server.url, server.caller)]
}

/** What has become of a request on its way. */
function passageFindings(url: string, { address, host = 'no name', secure, proxy }: CallerJson): Finding[] {
  const { host: asked, protocol } = new URL(url)
  const found: Finding[] = []
  if (proxy === 'ignored')
    found.push(
      wrong(
        'proxy',
        `${address} says whom it asks for and is not believed, so all its callers count as one: GONE_TRUSTED_PROXIES=${address} on the servers`,
      ),
    )
  if (hostOf(protocol, host) !== asked)
    found.push(
      wrong('proxy', `${asked} was asked, and the server heard ${host}: the proxy has to pass Host on`),
    )
  if (protocol === 'https:' && !secure && proxy !== 'ignored')
    found.push(
      wrong(
        'proxy',
        'https was asked, and the server heard http: cookies are not kept for https alone until the proxy says X-Forwarded-Proto',
      ),
    )
  if (found.length > 0 || proxy === undefined) return found
  return [ok('proxy', `it is believed, and says that this machine is ${address}`)]
}

/** Some proxies name the port, also where it is the usual one. */
function hostOf(protocol: string, host: string): string {
  const url = `${protocol}//${host}`
  return URL.canParse(url) ? new URL(url).host : host
}

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(version)?.slice(1) ?? []).map(Number)
  const [oldest = 0, oldestMinor = 0] = OLDEST
  return major > 0 && (major < oldest || (major === oldest && minor < oldestMinor))
}

const ok = (about: string, detail: string): Finding => ({ kind: 'ok', about, detail })
const note = (about: string, detail: string): Finding => ({ kind: 'note', about, detail })
const wrong = (about: string, detail: string): Finding => ({ kind: 'wrong', about, detail })
