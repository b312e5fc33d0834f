import { randomBytes } from 'node:crypto'
import { type Action, type ApiKey, formatKey, keyDigest } from '../../src/core/api-key.ts'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { RedisKeys } from '../../src/store/redis-api-keys.ts'
import { silentLog } from './log.ts'
import type { TestRedis } from './redis.ts'

export interface TestKey {
  readonly id: string
  /** What its holder sends. */
  readonly text: string
  /** As headers of a request. */
  readonly headers: { readonly authorization: string }
}

type Terms = Partial<Pick<ApiKey, 'systems' | 'workers' | 'shares' | 'expiresAtMs'>> & {
  readonly actions?: readonly Action[]
}

/** Makes a key as `gone key create` does. */
export async function makeKey(redis: Pick<TestRedis, 'url'>, terms: Terms = {}): Promise<TestKey> {
  const text = formatKey({ id: randomBytes(6), secret: randomBytes(32) })
  const id = text.slice(5, 17)
  await withKeys(redis, async (keys) => {
    await keys.add({
      id,
      name: 'test',
      actions: ['elect', 'submit', 'read'],
      systems: ['*'],
      workers: ['*'],
      shares: {},
      digest: keyDigest(text),
      createdAtMs: Date.now(),
      ...terms,
    })
  })
  return { id, text, headers: { authorization: `Bearer ${text}` } }
}

export async function revokeKey(redis: Pick<TestRedis, 'url'>, { id }: TestKey): Promise<void> {
  await withKeys(redis, async (keys) => void (await keys.remove(id)))
}

async function withKeys(
  redis: Pick<TestRedis, 'url'>,
  run: (keys: RedisKeys) => Promise<void>,
): Promise<void> {
  const client = connect(redis.url, 'waiting', 'keys', silentLog)
  try {
    await run(new RedisKeys(client))
  } finally {
    await disconnect(client)
  }
}
