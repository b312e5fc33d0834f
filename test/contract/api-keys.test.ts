import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ApiKey, type ApiKeys, formatKey, keyDigest } from '../../src/core/api-key.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { MemoryKeys } from '../../src/store/memory-api-keys.ts'
import { RedisKeys } from '../../src/store/redis-api-keys.ts'
import { startRedisClient } from '../support/redis-client.ts'

let client: RedisClient

beforeAll(async () => {
  client = await startRedisClient()
})

const worlds: Record<string, () => Promise<ApiKeys>> = {
  'in memory': async () => new MemoryKeys(),
  'in Redis': async () => {
    await client.flushall()
    return new RedisKeys(client)
  },
}

const keyOf = (number: number, over: Partial<ApiKey> = {}): ApiKey => {
  const text = formatKey({ id: Buffer.alloc(6, number), secret: Buffer.alloc(32, number) })
  return {
    id: text.slice(5, 17),
    name: `key ${number}`,
    actions: ['elect', 'read'],
    systems: ['cleaner', 'team-*'],
    workers: ['mail', 'webhook-*'],
    shares: { waits: 3, queuedBytes: 1_000 },
    digest: keyDigest(text),
    createdAtMs: 1_795_000_000_000,
    ...over,
  }
}

describe.each(Object.entries(worlds))('API keys %s', (_, makeKeys) => {
  let keys: ApiKeys

  beforeEach(async () => {
    keys = await makeKeys()
  })

  it('are none at first', async () => {
    expect(await keys.read()).toEqual({ keys: [], areInUse: false })
  })

  it('are read as they were added, with and without an end', async () => {
    const [short, long] = [keyOf(1, { expiresAtMs: 1_795_000_060_000 }), keyOf(2, { name: '日本 "key"' })]
    await keys.add(short)
    await keys.add(long)
    const read = (await keys.read()).keys
    expect([...read].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([short, long])
  })

  it('are in use from the first on, until somebody says that they are not', async () => {
    await keys.add(keyOf(1))
    expect((await keys.read()).areInUse).toBe(true)
    await keys.remove(keyOf(1).id)
    expect(await keys.read()).toEqual({ keys: [], areInUse: true })
    await keys.setInUse(false)
    expect(await keys.read()).toEqual({ keys: [], areInUse: false })
    await keys.setInUse(true)
    expect((await keys.read()).areInUse).toBe(true)
  })

  it('stay as they are when one of the same id is added', async () => {
    await keys.add(keyOf(1))
    await keys.add(keyOf(1, { actions: ['admin'], digest: keyDigest('another') }))
    expect((await keys.read()).keys).toEqual([keyOf(1)])
  })

  it('are removed once, and say whether there was one', async () => {
    await keys.add(keyOf(1))
    await keys.add(keyOf(2))
    expect(await keys.remove(keyOf(1).id)).toBe(true)
    expect(await keys.remove(keyOf(1).id)).toBe(false)
    expect((await keys.read()).keys).toEqual([keyOf(2)])
  })
})
