import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Death } from '../../src/core/fleet/death.ts'
import type { Fleet } from '../../src/core/fleet/fleet-ports.ts'
import { type Instance, type InstanceFacts, stateOf } from '../../src/core/fleet/instance.ts'
import type { OrderRecord, OrderVerb } from '../../src/core/fleet/order.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { MemoryFleet } from '../../src/store/fleet/memory-fleet.ts'
import { RedisFleet } from '../../src/store/fleet/redis-fleet.ts'
import { startRedisClient } from '../support/redis-client.ts'

interface World {
  readonly fleet: Fleet
  passTime(ms: number): Promise<void>
}

let client: RedisClient

beforeAll(async () => {
  client = await startRedisClient()
})

const worlds: Record<string, () => Promise<World>> = {
  'in memory': async () => {
    let nowMs = 1_000_000
    return {
      fleet: new MemoryFleet(() => nowMs),
      async passTime(ms) {
        nowMs += ms
      },
    }
  },
  'in Redis': async () => {
    await client.flushall()
    return {
      fleet: new RedisFleet(client),
      // The clock is Redis' own, which only real time moves.
      passTime: (ms) => sleep(ms + 2),
    }
  },
}

const LEASE_MS = 60
const HOUR_MS = 3_600_000

function factsOf(id: string, more: Partial<InstanceFacts> = {}): InstanceFacts {
  return {
    id,
    workers: [{ name: 'mailer', slots: 4 }],
    release: '41',
    region: 'eu',
    host: 'eu-a',
    pid: 4711,
    version: '0.1.0',
    mode: 'registered',
    ...more,
  }
}

function orderOf(id: string, instances: readonly string[], ms = 1_000): OrderRecord {
  return {
    id,
    task: { verb: 'unregister' },
    actor: 'ops',
    reason: 'maintenance',
    selection: 'worker=mailer',
    givenAtMs: 0,
    untilMs: ms,
    outcomes: Object.fromEntries(
      instances.map((instance) => [instance, { kind: 'waiting', atMs: 0, detail: '' }]),
    ),
  }
}

const DEATH: Death = {
  code: null,
  signal: 'SIGKILL',
  cause: 'crash',
  livedMs: 7_000,
  lines: ['the last'],
  memory: [{ agoMs: 1_000, rssBytes: 80_000_000 }],
  jobs: [{ worker: 'mailer', round: { system: 's', round: 'r' } }],
}

