import { ACTIONS, type Action, type ApiKey, type ApiKeys, isKeyId } from '../core/api-key.ts'
import type { KeyShares } from '../core/key-shares.ts'
import { SHARE_KINDS } from '../core/key-shares.ts'
import { GoneError } from '../errors.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { USES_KEY } from './redis-key-uses.ts'
import { ledgerKeys } from './shares/redis-ledger.ts'

const KEYS_KEY = 'gone:keys'
const IN_USE_KEY = 'gone:keys-in-use'
/** All of them are in the memory of each facade, and read every few seconds. */
const MAX_KEYS = 10_000
/** The last moment that a date can be of: older builds have stored later ends. */
const LAST_MS = 8_640_000_000_000_000

/** What is stored of a key: its members short, because all are read often. */
interface StoredKey {
  readonly n: string
  readonly a: readonly string[]
  readonly s: readonly string[]
  /** Missing: whichever. */
  readonly w?: readonly string[]
  /** Missing: as is usual. */
  readonly q?: KeyShares
  readonly h: string
  readonly c: number
  readonly x?: number
}

/** API keys in Redis: one hash, a field a key. */
export class RedisKeys implements ApiKeys {
  constructor(private readonly redis: RedisClient) {}

  async read(): Promise<{ readonly keys: readonly ApiKey[]; readonly areInUse: boolean }> {
    return attempt('read the API keys', async () => {
      const [fields, inUse] = await Promise.all([this.redis.hgetall(KEYS_KEY), this.redis.get(IN_USE_KEY)])
      const keys = Object.entries(fields).flatMap(([id, json]) => keyOf(id, json) ?? [])
      return { keys, areInUse: inUse === 'yes' }
    })
  }

  async add(key: ApiKey): Promise<void> {
    const { id, name, actions, systems, workers, shares, digest, createdAtMs, expiresAtMs } = key
    const stored: StoredKey = {
      n: name,
      a: actions,
      s: systems,
      w: workers,
      ...(Object.keys(shares).length > 0 && { q: shares }),
      h: digest,
      c: createdAtMs,
      ...(expiresAtMs !== undefined && { x: expiresAtMs }),
    }
    await attempt('store the API key', async () => {
      if ((await this.redis.hlen(KEYS_KEY)) >= MAX_KEYS)
        throw new GoneError('CONFIG', `there are ${MAX_KEYS} keys already; revoke some`)
      // First, so that there is no key without it.
      await this.redis.set(IN_USE_KEY, 'yes')
      await this.redis.hsetnx(KEYS_KEY, id, JSON.stringify(stored))
    })
  }

  async setInUse(areInUse: boolean): Promise<void> {
    await attempt('note whether keys are in use', () => this.redis.set(IN_USE_KEY, areInUse ? 'yes' : 'no'))
  }

  async remove(id: string): Promise<boolean> {
    return attempt('revoke the API key', async () => {
      const isRemoved = (await this.redis.hdel(KEYS_KEY, id)) === 1
      for (const kind of SHARE_KINDS) {
        const [counted, sum] = ledgerKeys({ keyId: id, kind })
        // Not DEL, which a user who may do this could also do to the keys themselves.
        await this.redis.zremrangebyrank(counted, 0, -1)
        await this.redis.getdel(sum)
      }
      // A user of before may not: what is left of it says when an unknown key was used.
      await this.redis.hdel(USES_KEY, id).catch(() => undefined)
      return isRemoved
    })
  }
}

/** Whatever is no number is as usual. */
function sharesOf(stored: object): KeyShares {
  return Object.fromEntries(Object.entries(stored).filter(([, share]) => Number.isSafeInteger(share)))
}

/** Whatever is not a key of ours opens nothing. */
function keyOf(id: string, json: string): ApiKey | undefined {
  try {
    const { n, a, s, w = ['*'], q = {}, h, c, x } = JSON.parse(json) as StoredKey
    if (!isKeyId(id) || !/^[0-9a-f]{64}$/.test(h) || !Array.isArray(s) || !Array.isArray(w)) return undefined
    if (![c, x ?? 0].every(Number.isFinite)) return undefined
    const actions = a.filter((action): action is Action => ACTIONS.includes(action as Action))
    return {
      id,
      name: String(n),
      actions,
      systems: s.map(String),
      workers: w.map(String),
      shares: sharesOf(q),
      digest: h,
      createdAtMs: Math.min(c, LAST_MS),
      ...(x !== undefined && { expiresAtMs: Math.min(x, LAST_MS) }),
    }
  } catch {
    return undefined
  }
}
