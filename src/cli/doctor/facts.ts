import { resolve } from 'node:path'
import { createClient } from '../../client/client.ts'
import { type Config, isLoopback, readConfig } from '../../config.ts'
import { redisIn } from '../../embedded/data-folder.ts'
import { GoneError } from '../../errors.ts'
import { createLog } from '../../log.ts'
import { connect, disconnect, type RedisClient, type RedisTarget } from '../../redis/connections.ts'
import { whenReachable } from '../../redis/readiness.ts'
import { redisNowMs } from '../../redis/redis-clock.ts'
import { readInfo } from '../../redis/redis-info.ts'
import { hidePassword } from '../../redis/redis-url.ts'
import { RedisKeys } from '../../store/redis-api-keys.ts'
import { VERSION } from '../../version.ts'
import { given } from '../ask.ts'
import { readyOf, withoutLogin } from '../ready.ts'
import { clientOptions } from '../server-options.ts'
import type { Build, Facts, RedisFacts, ServerFacts } from './findings.ts'

const ASK_WITHIN_MS = 2_000
/** Believes whoever asks. */
const EVERYBODY = /\/0+$/

/**
 * Looks at everything that the settings name. What does not answer is a fact, not an error.
 *
 * @param isNamed somebody says that there is a server; else none need be
 */
export async function readFacts(env: NodeJS.ProcessEnv, serverUrl: string, isNamed: boolean): Promise<Facts> {
  const config = configOf(env)
  const base = {
    node: `Node ${process.versions.node}`,
    version: VERSION,
    gate: [],
    trusted: [],
    isBeyondLoopback: false,
    areKeysNeeded: false,
  }
  if (config instanceof GoneError) return { ...base, settingsTrouble: config.message }
  const target = await targetOf(config)
  const [redis, gate, server] = await Promise.all([
    target && redisFacts(config, target, config.redisUrl ?? resolve(config.dataDir), true),
    Promise.all(config.gateUrls.map((url) => redisFacts(config, url, url, false))),
    serverFacts(serverUrl, isNamed),
  ])
  const isBeyondLoopback = !isLoopback(config.host)
  return {
    ...base,
    ...(redis && { redis: redis.facts, ...(redis.keys !== undefined && { keys: redis.keys }) }),
    gate: gate.map(({ facts }) => facts),
    ...(server && { server }),
    isBeyondLoopback,
    areKeysNeeded: config.keys === 'required',
    trusted: config.trustedProxies.filter((network) => EVERYBODY.test(network)),
  }
}

function configOf(env: NodeJS.ProcessEnv): Config | GoneError {
  try {
    return readConfig(env)
  } catch (error) {
    if (error instanceof GoneError) return error
    throw error
  }
}

/** Of an embedded Redis only one that runs can be asked. */
async function targetOf({ redisUrl, dataDir }: Config): Promise<RedisTarget | undefined> {
  return redisUrl ?? (await redisIn(dataDir))
}

async function redisFacts(
  config: Config,
  target: RedisTarget,
  shown: string,
  hasKeys: boolean,
): Promise<{ readonly facts: RedisFacts; readonly keys?: number }> {
  const where = hidePassword(shown)
  const log = createLog('gone-doctor', { ...config, logLevel: 'silent' }, process.env)
  const client = connect(target, 'commands', 'doctor', log)
  try {
    await whenReachable(client, where, () => undefined)
    const facts = await factsOf(client, where)
    if (!hasKeys) return { facts }
    const { oldJobsIn } = await import('../../app/old-jobs.ts')
    const [{ keys }, oldJobs] = await Promise.all([new RedisKeys(client).read(), oldJobsIn(client)])
    return { facts: { ...facts, ...given({ oldJobs }) }, keys: keys.length }
  } catch (error) {
    const trouble = error instanceof GoneError ? error.message : String(error)
    return { facts: { where, trouble: trouble.replace(`REDIS_URL: cannot reach ${where}: `, '') } }
  } finally {
    await disconnect(client)
  }
}

async function factsOf(client: RedisClient, where: string): Promise<RedisFacts> {
  const info = await readInfo(client)
  const sinceMs = performance.now()
  const nowMs = await redisNowMs(client)
  const roundTripMs = performance.now() - sinceMs
  const settings = await settingsOf(client)
  const known = given({
    ...info,
    fsync: settings.get('appendfsync'),
    listpackValue: numberOf(settings.get('hash-max-listpack-value')),
    aheadMs: Date.now() - roundTripMs / 2 - nowMs,
    roundTripMs,
  })
  return { where, ...known }
}

/** Empty where the user may not read them, as the servers' own need not. */
async function settingsOf(client: RedisClient): Promise<ReadonlyMap<string, string>> {
  const asked = ['appendfsync', 'hash-max-listpack-value']
  const found = await Promise.all(
    asked.map((name) => (client.config('GET', name) as Promise<string[]>).catch(() => [])),
  )
  return new Map(found.flatMap(([name, value]) => (name === undefined ? [] : [[name, value ?? '']])))
}

async function serverFacts(url: string, isNamed: boolean): Promise<ServerFacts | undefined> {
  const { isThere, trouble, warning } = await readyOf(url)
  if (!isThere && !isNamed) return undefined
  const isReady = trouble === undefined
  return {
    url: withoutLogin(url),
    isReady,
    ...given({ trouble, warning }),
    ...(isReady && (await toldOf(url))),
  }
}

/** What a server tells of all, to whoever may read. */
async function toldOf(url: string): Promise<Pick<ServerFacts, 'builds' | 'caller' | 'refusal'>> {
  try {
    const client = createClient(clientOptions({ server: url, timeout: ASK_WITHIN_MS }))
    const [{ servers, caller }, instances] = await Promise.all([client.status(), client.fleet.instances()])
    // Executors over HTTP have a version of their own.
    const workers = instances.filter(({ version }) => /^\d/.test(version))
    const versions = [...new Set([...servers, ...workers].map(({ version }) => version))].sort()
    const builds = versions.map((version): Build => {
      const isOfIt = (one: { readonly version: string }) => one.version === version
      return { version, servers: servers.filter(isOfIt).length, instances: workers.filter(isOfIt).length }
    })
    return { builds, caller }
  } catch (error) {
    return { refusal: error instanceof Error ? error.message : String(error) }
  }
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}
