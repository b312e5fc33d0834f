import { type AlertTarget, mistakeInTarget } from './core/alerts/alert-forms.ts'
import { type Rule, unexpected } from './core/expect.ts'
import { MAX_DEADLINE_MS } from './core/rounds/record.ts'
import { formatDuration } from './core/time/duration.ts'
import { GoneError } from './errors.ts'
import { serverOf } from './redis/redis-url.ts'
import { withSecretFiles } from './secrets.ts'
import { withoutServiceLinks } from './service-links.ts'
import { CHILD_NAMES, OTHER_NAMES, SECRETS, SETTINGS, type Setting } from './settings.ts'
import { TRACE_SETTINGS } from './trace-settings.ts'

type Table = Readonly<Record<string, Setting<unknown>>>
type Optional<T extends Table> = { [K in keyof T]: T[K] extends { isOptional: true } ? K : never }[keyof T]
type Value<S extends Setting<unknown>> = S['rule'] extends Rule<infer T> ? T : never
type ValuesOf<T extends Table> = { readonly [K in Exclude<keyof T, Optional<T>>]: Value<T[K]> } & {
  readonly [K in Optional<T>]?: Value<T[K]>
}
type Values = ValuesOf<typeof SETTINGS>

/** Where traces go, and which. */
export interface TraceConfig
  extends Pick<ValuesOf<typeof TRACE_SETTINGS>, 'headers' | 'sampler' | 'share' | 'everyMs' | 'resource'> {
  readonly url: string
}

/** Everything a server can be told, as `SETTINGS` has it. Frozen; classes receive the values they need. */
export interface Config extends Omit<Values, 'keys'> {
  /** `required`: nobody gets in without a key. `optional`: until there is one. */
  readonly keys: 'required' | 'optional'
  /** Missing: nobody is told. */
  readonly traces?: TraceConfig
}

type Env = Readonly<Record<string, string | undefined>>

/**
 * The configuration that the environment asks for.
 *
 * @throws GoneError `CONFIG` with one line that names the variable, what it takes and what it got
 */
export function readConfig(environment: Env): Config {
  const given = withoutServiceLinks(environment)
  rejectUnknown(given)
  const env = withSecretFiles(given)
  const values = readTable(SETTINGS, env)
  const traces = tracesIn(env)
  const config: Config = { ...values, keys: keysOf(values), ...(traces && { traces }) }
  checkRelations(config)
  return Object.freeze(config)
}

function readTable<T extends Table>(table: T, env: Env): ValuesOf<T> {
  const read = Object.entries<Setting<unknown>>(table).map(([key, setting]) => [
    key,
    readSetting(setting, env[setting.name]?.trim() || setting.fallback),
  ])
  return Object.fromEntries(read.filter(([, value]) => value !== undefined)) as ValuesOf<T>
}

/** What is set for all that is on a machine is only looked at where traces are asked for. */
function tracesIn(env: Env): TraceConfig | undefined {
  const { endpoint, tracesEndpoint, isDisabled } = TRACE_SETTINGS
  if (!env[endpoint.name]?.trim() && !env[tracesEndpoint.name]?.trim()) return undefined
  if (/^true$/i.test(env[isDisabled.name]?.trim() ?? '')) return undefined
  const { exporter, serviceName, ...read } = readTable(TRACE_SETTINGS, env)
  const { headers, sampler, share, everyMs } = read
  const url = read.tracesEndpoint ?? (read.endpoint && `${read.endpoint.replace(/\/+$/, '')}/v1/traces`)
  if (url === undefined || exporter === 'none') return undefined
  const resource = { ...read.resource, ...(serviceName !== undefined && { 'service.name': serviceName }) }
  return Object.freeze({ url, headers, sampler, share, everyMs, resource })
}

/** True if the gate remembers a leadership that the record's Redis has lost: most nodes are other servers than it. */
export function isGateIndependent(config: Pick<Config, 'redisUrl' | 'gateUrls'>): boolean {
  const record = config.redisUrl === undefined ? undefined : serverOf(config.redisUrl)
  const others = config.gateUrls.filter((url) => serverOf(url) !== record)
  return others.length > config.gateUrls.length / 2
}

