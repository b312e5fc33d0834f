import { GoneError } from '../errors.ts'
import { type RedisClient, securityTrouble } from './connections.ts'
import { redisTrouble } from './trouble.ts'

/** How long a start waits for a Redis that is itself starting. */
const REACHABLE_WITHIN_MS = 10_000
const SAY_AFTER_MS = 2_000
const PROBE_KEY = 'gone:probe'

/** Whether Redis can keep rounds now; `trouble` says why not. */
export type RedisReadiness = { readonly ready: true } | { readonly ready: false; readonly trouble: string }

/** Asks Redis whether it answers, takes writes, and would rather refuse rounds than forget them. */
export async function readReadiness(client: RedisClient, allowEviction: boolean): Promise<RedisReadiness> {
  const policy = await readPolicy(client, allowEviction)
  if (!policy.ready) return policy
  try {
    // A write in every respect but that there is no such list: refused where memory or disk are full.
    await client.lpushx(PROBE_KEY, '')
    return { ready: true }
  } catch (error) {
    return { ready: false, trouble: redisTrouble(error) }
  }
}

/** Asks Redis whether it answers, and would rather refuse rounds than forget them. */
export async function readPolicy(client: RedisClient, allowEviction: boolean): Promise<RedisReadiness> {
  try {
    const memory = await client.info('memory')
    const policy = /maxmemory_policy:(\S+)/.exec(memory)?.[1] ?? 'unknown'
    if (allowEviction || policy === 'noeviction') return { ready: true }
    const trouble =
      `Redis has maxmemory-policy ${policy}: it would forget rounds when memory is full, and a forgotten round is led twice; ` +
      'set it to noeviction, or GONE_ALLOW_EVICTION=true to accept that'
    return { ready: false, trouble }
  } catch (error) {
    return { ready: false, trouble: redisTrouble(error) }
  }
}

/**
 * Resolves when the client is connected.
 *
 * @param url how the user wrote it, without its password; undefined if the Redis is our own
 * @throws GoneError `REDIS_NOT_FOUND`
 */
export async function whenReachable(
  client: RedisClient,
  url: string | undefined,
  say: (line: string) => void,
): Promise<void> {
  if (client.status === 'ready') return
  let cause: unknown
  const note = (error: unknown) => {
    cause = error
  }
  client.on('error', note)
  const slow = setTimeout(() => say(`waiting for Redis at ${url ?? 'its socket'}`), SAY_AFTER_MS)
  let timer: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      client.once('ready', resolve)
      timer = setTimeout(() => reject(cause), REACHABLE_WITHIN_MS)
    })
  } catch {
    cause = (await securityTrouble(url ?? '')) ?? cause
    const why = cause === undefined ? 'no answer' : redisTrouble(cause)
    throw new GoneError('REDIS_NOT_FOUND', `REDIS_URL: cannot reach ${url ?? 'the embedded Redis'}: ${why}`, {
      cause,
    })
  } finally {
    clearTimeout(slow)
    clearTimeout(timer)
    client.off('error', note)
  }
}

/** How long a start waits for its other clients, which as a rule take as long as the first. */
const SETTLED_WITHIN_MS = 2_000

/**
 * Resolves when the clients are connected, or after a moment: a first request should not fail because a connection was
 * a millisecond late, and a gate node that is down should not keep a server from starting.
 */
export async function whenSettled(clients: readonly RedisClient[]): Promise<void> {
  const pending = clients.filter((client) => client.status !== 'ready')
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, SETTLED_WITHIN_MS)
  })
  const ready = pending.map((client) => new Promise<void>((resolve) => client.once('ready', resolve)))
  await Promise.race([Promise.all(ready), late])
  clearTimeout(timer)
}
