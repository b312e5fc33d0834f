import { beforeEach, describe, expect, it } from 'vitest'
import { arrange } from '../../src/core/fleet/arrange.ts'
import {
  type KnownSupervisor,
  type PlaceReport,
  type PoolSpec,
  type PoolState,
  placeName,
  type Runs,
} from '../../src/core/fleet/pool.ts'
import { RELEASE, readPool } from '../../src/core/fleet/pool-body.ts'
import { poolsJson } from '../../src/core/fleet/pool-wire.ts'
import { PoolKeeper } from '../../src/service/fleet/pool-keeper.ts'
import { Pools } from '../../src/service/fleet/pools.ts'
import { MemoryPools } from '../../src/store/pools/memory-pools.ts'
import { silentLog } from '../support/log.ts'

const LEASE_MS = 10_000
const BY = { actor: 'ops', reason: '' }

/** Supervisors that are only said to be some: they have what they are to have at once, and what they have is never lost. */
class World {
  nowMs = 1_000_000
  readonly store = new MemoryPools(() => this.nowMs)
  readonly pools = new Pools(this.store)
  readonly keeper = new PoolKeeper({ pools: this.store, pokes: { poke: async () => {} }, log: silentLog })
  readonly hosts = new Map<string, Omit<KnownSupervisor, 'id' | 'isLost' | 'reports'>>()
  readonly cutOff = new Set<string>()
  /** What does not come up, by release. */
  readonly broken = new Set<string>()
  /** What has not had its turn yet, by release. */
  readonly waiting = new Set<string>()
  /** What runs at each host: by place what it is. */
  readonly running = new Map<string, Map<string, Runs>>()
  /** How few instances worked at any moment since it was set. */
  fewest = Number.POSITIVE_INFINITY

  host(id: string, more: Partial<KnownSupervisor> = {}): void {
    this.hosts.set(id, { host: id, region: 'eu', most: 8, workers: ['mailer'], ...more })
    this.running.set(id, new Map())
  }

  /** A second: all that are not cut off attend, and a server takes its turn. */
  async pass(seconds = 1): Promise<PoolState> {
    for (let n = 0; n < seconds; n += 1) {
      this.nowMs += 1_000
      for (const [id, facts] of this.hosts) {
        if (this.cutOff.has(id)) continue
        const state = await this.store.read()
        const reports = this.bring(id, state)
        await this.store.attend({ supervisor: { id, ...facts }, reports }, LEASE_MS)
      }
      await this.keeper.turn()
      this.fewest = Math.min(this.fewest, this.working())
    }
    return this.store.read()
  }

  working(): number {
    return [...this.running.values()].reduce((sum, places) => sum + places.size, 0)
  }

  /** Has there what it is to have; what does not come up leaves what was there. */
  private bring(id: string, { places }: PoolState): Record<string, PlaceReport> {
    const running = this.running.get(id) as Map<string, Runs>
    const reports: Record<string, PlaceReport> = {}
    const own = places.filter(({ supervisor, from }) => supervisor === id || from === id)
    for (const name of running.keys())
      if (!own.some((place) => placeName(place) === name)) running.delete(name)
    for (const place of own.filter(({ supervisor }) => supervisor === id)) {
      const [release = ''] = [place.runs.release]
      const state = this.broken.has(release) ? 'failed' : this.waiting.has(release) ? 'begins' : 'works'
      if (state === 'works') running.set(placeName(place), place.runs)
      reports[placeName(place)] = { epoch: place.epoch, state }
    }
    return reports
  }
}

let world: World

beforeEach(() => {
  world = new World()
})

const counts = ({ places }: PoolState, pool = 'mail') =>
  Object.fromEntries(
    [...world.hosts.keys()].map((id) => [
      id,
      places.filter((place) => place.pool === pool && place.supervisor === id).length,
    ]),
  )
const releases = ({ places }: PoolState) => places.map(({ runs }) => runs.release).sort()
const put = (spec: PoolSpec, name = 'mail') => world.pools.put(name, spec, BY)