describe.each(Object.entries(worlds))('the registry %s', (_, makeWorld) => {
  let world: World
  let fleet: Fleet

  beforeEach(async () => {
    world = await makeWorld()
    fleet = world.fleet
  })

  const register = (id: string, more: Partial<InstanceFacts> = {}) =>
    fleet.pulse([{ id, facts: factsOf(id, more), known: 0 }], LEASE_MS)
  /** For longer than a test takes. */
  const settle = (id: string, more: Partial<InstanceFacts> = {}) =>
    fleet.pulse([{ id, facts: factsOf(id, more), known: 0 }], HOUR_MS)
  const found = async (id: string) => (await fleet.instance(id)).instance as Instance
  const states = async () =>
    Object.fromEntries((await fleet.snapshot()).instances.map((one) => [one.id, stateOf(one)]))

  it('lists an instance with what it said and its numbers', async () => {
    const workers = { mailer: { running: 1, done: 5, failed: 2, lastTakenAtMs: 7 } }
    const stats = { workers, cpuPercent: 12, rssBytes: 80_000_000, loopDelayMs: 3 }
    await fleet.pulse([{ id: 'a', facts: factsOf('a'), stats, known: 0 }], LEASE_MS)
    const { instances } = await fleet.snapshot()
    expect(instances).toEqual([
      { ...factsOf('a'), change: 1, stats, startedAtMs: expect.any(Number) as number },
    ])
  })

  it('asks for the facts of an instance that it does not know', async () => {
    const [reply] = await fleet.pulse([{ id: 'a', known: 0 }], LEASE_MS)
    expect(reply).toEqual({ isUnknown: true, nowMs: expect.any(Number) as number })
    expect(await states()).toEqual({})
  })

  it('makes a change of what differs, and of nothing else', async () => {
    await register('a')
    await register('a')
    await fleet.pulse([{ id: 'a', known: 0 }], LEASE_MS)
    expect((await fleet.snapshot()).change).toBe(1)
    await register('a', { mode: 'unregistered' })
    expect((await fleet.snapshot()).change).toBe(2)
    expect(await states()).toEqual({ a: 'unregistered' })
  })

  it('keeps what is known of a death, and hears of that instance no more', async () => {
    await register('a')
    await fleet.die(factsOf('a'), DEATH)
    expect(await states()).toEqual({ a: 'died' })
    await register('a', { mode: 'unregistered' })
    expect(await states()).toEqual({ a: 'died' })
    expect(await fleet.death('a')).toEqual(DEATH)
    expect(await fleet.death('b')).toBeUndefined()
    const late = { ...DEATH, jobs: [] }
    await fleet.die(factsOf('a'), late)
    expect(await fleet.death('a')).toEqual(late)
    await fleet.die(factsOf('c'), DEATH)
    expect(await states()).toEqual({ a: 'died', c: 'died' })
    await register('d')
    await fleet.leave('d')
    await world.passTime(30)
    await fleet.reap(20)
    expect(await states()).toEqual({ a: 'died', c: 'died' })
  })

  it('lets instances of a worker be ended that do not work one after the other, and then not for a while', async () => {
    expect(await fleet.mayRecycle(['mailer', 'report'])).toBe(true)
    expect(await fleet.mayRecycle(['mailer'])).toBe(false)
    expect(await fleet.mayRecycle(['other', 'report'])).toBe(false)
    expect(await fleet.mayRecycle(['other'])).toBe(true)
  })

  it('spares an instance as long as enough others take jobs of each of its workers, one at a time', async () => {
    const both = [
      { name: 'mailer', slots: 4 },
      { name: 'report', slots: 1 },
    ]
    const out = (id: string, more: Partial<InstanceFacts> = {}) =>
      factsOf(id, { ...more, mode: 'unregistered', pressure: 'cpu' })
    await settle('a', { workers: both })
    await settle('b')
    await settle('c')
    expect(await fleet.spare(factsOf('a', { workers: both }), 1, false)).toBe(false)
    expect(await fleet.spare(factsOf('b'), 3, false)).toBe(false)
    expect(await fleet.spare(factsOf('b'), 0, false)).toBe(true)
    expect(await fleet.spare(out('b'), 2, true)).toBe(true)
    expect(await states()).toEqual({ a: 'registered', b: 'unregistered', c: 'registered' })
    expect(await found('b')).toMatchObject({ pressure: 'cpu' })
    expect(await fleet.spare(out('c'), 2, true)).toBe(false)
    expect(await fleet.spare(out('c'), 1, true)).toBe(true)
    expect(await fleet.spare(out('a', { workers: both }), 1, true)).toBe(false)
    expect(await states()).toEqual({ a: 'registered', b: 'unregistered', c: 'unregistered' })
    await fleet.leave('a')
    expect(await fleet.spare(out('b'), 1, false)).toBe(false)
    await settle('d', { workers: [{ name: 'mail', slots: 1 }] })
    expect(await fleet.spare(out('b'), 1, false)).toBe(false)
  })

  it('spares nobody for who is silent, or of another region', async () => {
    const out = (id: string, more: Partial<InstanceFacts> = {}) =>
      factsOf(id, { ...more, mode: 'unregistered', pressure: 'cpu' })
    await settle('a', { regional: true, region: 'eu' })
    await settle('b', { regional: true, region: 'us' })
    expect(await fleet.spare(out('a', { regional: true, region: 'eu' }), 1, false)).toBe(false)
    expect(await fleet.spare(out('a', { region: 'eu' }), 1, false)).toBe(true)
    await settle('c', { regional: true, region: 'eu' })
    expect(await fleet.spare(out('a', { regional: true, region: 'eu' }), 1, false)).toBe(true)
    // It is silent, and nobody has looked who is lost.
    await register('c', { regional: true, region: 'eu' })
    await world.passTime(LEASE_MS + 1)
    expect(await fleet.spare(out('a', { regional: true, region: 'eu' }), 1, false)).toBe(false)
    expect(await found('c')).toMatchObject({ mode: 'registered' })
  })

  it('takes an instance for lost when its lease has ended, and back when it says that it lives', async () => {
    await fleet.pulse([{ id: 'a', facts: factsOf('a'), known: 0 }], HOUR_MS)
    expect(await fleet.reap(HOUR_MS)).toBe(0)
    await register('a')
    await world.passTime(LEASE_MS + 1)
    expect(await fleet.reap(HOUR_MS)).toBe(1)
    expect(await states()).toEqual({ a: 'lost' })
    const [reply] = await fleet.pulse([{ id: 'a', known: 0 }], LEASE_MS)
    expect(reply?.isUnknown).toBe(false)
    expect(await states()).toEqual({ a: 'registered' })
  })

  it('keeps the lease of who says that it lives', async () => {
    await register('a')
    for (let look = 0; look < 4; look++) {
      await world.passTime(LEASE_MS / 3)
      await fleet.pulse([{ id: 'a', known: 0 }], LEASE_MS)
      expect(await fleet.reap(HOUR_MS)).toBe(0)
    }
  })

  it('takes nobody for lost after a silence that was its own', async () => {
    await register('a')
    await world.passTime(3_100)
    expect(await fleet.reap(HOUR_MS)).toBe(0)
    expect(await states()).toEqual({ a: 'registered' })
  })

  it('has one that left as ended, and not back by a pulse that was on its way', async () => {
    await register('a')
    await fleet.leave('a')
    await register('a')
    expect(await states()).toEqual({ a: 'ended' })
    await fleet.leave('nobody')
  })

  it('forgets who ended long ago', async () => {
    await register('a')
    await fleet.leave('a')
    await world.passTime(5)
    await fleet.reap(HOUR_MS)
    expect(await states()).toEqual({ a: 'ended' })
    await fleet.reap(1)
    expect(await states()).toEqual({})
  })

  it('marks who is stuck, once', async () => {
    await register('a')
    await fleet.judge('a', 5)
    await fleet.judge('a', 5)
    expect(await states()).toEqual({ a: 'stuck' })
    await fleet.judge('a', undefined)
    expect(await states()).toEqual({ a: 'registered' })
    expect((await fleet.snapshot()).change).toBe(3)
    await fleet.judge('nobody', 5)
  })

  it('tells each change once, in order', async () => {
    const from = await fleet.snapshot()
    await register('a')
    await register('b')
    await fleet.leave('a')
    await fleet.reap(0)
    const first = await fleet.changes(from, 2)
    expect(first.changes.map(({ number, id }) => [number, id])).toEqual([
      [1, 'a'],
      [2, 'b'],
    ])
    const rest = await fleet.changes({ ...from, change: 2 }, 10)
    expect(rest.changes.map(({ id, instance }) => [id, instance && stateOf(instance)])).toEqual([
      ['a', 'ended'],
      ['a', undefined],
    ])
    expect(await fleet.changes({ ...from, change: 4 }, 10)).toEqual({ isReset: false, changes: [] })
  })

  it('says where changes are not the ones that were listened to', async () => {
    await register('a')
    const { epoch } = await fleet.snapshot()
    expect((await fleet.changes({ change: 7, epoch }, 10)).isReset).toBe(true)
    expect((await fleet.changes({ change: 0, epoch: 'another' }, 10)).isReset).toBe(true)
  })

  describe('an order', () => {
    it('leaves half of what serves a worker, also of several that are given at once', async () => {
      const ids = ['a', 'b', 'c', 'd', 'e', 'f']
      await fleet.pulse(
        ids.map((id) => ({ id, facts: factsOf(id), known: 0 })),
        60_000,
      )
      const [worker = ''] = factsOf('a').workers.map(({ name }) => name)
      const give = (id: string, told: readonly string[], verb: OrderVerb = 'unregister') =>
        fleet.order({ ...orderOf(id, told), task: { verb } }, HOUR_MS, [worker])
      const given = await Promise.all([give('1', ['a', 'b', 'c']), give('2', ['d', 'e', 'f'], 'restart')])
      expect(given.filter((tooFew) => tooFew === undefined)).toHaveLength(1)
      expect(given.find((tooFew) => tooFew !== undefined)).toEqual({ worker, left: 0, serving: 3 })
      const rest = given[0] === undefined ? ['d', 'e'] : ['a', 'b']
      expect(await give('3', rest, 'stop')).toEqual({ worker, left: 1, serving: 3 })
      expect((await fleet.orderRecord('3')).order).toBeUndefined()
      expect(await give('4', rest.slice(1))).toBeUndefined()
      // Who is told to register is not taken away.
      expect(await give('5', ids, 'register')).toBeUndefined()
    })

    const outcomeAt = async (order: string, id: string) =>
      (await fleet.orderRecord(order)).order?.outcomes[id]?.kind
    const tasksFor = async (id: string, known = 0) =>
      (await fleet.pulse([{ id, known }], 60_000))[0]?.orders?.tasks.map(({ order }) => order)

    beforeEach(async () => {
      await fleet.pulse([{ id: 'a', facts: factsOf('a'), known: 0 }], 60_000)
    })

    it('is brought by the pulse, claimed and reported', async () => {
      await fleet.order(orderOf('1', ['a']), HOUR_MS)
      expect(await outcomeAt('1', 'a')).toBe('waiting')
      expect(await tasksFor('a')).toEqual(['1'])
      expect(await fleet.claim('1', 'a')).toBe(true)
      expect(await outcomeAt('1', 'a')).toBe('obeying')
      await fleet.report('1', 'a', 'done', '')
      expect(await outcomeAt('1', 'a')).toBe('done')
      expect(await tasksFor('a')).toEqual([])
    })

    it('is brought again only where it has changed', async () => {
      await fleet.order(orderOf('1', ['a']), HOUR_MS)
      const [reply] = await fleet.pulse([{ id: 'a', known: 0 }], 60_000)
      const known = reply?.orders?.revision ?? 0
      expect(await tasksFor('a', known)).toBeUndefined()
      await fleet.order(orderOf('2', ['a']), HOUR_MS)
      expect(await tasksFor('a', known)).toEqual(['1', '2'])
    })

    it('is claimed again where the answer was lost, and not after its end', async () => {
      await fleet.order(orderOf('1', ['a']), HOUR_MS)
      expect([await fleet.claim('1', 'a'), await fleet.claim('1', 'a')]).toEqual([true, true])
      await fleet.report('1', 'a', 'failed', 'no such worker')
      expect(await fleet.claim('1', 'a')).toBe(false)
      expect((await fleet.orderRecord('1')).order?.outcomes.a).toMatchObject({
        kind: 'failed',
        detail: 'no such worker',
      })
      await fleet.report('1', 'a', 'done', '')
      expect(await outcomeAt('1', 'a')).toBe('failed')
    })

    it('is never obeyed after its time', async () => {
      await fleet.order(orderOf('1', ['a'], 20), HOUR_MS)
      await world.passTime(25)
      expect(await fleet.claim('1', 'a')).toBe(false)
      expect(await outcomeAt('1', 'a')).toBe('expired')
      await fleet.order(orderOf('2', ['a'], 20), HOUR_MS)
      await world.passTime(25)
      expect(await fleet.expire()).toBe(1)
      expect(await outcomeAt('2', 'a')).toBe('expired')
      expect(await tasksFor('a')).toEqual([])
    })

    it('may take longer than its time to obey, and fails where the instance ends meanwhile', async () => {
      await fleet.order(orderOf('1', ['a'], 1_000), HOUR_MS)
      expect(await fleet.claim('1', 'a')).toBe(true)
      await world.passTime(1_010)
      expect(await fleet.expire()).toBe(0)
      expect(await outcomeAt('1', 'a')).toBe('obeying')
      await fleet.leave('a')
      await world.passTime(1_010)
      await fleet.expire()
      expect(await outcomeAt('1', 'a')).toBe('failed')
    })

    it('fails at once for who has ended', async () => {
      await fleet.leave('a')
      await fleet.order(orderOf('1', ['a', 'nobody']), HOUR_MS)
      expect(await outcomeAt('1', 'a')).toBe('failed')
      expect(await outcomeAt('1', 'nobody')).toBe('failed')
    })

    it('is one, however often it was sent', async () => {
      await fleet.order(orderOf('1', ['a']), HOUR_MS)
      await fleet.order(orderOf('1', ['a']), HOUR_MS)
      expect(await tasksFor('a')).toEqual(['1'])
    })

    it('is counted once by how it went, and a restart for each worker', async () => {
      expect(await world.fleet.tally()).toMatchObject({ orders: [], restarts: [] })
      await world.fleet.order({ ...orderOf('b1', ['a', 'nobody']), task: { verb: 'restart' } }, HOUR_MS)
      await world.fleet.order(orderOf('b2', ['a'], 5), HOUR_MS)
      await world.fleet.claim('b1', 'a')
      for (let time = 0; time < 2; time += 1) await world.fleet.report('b1', 'a', 'done', '')
      await world.passTime(10)
      for (let time = 0; time < 2; time += 1) await world.fleet.expire()
      const { orders, restarts, nowMs, touchedAtMs = 0 } = await world.fleet.tally()
      expect(new Set(orders)).toEqual(
        new Set([
          { verb: 'restart', outcome: 'done', count: 1 },
          { verb: 'restart', outcome: 'failed', count: 1 },
          { verb: 'unregister', outcome: 'expired', count: 1 },
        ]),
      )
      expect(restarts).toEqual([{ worker: 'mailer', count: 1 }])
      expect(nowMs - touchedAtMs).toBeGreaterThanOrEqual(0)
    })

    it('is listed, newest first', async () => {
      for (const id of ['1', '2', '3']) {
        await fleet.order(orderOf(id, ['a']), HOUR_MS)
        await world.passTime(1)
      }
      const first = await fleet.orders({ limit: 2 })
      expect(first.orders.map(({ id }) => id)).toEqual(['3', '2'])
      expect(first.orders[0]).toMatchObject({
        actor: 'ops',
        reason: 'maintenance',
        task: { verb: 'unregister' },
      })
      const rest = await fleet.orders({ limit: 2, after: first.next as string })
      expect([rest.orders.map(({ id }) => id), rest.next]).toEqual([['1'], undefined])
    })
  })

  describe('what is set of workers', () => {
    const mailer = { of: 'worker', name: 'mailer' } as const
    const revision = (concurrency: number) => ({ actor: 'ops', reason: 'a "b"\n', settings: { concurrency } })

    it('has revisions, newest first and 20 of them, and every pulse tells of the last', async () => {
      expect((await register('a'))[0]?.settings).toBeUndefined()
      expect(await fleet.configure(mailer, revision(1))).toBe(true)
      const { all } = await fleet.settings()
      expect(all).toEqual([
        { ...mailer, revisions: [{ revision: 1, atMs: expect.any(Number) as number, ...revision(1) }] },
      ])
      for (let n = 2; n <= 25; n += 1) await fleet.configure(mailer, revision(n))
      await fleet.configure({ of: 'worker', name: 'a' }, { ...revision(1), settings: null })
      const later = (await fleet.settings()).all
      expect(later.map(({ name }) => name)).toEqual(['a', 'mailer'])
      expect(later[1]?.revisions.map((one) => one.revision)).toEqual(
        Array.from({ length: 20 }, (_, n) => 25 - n),
      )
      expect((await fleet.pulse([{ id: 'a', known: 0 }], LEASE_MS))[0]?.settings).toBe(26)
    })

    it('of an instance is forgotten with it', async () => {
      await register('a')
      await fleet.configure({ of: 'instance', name: 'a' }, revision(1))
      await fleet.leave('a')
      await world.passTime(5)
      await fleet.reap(1)
      expect((await fleet.settings()).all).toEqual([])
    })
  })

  it('has what an instance said whatever characters it used', async () => {
    await register('a', { release: 'a b "c" % ü\n', host: 'x'.repeat(200) })
    expect(await found('a')).toMatchObject({ release: 'a b "c" % ü\n', host: 'x'.repeat(200) })
  })
})

