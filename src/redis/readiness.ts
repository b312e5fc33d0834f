import { GoneError } from '../errors.ts'
import { callAfter, endsWithin, pause, unlessAborted, within } from '../waiting.ts'
import { type RedisClient, securityTrouble } from './connections.ts'
import { isFinal, isRefusedDatabase, redisTrouble } from './trouble.ts'

/** How long a start waits for a Redis that is itself starting. */
const REACHABLE_WITHIN_MS = 10_000
const SAY_AFTER_MS = 2_000
const ASK_AGAIN_MS = 200
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

async function readPolicy(client: RedisClient, allowEviction: boolean): Promise<RedisReadiness> {
  try {
    return await policyOf(client, allowEviction)
  } catch (error) {
    return { ready: false, trouble: redisTrouble(error) }
  }
}

/** Whether Redis would rather refuse rounds than forget them. */
export async function policyOf(client: RedisClient, allowEviction: boolean): Promise<RedisReadiness> {
  const memory = await client.info('memory')
  const policy = /maxmemory_policy:(\S+)/.exec(memory)?.[1] ?? 'unknown'
  if (allowEviction || policy === 'noeviction') return { ready: true }
  const trouble =
    `Redis has maxmemory-policy ${policy}: it would forget rounds when memory is full, and a forgotten round is led twice; ` +
    'set it to noeviction, or GONE_ALLOW_EVICTION=true to accept that'
  return { ready: false, trouble }
}

/**
 * What a start needs to know of a Redis that it has reached: asked again where it did not answer in time, as one may be
 * busy for a moment, or this machine with many processes that start at once.
 *
 * @throws GoneError what `ask` throws, `STORE_UNAVAILABLE` once it has been asked for as long as a start waits for Redis
 */
export async function whenAnswered<T>(ask: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + REACHABLE_WITHIN_MS
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      const isOver = performance.now() >= untilMs
      if (isOver || !(error instanceof GoneError && error.code === 'STORE_UNAVAILABLE')) throw error
    }
    await pause(ASK_AGAIN_MS)
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
  let giveUp = () => {}
  const note = (error: unknown) => {
    cause = error
    if (isFinal(error)) giveUp()
  }
  client.on('error', note)
  const callOff = callAfter(SAY_AFTER_MS, () => say(`waiting for Redis at ${url ?? 'its socket'}`))
  const ready = new Promise<void>((resolve, reject) => {
    giveUp = () => reject(cause)
    client.once('ready', resolve)
  })
  try {
    await within(REACHABLE_WITHIN_MS, ready, () => cause)
  } catch (error) {
    // Not what comes after it: a connection that was refused is closed, which says less.
    const last = (await securityTrouble(url)) ?? error
    const why = last === undefined ? 'no answer' : redisTrouble(last)
    throw new GoneError('REDIS_NOT_FOUND', `REDIS_URL: cannot reach ${url ?? 'the embedded Redis'}: ${why}`, {
      cause,
    })
  } finally {
    callOff()
    client.off('error', note)
  }
}

/** How long a start waits for its other clients, which as a rule take as long as the first. */
const SETTLED_WITHIN_MS = 2_000

/**
 * Resolves when the clients are connected, or after a moment: a first request should not fail because a connection was
 * a millisecond late, and a gate node that is down should not keep a server from starting.
 *
 * @throws GoneError `CONFIG` if one has no such database as its URL names; Redis' own client has been reached before
 */
export async function whenSettled(clients: readonly RedisClient[]): Promise<void> {
  const pending = clients.filter((client) => client.status !== 'ready')
  const refused = new AbortController()
  const watched = pending.map((client) => watch(client, (error) => refused.abort(error)))
  try {
    const ready = Promise.all(watched.map(({ ready }) => ready))
    await endsWithin(SETTLED_WITHIN_MS, unlessAborted(refused.signal, ready))
  } catch (cause) {
    throw new GoneError('CONFIG', `GATE_REDIS_URLS: ${redisTrouble(cause)}`, { cause })
  } finally {
    for (const { unwatch } of watched) unwatch()
  }
}

function watch(client: RedisClient, onRefusal: (error: Error) => void) {
  const note = (error: Error) => {
    if (isRefusedDatabase(error)) onRefusal(error)
  }
  client.on('error', note)
  return {
    ready: new Promise<void>((resolve) => client.once('ready', resolve)),
    unwatch: () => client.off('error', note),
  }
}
