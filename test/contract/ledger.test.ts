import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Share, ShareLedger } from '../../src/core/key-shares.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { MemoryLedger } from '../../src/store/shares/memory-ledger.ts'
import { RedisLedger } from '../../src/store/shares/redis-ledger.ts'
import { startRedisClient } from '../support/redis-client.ts'

interface World {
  readonly ledger: ShareLedger
  /** All that counts was last looked at so long ago. */
  age(ms: number): Promise<void>
}

let client: RedisClient

beforeAll(async () => {
  client = await startRedisClient()
})

const worlds: Record<string, () => Promise<World>> = {
  'in memory': async () => {
    let nowMs = 0
    return {
      ledger: new MemoryLedger(() => nowMs),
      async age(ms) {
        nowMs += ms
      },
    }
  },
  'in Redis': async () => {
    await client.flushall()
    return {
      ledger: new RedisLedger(client),
      async age(ms) {
        for (const key of await client.keys('gone:{~shares}:*'))
          if (!key.endsWith(':sum'))
            for (const member of await client.zrange(key, 0, '-1'))
              await client.zincrby(key, -ms / 1_000, member)
      },
    }
  },
}

const share = (name: string, over: Partial<Share> = {}): Share => ({
  keyId: '0123456789ab',
  kind: 'queuedBytes',
  name,
  weight: 10,
  ...over,
})

describe.each(Object.entries(worlds))('what counts for keys %s', (_, makeWorld) => {
  let world: World

  beforeEach(async () => {
    world = await makeWorld()
  })

  it('is counted once, up to the limit, for each key and kind apart', async () => {
    const { ledger } = world
    expect(await ledger.claim(share('a'), 25)).toBe(true)
    expect(await ledger.claim(share('b'), 25)).toBe(true)
    expect(await ledger.claim(share('c'), 25)).toBe(false)
    expect(await ledger.claim(share('a'), 25)).toBe(true)
    expect(await ledger.claim(share('d', { weight: 5 }), 25)).toBe(true)
    expect(await ledger.claim(share('e', { weight: 1 }), 25)).toBe(false)
    expect(await ledger.claim(share('e', { kind: 'schedules', weight: 1 }), 25)).toBe(true)
    expect(await ledger.claim(share('e', { keyId: 'ffffffffffff' }), 25)).toBe(true)
  })

  it('is no more when it is released, which can be done twice', async () => {
    const { ledger } = world
    for (const name of ['a', 'b']) await ledger.claim(share(name), 20)
    await ledger.release([share('a')])
    await ledger.release([share('a'), share('never')])
    await ledger.release([])
    expect(await ledger.claim(share('c'), 20)).toBe(true)
    expect(await ledger.claim(share('d'), 20)).toBe(false)
    await ledger.release([share('b'), share('c')])
    expect(await ledger.claim(share('e', { weight: 20 }), 20)).toBe(true)
  })

  it('is to be looked at a minute after it was, the longest ago first', async () => {
    const { ledger } = world
    const names = async (limit = 10) => (await ledger.oldest(share(''), limit)).map(({ name }) => name)
    await ledger.claim(share('a', { weight: 7 }), 100)
    expect(await names()).toEqual([])
    await world.age(30_000)
    for (const name of ['b', 'c']) await ledger.claim(share(name), 100)
    await world.age(61_000)
    expect((await ledger.oldest(share(''), 1))[0]).toEqual(share('a', { weight: 7 }))
    expect(await names()).toEqual(['a', 'b', 'c'])
    await ledger.keep([share('b')])
    await ledger.release([share('a', { weight: 7 })])
    expect(await names()).toEqual(['c'])
  })
})
