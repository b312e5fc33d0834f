import { ACTIONS, type Action, type ApiKey, type ApiKeys, isKeyId } from '../core/api-key.ts'
import { GoneError } from '../errors.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'

const KEYS_KEY = 'gone:keys'
const SESSION_SECRET_KEY = 'gone:session-secret'
/** All of them are in the memory of each facade, and read every few seconds. */
const MAX_KEYS = 10_000

/** What is stored of a key: its members short, because all are read often. */
interface StoredKey {
  readonly n: string
  readonly a: readonly string[]
  readonly s: readonly string[]
  readonly h: string
  readonly c: number
  readonly x?: number
}

/** API keys in Redis: one hash, a field a key. */
export class RedisKeys implements ApiKeys {
  constructor(private readonly redis: RedisClient) {}

  async read(): Promise<{ readonly keys: readonly ApiKey[]; readonly sessionSecret?: string }> {
    return attempt('read the API keys', async () => {
      const [fields, secret] = await Promise.all([
        this.redis.hgetall(KEYS_KEY),
        this.redis.get(SESSION_SECRET_KEY),
      ])
      const keys = Object.entries(fields).flatMap(([id, json]) => keyOf(id, json) ?? [])
      return { keys, ...(secret && { sessionSecret: secret }) }
    })
  }

  async add(key: ApiKey): Promise<void> {
    const { id, name, actions, systems, digest, createdAtMs, expiresAtMs } = key
    const stored: StoredKey = {
      n: name,
      a: actions,
      s: systems,
      h: digest,
      c: createdAtMs,
      ...(expiresAtMs !== undefined && { x: expiresAtMs }),
    }
    await attempt('store the API key', async () => {
      if ((await this.redis.hlen(KEYS_KEY)) >= MAX_KEYS)
        throw new GoneError('CONFIG', `there are ${MAX_KEYS} keys already; revoke some`)
      await this.redis.hsetnx(KEYS_KEY, id, JSON.stringify(stored))
    })
  }

  async remove(id: string): Promise<boolean> {
    return attempt('revoke the API key', async () => (await this.redis.hdel(KEYS_KEY, id)) === 1)
  }

  async keepSessionSecret(fresh: string): Promise<string> {
    return attempt('keep the session secret', async () => {
      await this.redis.setnx(SESSION_SECRET_KEY, fresh)
      return (await this.redis.get(SESSION_SECRET_KEY)) ?? fresh
    })
  }
}

/** Whatever is not a key of ours opens nothing. */
function keyOf(id: string, json: string): ApiKey | undefined {
  try {
    const { n, a, s, h, c, x } = JSON.parse(json) as StoredKey
    if (!isKeyId(id) || !/^[0-9a-f]{64}$/.test(h) || !Array.isArray(s)) return undefined
    const actions = a.filter((action): action is Action => ACTIONS.includes(action as Action))
    return {
      id,
      name: String(n),
      actions,
      systems: s.map(String),
      digest: h,
      createdAtMs: Number(c),
      ...(x !== undefined && { expiresAtMs: Number(x) }),
    }
  } catch {
    return undefined
  }
}