describe('places of a pool', () => {
  it('are spread evenly over the supervisors that may have them', async () => {
    for (const id of ['a', 'b', 'c']) world.host(id)
    world.host('d', { region: 'us' })
    world.host('e', { workers: ['other'] })
    await put({ instances: 6, region: ['eu'], workers: ['mailer'] })
    expect(counts(await world.pass(2))).toEqual({ a: 2, b: 2, c: 2, d: 0, e: 0 })
  })

  it('are no more than a supervisor takes, and the rest is missing until there is room', async () => {
    world.host('a', { most: 2 })
    await put({ instances: 5 })
    let state = await world.pass(2)
    expect(poolsJson(state).pools).toMatchObject([{ working: 2, missing: 3 }])
    world.host('b')
    state = await world.pass(20)
    expect(counts(state)).toEqual({ a: 2, b: 3 })
  })

  it('are given out with few looks at each, however many pools and supervisors there are', () => {
    let looks = 0
    const places = Array.from({ length: 1_000 }, (_, index) => ({
      pool: `pool-${index % 20}`,
      number: Math.floor(index / 20) + 1,
      runs: {},
      epoch: 1,
      sinceMs: 0,
      get supervisor() {
        looks += 1
        return `host-${index % 100}`
      },
    }))
    const supervisors = Array.from({ length: 100 }, (_, index) => ({
      id: `host-${index}`,
      host: `host-${index}`,
      region: 'eu',
      most: 20,
      workers: [],
      isLost: false,
      reports: Object.fromEntries(
        places
          .filter((_, at) => at % 100 === index)
          .map((place) => [placeName(place), { epoch: 1, state: 'works' as const }]),
      ),
    }))
    const pools = Array.from({ length: 20 }, (_, index) => ({
      name: `pool-${index}`,
      spec: { instances: 50 },
      before: [],
      actor: 'ops',
      reason: '',
      atMs: 0,
    }))
    arrange({ nowMs: 1, revision: 1, pools, places, supervisors })
    expect(looks).toBeLessThan(places.length * supervisors.length)
  })

  it('are as many as somebody scales it to, unless that was meant of another number', async () => {
    world.host('a')
    const scale = (instances: number, count?: number) =>
      world.pools.scale(
        'mail',
        { instances, ...(count !== undefined && { count }) },
        { actor: 'me', reason: 'more' },
      )
    await expect(scale(3)).rejects.toMatchObject({ code: 'NO_SUCH_POOL' })
    await put({ instances: 2, workers: ['mailer'] })
    await world.pass(2)
    await expect(scale(4, 3)).rejects.toMatchObject({
      code: 'SELECTION_CHANGED',
      message: 'count: mail has 2 instances now, not 3; look again',
    })
    await scale(4, 2)
    const state = await world.pass(2)
    expect(state.pools).toMatchObject([
      { spec: { instances: 4, workers: ['mailer'] }, actor: 'me', reason: 'more' },
    ])
    expect(counts(state)).toEqual({ a: 4 })
    await put({ instances: 900 }, 'other')
    await expect(scale(101)).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      message: 'instances: expected at most 1000 in all pools together, got 1001',
    })
    await scale(0)
    expect((await world.pass(3)).places.filter(({ pool }) => pool === 'mail')).toEqual([])
  })

  it('go from a lost host within 12 s, and come back', async () => {
    for (const id of ['a', 'b', 'c']) world.host(id)
    await put({ instances: 6 })
    await world.pass(3)
    world.cutOff.add('c')
    expect(counts(await world.pass(12))).toEqual({ a: 3, b: 3, c: 0 })
    world.cutOff.delete('c')
    world.fewest = Number.POSITIVE_INFINITY
    expect(counts(await world.pass(20))).toEqual({ a: 2, b: 2, c: 2 })
    expect(world.fewest).toBeGreaterThanOrEqual(6)
    expect(world.working()).toBe(6)
  })

  it('stay where they are when the store was away', async () => {
    for (const id of ['a', 'b', 'c']) world.host(id)
    await put({ instances: 6 })
    const before = (await world.pass(3)).places
    world.nowMs += 60_000
    expect((await world.pass(1)).places).toEqual(before)
    expect((await world.pass(20)).places).toEqual(before)
  })

  it('stay at a lost host where no other has room', async () => {
    world.host('a', { most: 2 })
    world.host('b', { most: 2 })
    await put({ instances: 4 })
    await world.pass(3)
    world.cutOff.add('b')
    expect(counts(await world.pass(30))).toEqual({ a: 2, b: 2 })
  })

  it('are fewer or more as the pool says, and none where it is no more', async () => {
    world.host('a')
    await put({ instances: 3 })
    await world.pass(2)
    await put({ instances: 1 })
    expect((await world.pass(2)).places.map(({ number }) => number)).toEqual([1])
    await put({ instances: 4 })
    expect((await world.pass(2)).places).toHaveLength(4)
    await world.pools.remove('mail')
    expect((await world.pass(2)).places).toEqual([])
    await expect(world.pools.remove('mail')).rejects.toMatchObject({ code: 'NO_SUCH_POOL' })
  })

  it('go where the pool is wanted now, and work there before they end elsewhere', async () => {
    world.host('a')
    world.host('b', { region: 'us' })
    await put({ instances: 2, region: ['eu'] })
    await world.pass(3)
    world.fewest = Number.POSITIVE_INFINITY
    await put({ instances: 2, region: ['us'] })
    expect(counts(await world.pass(5))).toEqual({ a: 0, b: 2 })
    expect(world.fewest).toBe(2)
    expect(world.working()).toBe(2)
  })

  it('of a supervisor that goes are others’ at once', async () => {
    world.host('a')
    world.host('b')
    await put({ instances: 2 })
    await world.pass(3)
    world.hosts.delete('b')
    await world.store.depart('b')
    expect((await world.pass(1)).places.map(({ supervisor }) => supervisor)).toEqual(['a', 'a'])
  })

  it('are never had by two servers that do not know of each other', async () => {
    world.host('a')
    await put({ instances: 1 })
    const { revision, nowMs } = await world.store.read()
    const place = { pool: 'mail', number: 1, supervisor: 'a', runs: {}, epoch: revision + 1, sinceMs: nowMs }
    expect(await world.store.change({ pools: [], places: [place], gone: [] }, revision)).toBe(true)
    const late = { ...place, supervisor: 'b' }
    expect(await world.store.change({ pools: [], places: [late], gone: [] }, revision)).toBe(false)
  })
})

