import { beforeEach, describe, expect, it } from 'vitest'
import { readSelection, SELECTION_FIELDS } from '../../src/core/fleet/selection.ts'
import { type OrderAsked, Orders } from '../../src/service/fleet/orders.ts'
import { MemoryFleet } from '../../src/store/fleet/memory-fleet.ts'

let fleet: MemoryFleet
let orders: Orders
let poked: string[][]

beforeEach(async () => {
  fleet = new MemoryFleet(() => 1_000)
  poked = []
  orders = new Orders(
    fleet,
    {
      poke: async (ids) => void poked.push([...ids]),
      listen: async () => () => undefined,
    },
    () => 'fresh',
  )
  for (const [id, region, worker] of [
    ['a', 'eu', 'mailer'],
    ['b', 'eu', 'mailer'],
    ['c', 'us', 'mailer'],
    ['d', 'us', 'report'],
  ] as const)
    await fleet.pulse(
      [
        {
          id,
          facts: {
            id,
            region,
            workers: [{ name: worker, slots: 1 }],
            release: '41',
            host: `${region}-1`,
            pid: 1,
            version: '0.1.0',
            mode: 'registered',
          },
          known: 0,
        },
      ],
      60_000,
    )
})

const asked = (select: Record<string, string>, more: Partial<OrderAsked> = {}): OrderAsked => ({
  task: { verb: 'unregister' },
  selection: readSelection(select),
  isAll: false,
  count: 1,
  isAtOnce: false,
  reason: 'maintenance',
  actor: 'ops',
  withinMs: 60_000,
  ...more,
})

const told = async () => {
  const replies = await fleet.pulse(
    ['a', 'b', 'c', 'd'].map((id) => ({ id, known: 0 })),
    60_000,
  )
  return ['a', 'b', 'c', 'd'].filter((_, index) => (replies[index]?.orders?.tasks.length ?? 0) > 0)
}

describe('an order', () => {
  it('reaches whom it selects, and nobody else', async () => {
    const order = await orders.give(asked({ region: 'us', worker: 'mailer' }))
    expect(Object.keys(order.outcomes)).toEqual(['c'])
    expect(order).toMatchObject({ actor: 'ops', selection: '--worker mailer --region us', untilMs: 61_000 })
    expect(await told()).toEqual(['c'])
    expect(poked).toEqual([['c']])
  })

  it.each([
    ['says nothing', {}],
    ['names nobody', { worker: 'webhook' }],
    ['names who is in no such state', { worker: 'mailer', state: 'unregistered' }],
  ])('does nothing where its selection %s', async (_, select) => {
    await expect(orders.give(asked(select, { count: 0 }))).rejects.toMatchObject({ code: 'EMPTY_SELECTION' })
    expect(await told()).toEqual([])
  })

  it('reaches all where that is said', async () => {
    await orders.give(asked({}, { isAll: true, count: 4, isAtOnce: true }))
    expect(await told()).toEqual(['a', 'b', 'c', 'd'])
    await expect(orders.give(asked({ worker: 'mailer' }, { isAll: true }))).rejects.toMatchObject({
      code: 'INVALID_BODY',
    })
  })

  it.each([0, 1, 3, undefined])('is refused where %s were shown and two are selected', async (count) => {
    const { count: _, ...rest } = asked({ region: 'eu' }, { isAtOnce: true })
    await expect(orders.give({ ...rest, ...(count !== undefined && { count }) })).rejects.toMatchObject({
      code: 'SELECTION_CHANGED',
    })
    expect(await told()).toEqual([])
  })

  it('is refused where as many are selected as were shown, and one of them is another', async () => {
    const both = asked({ region: 'eu' }, { isAtOnce: true, count: 2 })
    await expect(orders.give({ ...both, shown: ['a', 'gone'] })).rejects.toThrow('b was not shown')
    expect(await told()).toEqual([])
    await orders.give({ ...both, shown: ['b', 'a'] })
    expect(await told()).toEqual(['a', 'b'])
  })

  it.each(['unregister', 'restart', 'stop'] as const)(
    'to %s most of a worker is refused unless that is said',
    async (verb) => {
      const both = asked({ region: 'eu' }, { task: { verb }, count: 2 })
      await expect(orders.give(both)).rejects.toThrow('mailer: 1 of its 3 registered instances would be left')
      await orders.give({ ...both, isAtOnce: true })
      expect(await told()).toEqual(['a', 'b'])
    },
  )

  it('to register any number needs no more words', async () => {
    await orders.give(asked({ worker: '*' }, { task: { verb: 'register' }, count: 4 }))
    expect(await told()).toEqual(['a', 'b', 'c', 'd'])
  })

  it('does not reach who has ended', async () => {
    await fleet.leave('a')
    await orders.give(asked({ region: 'eu' }, { isAtOnce: true }))
    expect(await told()).toEqual(['b'])
  })
})

