import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Pool, PoolPlace, PoolSupervisor } from '../../src/core/fleet/pool.ts'
import type { PoolStore } from '../../src/core/fleet/pool-ports.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { MemoryPools } from '../../src/store/pools/memory-pools.ts'
import { RedisPools } from '../../src/store/pools/redis-pools.ts'
import { startRedisClient } from '../support/redis-client.ts'

interface World {
  readonly pools: PoolStore
  passTime(ms: number): Promise<void>
  /** As after an outage of the store: nobody has said anything for so long. */
  wasAway(ms: number): Promise<void>
}

const LEASES = 'gone:{~fleet}:supervisor-leases'
const LEASE_MS = 300

let client: RedisClient

beforeAll(async () => {
  client = await startRedisClient()
})

const worlds: Record<string, () => Promise<World>> = {
  'in memory': async () => {
    let nowMs = 1_000_000
    const passTime = async (ms: number) => {
      nowMs += ms
    }
    return { pools: new MemoryPools(() => nowMs), passTime, wasAway: passTime }
  },
  'in Redis': async () => {
    await client.flushall()
    return {
      pools: new RedisPools(client),
      // The clock is Redis' own, which only real time moves.
      passTime: (ms) => sleep(ms + 2),
      async wasAway(ms) {
        for (const member of await client.zrange(LEASES, '0', '-1'))
          await client.zincrby(LEASES, String(-ms), member)
      },
    }
  },
}

const A: PoolSupervisor = { id: 'a', host: 'eu-a', region: 'eu', most: 4, workers: ['mailer'] }
const POOL: Pool = {
  name: 'mail',
  spec: { instances: 2, release: '41' },
  before: ['40'],
  actor: 'ops',
  reason: '',
  atMs: 7,
}
const PLACE: PoolPlace = {
  pool: 'mail',
  number: 1,
  supervisor: 'a',
  runs: { release: '41' },
  epoch: 2,
  sinceMs: 7,
}
const NOTHING = { pools: [], places: [], gone: [] }

describe.each(Object.entries(worlds))('pools %s', (_, makeWorld) => {
  let world: World
  let pools: PoolStore

  beforeEach(async () => {
    world = await makeWorld()
    pools = world.pools
  })

  const attend = (one = A, reports = {}) => pools.attend({ supervisor: one, reports }, LEASE_MS)
  const lost = async () => (await pools.read()).supervisors.filter(({ isLost }) => isLost).map(({ id }) => id)

  it('are none where there are none', async () => {
    expect(await pools.read()).toMatchObject({ revision: 0, pools: [], places: [], supervisors: [] })
  })

  it('are kept as they are put, with their places', async () => {
    expect(await pools.change({ ...NOTHING, pools: [POOL], places: [PLACE] }, 0)).toBe(true)
    expect(await pools.read()).toMatchObject({ revision: 1, pools: [POOL], places: [PLACE] })
    expect(await pools.change({ ...NOTHING, gone: [PLACE], removed: ['mail'] }, 1)).toBe(true)
    expect(await pools.read()).toMatchObject({ revision: 2, pools: [], places: [] })
  })

  it('are changed by one of two that have read at the same moment', async () => {
    const other = { ...POOL, reason: 'other' }
    const both = await Promise.all([POOL, other].map((one) => pools.change({ ...NOTHING, pools: [one] }, 0)))
    expect(both.filter(Boolean)).toHaveLength(1)
    expect((await pools.read()).pools).toHaveLength(1)
  })

  it('have a new revision by a supervisor that comes, changes or goes, and not by its reports', async () => {
    expect(await attend()).toBe(1)
    expect(await attend(A, { 'mail/1': { epoch: 2, state: 'works' } })).toBe(1)
    expect((await pools.read()).supervisors).toEqual([
      { ...A, isLost: false, reports: { 'mail/1': { epoch: 2, state: 'works' } } },
    ])
    expect(await attend({ ...A, releases: ['41'] })).toBe(2)
    await pools.depart('a')
    await pools.depart('a')
    expect(await pools.read()).toMatchObject({ revision: 3, supervisors: [] })
  })

  it('take a supervisor for lost that is silent, until it says that it is there', async () => {
    await attend()
    expect(await lost()).toEqual([])
    await world.passTime(LEASE_MS)
    expect(await lost()).toEqual(['a'])
    expect(await attend()).toBe(1)
    expect(await lost()).toEqual([])
  })

  it('take nobody for lost after the store itself was away', async () => {
    await attend()
    await world.wasAway(60_000)
    expect(await lost()).toEqual([])
    await attend()
    expect(await lost()).toEqual([])
  })

  it('forget a supervisor an hour after it was lost, when another comes', async () => {
    await attend()
    await world.wasAway(3_700_000)
    await attend({ ...A, id: 'b' })
    expect((await pools.read()).supervisors.map(({ id }) => id)).toEqual(['b'])
  })
})
