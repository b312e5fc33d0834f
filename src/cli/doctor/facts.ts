import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Config, isLoopback, readConfig } from '../../config.ts'
import { GoneError } from '../../errors.ts'
import { createLog } from '../../log.ts'
import { connect, disconnect, type RedisClient, type RedisTarget } from '../../redis/connections.ts'
import { whenReachable } from '../../redis/readiness.ts'
import { redisNowMs } from '../../redis/redis-clock.ts'
import { readInfo } from '../../redis/redis-info.ts'
import { hidePassword } from '../../redis/redis-url.ts'
import { RedisKeys } from '../../store/redis-api-keys.ts'
import { given } from '../ask.ts'
import { readyOf } from '../ready.ts'
import type { Facts, RedisFacts } from './findings.ts'

/** Looks at everything that the settings name. What does not answer is a fact, not an error. */
export async function readFacts(env: NodeJS.ProcessEnv, serverUrl: string): Promise<Facts> {
  const config = configOf(env)
  const base = {
    node: `Node ${process.versions.node}`,
    gate: [],
    isBeyondLoopback: false,
    areKeysNeeded: false,
  }
  if (config instanceof GoneError) return { ...base, settingsTrouble: config.message }
  const target = targetOf(config)
  const [redis, gate, server] = await Promise.all([
    target && redisFacts(config, target, config.redisUrl ?? resolve(config.dataDir), true),
    Promise.all(config.gateUrls.map((url) => redisFacts(config, url, url, false))),
    serverFacts(serverUrl),
  ])
  const isBeyondLoopback = !isLoopback(config.host)
  return {
    ...base,
    ...(redis && { redis: redis.facts, ...(redis.keys !== undefined && { keys: redis.keys }) }),
    gate: gate.map(({ facts }) => facts),
    ...(server && { server }),
    isBeyondLoopback,
    areKeysNeeded: config.keys === 'required',
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
function targetOf({ redisUrl, dataDir }: Config): RedisTarget | undefined {
  if (redisUrl !== undefined) return redisUrl
  const path = resolve(dataDir, 'redis.sock')
  return existsSync(path) ? { path } : undefined
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
    return hasKeys ? { facts, keys: (await new RedisKeys(client).read()).keys.length } : { facts }
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

async function serverFacts(url: string): Promise<Facts['server']> {
  const { isThere, trouble, warning } = await readyOf(url)
  if (!isThere) return undefined
  return { url, isReady: trouble === undefined, ...given({ trouble, warning }) }
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text)
}