it('leaves out no change of a storm in Redis, and resets nobody who keeps up', async () => {
  await client.flushall()
  const fleet = new RedisFleet(client)
  const MANY = 400
  let isOver = false
  const storm = (async () => {
    for (let n = 0; n < MANY; n += 8)
      await Promise.all(
        Array.from({ length: 8 }, (_, k) =>
          fleet.pulse([{ id: `${n + k}`, facts: factsOf(`${n + k}`), known: 0 }], HOUR_MS),
        ),
      )
    isOver = true
  })()
  const readers = Array.from({ length: 4 }, async () => {
    const heard: number[] = []
    let mark = { change: 0, epoch: '' }
    for (;;) {
      const wasOver = isOver
      const latest = await fleet.latest()
      if (mark.epoch === '') mark = { ...mark, epoch: latest.epoch }
      if (mark.epoch === '') continue
      const { isReset, changes } = await fleet.changes(mark, 500)
      expect(isReset).toBe(false)
      heard.push(...changes.map(({ number }) => number))
      mark = { ...mark, change: heard.at(-1) ?? 0 }
      if (wasOver && changes.length === 0) return heard
    }
  })
  const all = Array.from({ length: MANY }, (_, n) => n + 1)
  for (const heard of await Promise.all(readers)) expect(heard).toEqual(all)
  await storm
})

it('lists an instance without its numbers where another build has written these in its own form', async () => {
  await client.flushall()
  const fleet = new RedisFleet(client)
  const stats = { workers: {}, cpuPercent: 1, rssBytes: 2, loopDelayMs: 3 }
  for (const id of ['other', 'own']) await fleet.pulse([{ id, facts: factsOf(id), stats, known: 0 }], HOUR_MS)
  await client.hset('gone:{~fleet}:stats', 'other', JSON.stringify(stats))
  const { instances } = await fleet.snapshot()
  const numbers = Object.fromEntries(instances.map((one) => [one.id, one.stats]))
  expect(numbers).toEqual({ other: undefined, own: stats })
})