describe('a release', () => {
  beforeEach(async () => {
    for (const id of ['a', 'b']) world.host(id, { workers: [], releases: ['40', '41', '42'] })
    await put({ instances: 4, release: '41' })
    await world.pass(3)
    world.fewest = Number.POSITIVE_INFINITY
  })

  it('is deployed to one place after the other', async () => {
    await world.pools.deploy('mail', '42', BY)
    expect(releases(await world.pass(1))).toEqual(['41', '41', '41', '42'])
    const state = await world.pass(20)
    expect(releases(state)).toEqual(['42', '42', '42', '42'])
    expect(state.pools[0]).toMatchObject({
      rollout: { state: 'done' },
      before: ['41'],
      spec: { release: '42' },
    })
    expect(world.fewest).toBe(4)
  })

  it('that does not come up stops at the first place, and all get back what they had', async () => {
    world.broken.add('42')
    await world.pools.deploy('mail', '42', BY)
    let most = 0
    for (let n = 0; n < 10; n += 1)
      most = Math.max(most, releases(await world.pass()).filter((release) => release === '42').length)
    const state = await world.store.read()
    expect(most).toBe(1)
    expect(releases(state)).toEqual(['41', '41', '41', '41'])
    expect(state.pools[0]).toMatchObject({ rollout: { state: 'rolled-back' }, spec: { release: '41' } })
    expect(state.pools[0]?.rollout?.why).toContain('mail/1 on ')
    expect(world.fewest).toBe(4)
  })

  it('that breaks half way is taken back from those that have it', async () => {
    await world.pools.deploy('mail', '42', BY)
    await world.pass(4)
    world.broken.add('42')
    const state = await world.pass(10)
    expect(releases(state)).toEqual(['41', '41', '41', '41'])
    expect(state.pools[0]).toMatchObject({ rollout: { state: 'rolled-back' } })
  })

  it('is rolled back to the one before, and called off while it is on its way', async () => {
    await expect(world.pools.rollBack('mail', BY)).rejects.toMatchObject({ code: 'NO_SUCH_RELEASE' })
    await world.pools.deploy('mail', '42', BY)
    await world.pass(2)
    await world.pools.rollBack('mail', BY)
    let state = await world.pass(5)
    expect(releases(state)).toEqual(['41', '41', '41', '41'])
    expect(state.pools[0]?.rollout).toMatchObject({ state: 'rolled-back', why: 'called off by ops' })
    await world.pools.deploy('mail', '42', BY)
    await world.pass(20)
    await world.pools.rollBack('mail', BY)
    state = await world.pass(20)
    expect(releases(state)).toEqual(['41', '41', '41', '41'])
    expect(state.pools[0]).toMatchObject({ before: ['42'], rollout: { state: 'done' } })
  })

  it('is rolled back once, also where that is asked twice or too late', async () => {
    await world.pools.deploy('mail', '42', BY)
    await world.pass(20)
    await world.pools.rollBack('mail', BY, '42')
    await world.pools.rollBack('mail', BY, '42')
    let state = await world.pass(20)
    await world.pools.rollBack('mail', BY, '42')
    state = await world.pass(20)
    expect(releases(state)).toEqual(['41', '41', '41', '41'])
    expect(state.pools[0]).toMatchObject({ before: ['42'], rollout: { state: 'done' } })
    // Other workers of one release are called off by the name of that, too, and it is not left for it.
    await world.pools.put('mail', { instances: 4, release: '41', workers: ['other'] }, BY)
    for (const seconds of [1, 0, 20, 5]) {
      await world.pools.rollBack('mail', BY, '41')
      state = await world.pass(seconds)
    }
    expect(state.pools[0]).toMatchObject({ spec: { release: '41' }, rollout: { state: 'rolled-back' } })
    // It rolls back by itself, and whoever has seen it on its way calls it off.
    world.broken.add('40')
    await world.pools.deploy('mail', '40', BY)
    await world.pass(20)
    await world.pools.rollBack('mail', BY, '40')
    state = await world.pass(20)
    expect(releases(state)).toEqual(['41', '41', '41', '41'])
    expect(state.pools[0]).toMatchObject({ rollout: { to: { release: '40' }, state: 'rolled-back' } })
  })

  it('is refused where a host does not have it, and where another is on its way', async () => {
    await expect(world.pools.deploy('mail', '43', BY)).rejects.toMatchObject({
      code: 'NO_SUCH_RELEASE',
      message: expect.stringContaining('it has no release 43; there are 40, 41, 42') as string,
    })
    await world.pools.deploy('mail', '42', BY)
    await expect(world.pools.deploy('mail', '40', BY)).rejects.toMatchObject({ code: 'ROLLOUT_UNDERWAY' })
    // The same again, because its answer was lost.
    await world.pools.deploy('mail', '42', BY)
    await expect(put({ instances: 4, release: '40' })).rejects.toMatchObject({ code: 'ROLLOUT_UNDERWAY' })
    await put({ instances: 5, release: '42' })
    expect(releases(await world.pass(20))).toEqual(['42', '42', '42', '42', '42'])
  })

  it('goes on after a host was lost in the middle of it', async () => {
    await world.pools.deploy('mail', '42', BY)
    await world.pass(1)
    world.cutOff.add('a')
    const state = await world.pass(40)
    expect(releases(state)).toEqual(['42', '42', '42', '42'])
    expect(counts(state)).toEqual({ a: 0, b: 4 })
  })

  it('does not keep what a lost host had from moving at once', async () => {
    await put({ instances: 4, release: '41' }, 'steady')
    await world.pass(2)
    world.cutOff.add('b')
    await world.pass(LEASE_MS / 1_000 - 1)
    const before = await world.pass(0)
    expect(counts(before, 'steady').b).toBeGreaterThan(0)
    // Each turn has a step of one of these.
    for (const name of ['one', 'two', 'three']) await put({ instances: 1, release: '41', host: ['a'] }, name)
    await world.pools.deploy('mail', '42', BY)
    const state = await world.pass(1)
    expect(state.places.some(({ runs }) => runs.release === '42')).toBe(true)
    expect(counts(state, 'steady').b).toBe(0)
  })

  const withoutRoom = async () => {
    for (const [id, facts] of world.hosts) world.hosts.set(id, { ...facts, most: 2 })
    await world.pass(1)
    const first = (await world.store.read()).places.find(({ number }) => number === 1)
    return { first: first?.supervisor ?? '', other: first?.supervisor === 'a' ? 'b' : 'a' }
  }

  it('is deployed to the hosts that are there, and to one that was lost once it is back', async () => {
    const { first } = await withoutRoom()
    world.cutOff.add(first)
    await world.pass(12)
    await world.pools.deploy('mail', '42', BY)
    let state = await world.pass(20)
    expect(state.pools[0]).toMatchObject({ rollout: { state: 'done' }, before: ['41'] })
    expect(releases(state)).toEqual(['42', '42', '42', '42'])
    expect(state.places.filter(({ isTried }) => isTried)).toHaveLength(4)
    world.cutOff.delete(first)
    state = await world.pass(5)
    const ran = [...world.running.values()].flatMap((runs) => [...runs.values()])
    expect(ran.map(({ release }) => release)).toEqual(['42', '42', '42', '42'])
  })

  it('is not done where nobody has shown that it works', async () => {
    await withoutRoom()
    for (const id of ['a', 'b']) world.cutOff.add(id)
    await world.pools.deploy('mail', '42', BY)
    await world.store.depart('a')
    expect((await world.pass(30)).pools[0]?.rollout).toMatchObject({ state: 'rolling' })
  })

  it('is taken back where the host of the first that has it is lost for five minutes', async () => {
    const { first } = await withoutRoom()
    await world.pools.deploy('mail', '42', BY)
    world.cutOff.add(first)
    expect((await world.pass(200)).pools[0]?.rollout).toMatchObject({ state: 'rolling' })
    expect((await world.pass(120)).pools[0]?.rollout).toMatchObject({
      state: 'rolled-back',
      why: expect.stringContaining('nothing is heard of it for five minutes') as string,
    })
  })

  it('has the time that it takes where its supervisor says that it is at it', async () => {
    world.waiting.add('42')
    await world.pools.deploy('mail', '42', BY)
    expect((await world.pass(400)).pools[0]?.rollout).toMatchObject({ state: 'rolling' })
    world.waiting.delete('42')
    expect((await world.pass(20)).pools[0]?.rollout).toMatchObject({ state: 'done' })
  })

  it('is rolled out, too, where the workers of the pool change', async () => {
    await put({ instances: 4, release: '41', workers: ['mailer'] })
    const state = await world.pass(20)
    expect(state.places.every(({ runs }) => runs.workers?.[0] === 'mailer')).toBe(true)
    expect(state.pools[0]).toMatchObject({ rollout: { state: 'done' }, before: [] })
  })
})