function rejectUnknown(env: Env): void {
  const names = Object.values(SETTINGS).map(({ name }) => name)
  const known: readonly string[] = [...names, ...OTHER_NAMES, ...SECRETS.map((name) => `${name}_FILE`)]
  const isKnown = (name: string) => known.includes(name) || CHILD_NAMES.some((child) => child === name)
  const unknown = Object.keys(env).find((name) => name.startsWith('GONE_') && !isKnown(name))
  if (unknown === undefined) return
  throw new GoneError('CONFIG', `${unknown}: no such setting; the settings are ${known.join(', ')}`)
}

function readSetting<T>({ name, rule, shown, isOptional }: Setting<T>, text: string): T | undefined {
  if (isOptional && text === '') return undefined
  const value = rule.fromText(text)
  if (value !== undefined) return value
  const expected = rule.expected((example) => example, text)
  const seen = shown ? shown(text) : text
  throw new GoneError(
    'CONFIG',
    seen === undefined ? `${name}: expected ${expected}` : unexpected(name, expected, seen),
  )
}

/** Who is told of alerts, each in its form. */
export function alertTargets({
  alertUrls,
  alertForms,
  alertTemplate: template,
}: Pick<Config, 'alertUrls' | 'alertForms' | 'alertTemplate'>): readonly AlertTarget[] {
  return alertUrls.map((url, index) => ({
    url,
    form: (alertForms.length === 1 ? alertForms[0] : alertForms[index]) ?? 'gone',
    ...(template !== undefined && { template }),
  }))
}

function checkAlerts(config: Config): void {
  const { alertSecret, alertUrls, alertForms } = config
  if (alertSecret !== undefined && alertUrls.length === 0)
    throw new GoneError('CONFIG', 'GONE_ALERT_SECRET: expected GONE_ALERT_URL with it, got none')
  if (new Set(alertUrls).size !== alertUrls.length)
    throw new GoneError('CONFIG', 'GONE_ALERT_URL: expected different URLs, got one of them twice')
  if (alertForms.length !== 1 && alertForms.length !== alertUrls.length)
    throw new GoneError(
      'CONFIG',
      `GONE_ALERT_FORMAT: expected one, or one for each of ${alertUrls.length} in GONE_ALERT_URL, got ${alertForms.length}`,
    )
  for (const target of alertTargets(config)) {
    const mistake = mistakeInTarget(target)
    if (mistake !== undefined) throw new GoneError('CONFIG', `GONE_ALERT_URL: ${mistake}`)
  }
}

function checkRelations(config: Config): void {
  const { gateUrls, retentionMs, jobRetentionMs } = config
  checkAlerts(config)
  checkGate(gateUrls)
  if (retentionMs === 0) return
  // A job that outlives its record could be added again for a round that has been run.
  const needed = jobRetentionMs + MAX_DEADLINE_MS
  if (retentionMs >= needed) return
  throw new GoneError(
    'CONFIG',
    `GONE_RETENTION: expected at least ${formatDuration(needed)}, the longest deadline (${formatDuration(MAX_DEADLINE_MS)}) ` +
      `plus GONE_JOB_RETENTION (${formatDuration(jobRetentionMs)}), got ${formatDuration(retentionMs)}`,
  )
}

function checkGate(urls: readonly string[]): void {
  // An even number of nodes can tie, and a tied vote has been seen to hang redlock.
  if (urls.length % 2 === 0 && urls.length > 0)
    throw new GoneError('CONFIG', `GATE_REDIS_URLS: expected an odd number of nodes, got ${urls.length}`)
  if (new Set(urls.map(serverOf)).size !== urls.length)
    throw new GoneError('CONFIG', 'GATE_REDIS_URLS: expected different nodes, got one of them twice')
}

function keysOf({ keys, host }: Values): Config['keys'] {
  if (keys !== 'auto') return keys
  return isLoopback(host) ? 'optional' : 'required'
}

/** True if only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)
}