/** Numbers that look random, the same each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return Math.floor((state / 4_294_967_296) * below)
  }
}

/** What a pattern fits, found in another way than by the code under test. */
const fits = (pattern: string, value: string) =>
  new RegExp(
    `^${pattern
      .split('*')
      .map((part) => part.replace(/[.]/g, '\\.'))
      .join('.*')}$`,
  ).test(value)

it('leaves whoever it does not select as it was, of 200 selections that are drawn', async () => {
  const draw = numbers(14)
  const VALUES = {
    worker: ['mailer', 'mail-2', 'report', 're.port'],
    release: ['41', '42', '4'],
    region: ['eu', 'us', 'eu-west'],
    host: ['eu-a', 'eu-b', 'us-a'],
  }
  const fields = ['worker', 'release', 'region', 'host'] as const
  const pick = <T>(of: readonly T[]) => of[draw(of.length)] as T
  const crowd = Array.from({ length: 40 }, (_, n) => ({
    id: `i${n}`,
    ...(Object.fromEntries(fields.map((field) => [field, pick(VALUES[field])])) as Record<
      (typeof fields)[number],
      string
    >),
  }))
  let reached = 0
  for (let n = 0; n < 200; n++) {
    const given: Record<string, string> = {}
    for (const field of fields) {
      if (draw(3) > 0) continue
      const value = pick(VALUES[field])
      given[field] = pick([
        value,
        `${value.slice(0, 2)}*`,
        `*${value.slice(-1)}`,
        `${value},${pick(VALUES[field])}`,
      ])
    }
    if (draw(4) === 0) given.id = `i${draw(40)},i1*`
    expect(Object.keys(given).every((field) => SELECTION_FIELDS.some((one) => one === field))).toBe(true)
    fleet = new MemoryFleet(() => 1_000)
    const all = new Orders(
      fleet,
      { poke: async () => {}, listen: async () => () => undefined },
      () => 'fresh',
    )
    for (const { id, worker, ...more } of crowd) {
      const facts = { id, ...more, workers: [{ name: worker, slots: 1 }], pid: 1, version: '0.1.0' }
      await fleet.pulse([{ id, facts: { ...facts, mode: 'registered' }, known: 0 }], 60_000)
    }
    const before = (await fleet.snapshot()).instances
    const meant = crowd.filter((one) =>
      Object.entries(given).every(([field, list]) =>
        list.split(',').some((pattern) => fits(pattern, one[field as 'id'])),
      ),
    )
    const isEmpty = Object.keys(given).length === 0
    const order = all.give(asked(given, { count: meant.length, isAtOnce: true }))
    const told = isEmpty || meant.length === 0 ? [] : meant.map(({ id }) => id)
    if (told.length === 0) await expect(order).rejects.toMatchObject({ code: 'EMPTY_SELECTION' })
    else expect(Object.keys((await order).outcomes).sort()).toEqual([...told].sort())
    const replies = await fleet.pulse(
      crowd.map(({ id }) => ({ id, known: 0 })),
      60_000,
    )
    const heard = crowd.filter((_, index) => (replies[index]?.orders?.tasks.length ?? 0) > 0)
    expect(heard.map(({ id }) => id).sort(), JSON.stringify(given)).toEqual([...told].sort())
    expect((await fleet.snapshot()).instances).toEqual(before)
    reached += told.length
  }
  expect(reached).toBeGreaterThan(500)
})