describe('what is put', () => {
  it('is read', () => {
    const { spec } = readPool({
      instances: 2,
      workers: ['b', 'a', 'b'],
      region: 'eu',
      host: 'eu-*,x',
      release: '1.2',
    })
    expect(spec).toEqual({
      instances: 2,
      workers: ['a', 'b'],
      region: ['eu'],
      host: ['eu-*', 'x'],
      release: '1.2',
    })
  })

  it.each([
    [{}, 'instances: expected an integer from 0 to 1000, got nothing'],
    [{ instances: 1_001 }, 'instances: expected an integer from 0 to 1000, got 1001'],
    [{ instances: 1, workers: [] }, 'workers: expected a list of 1 to 100 names of workers, got []'],
    [
      { instances: 1, workers: ['a', '../b'] },
      'workers: expected a list of 1 to 100 names of workers, got "../b"',
    ],
    [{ instances: 1, release: '../41' }, 'release: expected a release: up to 64'],
    [{ instances: 1, region: 7 }, 'region: expected a text such as "eu" or "eu-*,us-a", got 7'],
    [{ instances: 1, region: '' }, 'region: expected names such as mailer'],
  ])('is refused as %j', (body, message) => {
    expect(() => readPool(body)).toThrow(message)
  })

  it.each(['.', '..', '.git', 'a/b', 'a\\b', '', 'x'.repeat(65), 'a b', 'ä', 'a\0'])(
    'names no release as %j',
    (text) => {
      expect(RELEASE.fromText(text)).toBeUndefined()
    },
  )

  it('is at most so much', async () => {
    await put({ instances: 900 })
    await expect(put({ instances: 101 }, 'other')).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
    await put({ instances: 100 }, 'other')
  })
})
