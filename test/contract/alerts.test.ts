import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { AlertKind } from '../../src/core/alerts/alert.ts'
import type {
  Alerts,
  Census,
  Expectation,
  Look,
  SlotNews,
  TakenWatch,
  WatchName,
} from '../../src/core/alerts/alert-ports.ts'
import { DEFAULT_DST } from '../../src/core/time/timetable.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { MemoryAlerts } from '../../src/store/alerts/memory-alerts.ts'
import { MemoryCensus } from '../../src/store/alerts/memory-census.ts'
import { RedisAlerts } from '../../src/store/alerts/redis-alerts.ts'
import { RedisCensus } from '../../src/store/alerts/redis-census.ts'
import { startRedisClient } from '../support/redis-client.ts'

interface World {
  readonly alerts: Alerts
  readonly census: Census
  passTime(ms: number): Promise<void>
}

const RETENTION_MS = 400

let client: RedisClient

beforeAll(async () => {
  client = await startRedisClient()
})

const worlds: Record<string, () => Promise<World>> = {
  'in memory': async () => {
    let nowMs = 1_000_000
    return {
      alerts: new MemoryAlerts(() => nowMs),
      census: new MemoryCensus(),
      async passTime(ms) {
        nowMs += ms
      },
    }
  },
  'in Redis': async () => {
    await client.flushall()
    return {
      alerts: new RedisAlerts(client, 86_400_000),
      census: new RedisCensus(client),
      // The clock is Redis' own, which only real time moves.
      passTime: (ms) => sleep(ms + 2),
    }
  },
}

const expectation: Expectation = {
  timetable: { everyMs: 60_000, tz: 'Europe/Berlin', dst: DEFAULT_DST },
  graceMs: 5_000,
}
const report: WatchName = { system: 'report', name: 'daily' }
/** Names that would break a careless key. */
const odd: WatchName = { system: 'az~b!"%', name: 'Ä{x}/'.replace('/', ':') }

describe.each(Object.entries(worlds))('alerts %s', (_, makeWorld) => {
  let world: World
  let alerts: Alerts

  beforeEach(async () => {
    world = await makeWorld()
    alerts = world.alerts
  })

  /** Takes the one watch that is due, which has to be there. */
  async function takeOne(): Promise<TakenWatch> {
    const { watches } = await alerts.take(10, 10)
    expect(watches).toHaveLength(1)
    return watches[0] as TakenWatch
  }

  /** Records the news on the one watch, and makes it due again at once. */
  async function tell(...news: readonly SlotNews[]) {
    const watch = await takeOne()
    const told = await alerts.record(watch, lookOf(watch, news), true)
    return told?.map(({ event, alert }) => `${event} ${alert.kind} ${alert.count}`)
  }

  function lookOf(watch: TakenWatch, news: readonly SlotNews[], more: Partial<Look> = {}): Look {
    return { progress: watch.progress, news, nextLookMs: watch.progress.cursorMs, ...more }
  }

  it('keep an expectation as it was put, and say whether it is new', async () => {
    const first = await alerts.put(report, expectation)
    expect(first).toMatchObject({ verdict: 'created', record: { ...report, expectation } })
    expect(first.record.createdAtMs).toBe(first.nowMs)
    await world.passTime(5)
    expect(await alerts.put(report, expectation)).toMatchObject({
      verdict: 'unchanged',
      record: first.record,
    })
    const other = { ...expectation, replicas: 3 }
    const second = await alerts.put(report, other)
    expect(second).toMatchObject({
      verdict: 'replaced',
      record: { expectation: other, createdAtMs: first.record.createdAtMs },
    })
    expect(second.record.updatedAtMs).toBeGreaterThanOrEqual(first.record.updatedAtMs + 5)
    expect((await alerts.expectation(report)).record).toEqual(second.record)
    expect((await alerts.expectation({ ...report, name: 'weekly' })).record).toBeUndefined()
  })

  it('list expectations by system and name, page by page', async () => {
    const names = [
      { system: 'a', name: 'x' },
      { system: 'a', name: 'y' },
      { system: 'a-b', name: 'x' },
      odd,
      { system: 'b', name: '1' },
    ]
    for (const name of names.toReversed()) await alerts.put(name, expectation)
    const seen: WatchName[] = []
    let after: WatchName | undefined
    do {
      const page = await alerts.expectations({ limit: 2, ...(after && { after }) })
      seen.push(...page.records.map(({ system, name }) => ({ system, name })))
      after = page.next
    } while (after)
    expect(seen).toEqual(names)
    const own = await alerts.expectations({ system: 'a', limit: 10 })
    expect(own.records.map(({ system, name }) => `${system}/${name}`)).toEqual(['a/x', 'a/y'])
    const rest = await alerts.expectations({ system: 'a', limit: 10, after: { system: 'a', name: 'x' } })
    expect(rest.records.map(({ name }) => name)).toEqual(['y'])
  })

  it('watch an expectation from when it was put', async () => {
    const { nowMs, record } = await alerts.put(odd, expectation)
    const watch = await takeOne()
    expect(watch).toMatchObject({
      id: { ...odd, of: 'expectation' },
      progress: { cursorMs: nowMs, slots: [] },
      record,
    })
  })

  it('give a watch to one process at a time, and to another when that one died', async () => {
    await alerts.put(report, expectation)
    const [first, second] = await Promise.all([alerts.take(10, 50), alerts.take(10, 50)])
    expect([first.watches.length, second.watches.length].sort()).toEqual([0, 1])
    await world.passTime(50)
    expect((await alerts.take(10, 50)).watches).toHaveLength(1)
  })

  it('record one of two looks at the same', async () => {
    await alerts.put(report, expectation)
    const watch = await takeOne()
    const looks = await Promise.all([
      alerts.record(watch, lookOf(watch, [bad('missed', 1)]), true),
      alerts.record(watch, lookOf(watch, [bad('missed', 1)]), true),
    ])
    expect(looks.filter((told) => told !== undefined)).toHaveLength(1)
    expect((await alerts.alerts({ limit: 10 })).alerts).toMatchObject([{ count: 1 }])
    expect(await alerts.outbox(0, 10)).toHaveLength(1)
  })

  it('record no look at an expectation that has been replaced or removed meanwhile', async () => {
    await alerts.put(report, expectation)
    const watch = await takeOne()
    await alerts.put(report, { ...expectation, graceMs: 9_000 })
    expect(await alerts.record(watch, lookOf(watch, [bad('missed', 1)]), true)).toBeUndefined()
    const again = await takeOne()
    await alerts.drop(again.id, 'removed', true)
    expect(await alerts.record(again, lookOf(again, [bad('missed', 1)]), true)).toBeUndefined()
    await alerts.put(report, expectation)
    expect(await alerts.record(again, lookOf(again, [bad('missed', 1)]), true)).toBeUndefined()
    expect((await alerts.alerts({ limit: 10 })).alerts).toEqual([])
  })

  it('keep the progress, and never move a cursor back', async () => {
    const { nowMs } = await alerts.put(report, expectation)
    const watch = await takeOne()
    const slots = [
      { key: 'k', dueMs: 1, beginMs: 0, endMs: 2, found: ['late' as const], round: 'Ä"r', cameAtMs: 1 },
    ]
    const progress = { cursorMs: nowMs + 7, slots }
    await alerts.record(watch, lookOf(watch, [], { progress, nextLookMs: nowMs }), true)
    const next = await takeOne()
    expect(next.progress).toEqual(progress)
    const back = { ...progress, cursorMs: nowMs + 6 }
    expect(await alerts.record(next, lookOf(next, [], { progress: back }), true)).toBeUndefined()
  })

  it('look at a watch when its look is due', async () => {
    await alerts.put(report, expectation)
    const watch = await takeOne()
    const { nowMs } = await alerts.take(0, 1)
    await alerts.record(watch, lookOf(watch, [], { nextLookMs: nowMs + 100 }), true)
    expect((await alerts.take(10, 10)).watches).toEqual([])
    await world.passTime(100)
    expect((await alerts.take(10, 10)).watches).toHaveLength(1)
  })

  it('open one alert a cause, and count the slots that show it', async () => {
    await alerts.put(report, expectation)
    expect(await tell(bad('missed', 1))).toEqual(['opened missed 1'])
    expect(await tell(bad('missed', 2), bad('missed', 3), bad('failed', 3, 'r3'))).toEqual([
      'opened failed 1',
    ])
    const { alerts: all } = await alerts.alerts({ limit: 10 })
    expect(all).toMatchObject([
      { kind: 'failed', count: 1, lastRound: 'r3', firstSlot: 'slot-3', detail: 'failed at 3' },
      { ...report, kind: 'missed', state: 'open', count: 3, firstSlot: 'slot-1', lastSlot: 'slot-3' },
    ])
    expect(all[1]).not.toHaveProperty('lastRound')
    expect(await alerts.openCounts()).toEqual({
      missed: 1,
      late: 0,
      unreported: 0,
      failed: 1,
      'few-candidates': 0,
      'no-worker': 0,
      stuck: 0,
      unresponsive: 0,
      'crash-loop': 0,
    })
  })

  it('resolve all alerts of a watch by the next good slot, and open a new one after that', async () => {
    await alerts.put(report, expectation)
    await tell(bad('missed', 1), bad('failed', 2, 'r2'))
    expect(await tell(good(3))).toEqual(['resolved missed 1', 'resolved failed 1'])
    expect(await tell(good(4))).toEqual([])
    expect(await tell(bad('missed', 5))).toEqual(['opened missed 1'])
    const page = await alerts.alerts({ limit: 10 })
    expect(page.alerts.map(({ kind, state }) => `${kind} ${state}`)).toEqual([
      'missed open',
      'failed resolved',
      'missed resolved',
    ])
    expect(page.alerts[1]).toMatchObject({
      resolution: 'good at 3',
      lastSlot: 'slot-2',
      resolvedAtMs: expect.any(Number),
    })
    expect(new Set(page.alerts.map(({ id }) => id)).size).toBe(3)
    expect(await alerts.openCounts()).toMatchObject({ missed: 1, failed: 0 })
  })

  it('tell of alerts as they are when the look is recorded', async () => {
    await alerts.put(report, expectation)
    expect(await tell(bad('missed', 1), bad('missed', 2), bad('late', 3, 'r'))).toEqual([
      'opened missed 2',
      'opened late 1',
    ])
  })

  it('do not resolve an alert by a slot that is older than its last bad one', async () => {
    await alerts.put(report, expectation)
    await tell(bad('missed', 2))
    expect(await tell(good(1), good(2))).toEqual([])
    expect(await tell(bad('missed', 1))).toEqual([])
    const { alerts: all } = await alerts.alerts({ limit: 10 })
    expect(all).toMatchObject([{ count: 2, lastSlot: 'slot-2', firstSlot: 'slot-2', state: 'open' }])
  })

  it('resolve a missed slot that came after all, unless a later one is missed', async () => {
    await alerts.put(report, expectation)
    await tell(bad('missed', 1), bad('missed', 2))
    expect(await tell(came(1))).toEqual([])
    expect(await tell(came(2), bad('late', 2, 'r2'))).toEqual(['resolved missed 2', 'opened late 1'])
  })

  it('keep any text as it is', async () => {
    await alerts.put(odd, expectation)
    const text = 'a "b" \\ / \u0000\u001f\u007f\u2028 ä 😀 %s {}'
    const watch = await takeOne()
    await alerts.record(
      watch,
      lookOf(watch, [{ ...bad('failed', 1_763_800_000_123, text), detail: text } as SlotNews]),
      true,
    )
    const page = await alerts.alerts({ limit: 1 })
    expect(page.alerts).toMatchObject([{ ...odd, detail: text, lastRound: text }])
    expect((await alerts.outbox(0, 1))[0]?.news?.alert).toEqual(page.alerts[0])
  })

  it('keep what is to be told in the outbox until it is acknowledged', async () => {
    await alerts.put(report, expectation)
    await tell(bad('missed', 1))
    await tell(good(2))
    expect(await alerts.outbox(60_000, 10)).toEqual([])
    const entries = await alerts.outbox(0, 10)
    expect(entries.map(({ entry, news }) => [entry, news?.event])).toEqual([
      [expect.stringMatching(/^\d+-opened$/), 'opened'],
      [expect.stringMatching(/^\d+-resolved$/), 'resolved'],
    ])
    const areUnqueued = () => Promise.all(entries.map(({ entry }) => alerts.isUnqueued(entry)))
    expect(await areUnqueued()).toEqual([true, true])
    await alerts.acknowledge(entries[0]?.entry ?? '')
    expect(await areUnqueued()).toEqual([false, true])
    expect((await alerts.outbox(0, 10)).map(({ entry }) => entry)).toEqual([entries[1]?.entry])
  })

  it('leave nothing in the outbox where nobody is to be told', async () => {
    await alerts.put(report, expectation)
    const watch = await takeOne()
    expect(await alerts.record(watch, lookOf(watch, [bad('late', 1, 'r')]), false)).toHaveLength(1)
    expect(await alerts.outbox(0, 10)).toEqual([])
  })

  it('resolve what is open when a watch is dropped', async () => {
    await alerts.put(report, { ...expectation, replicas: 2 })
    await tell(bad('missed', 1))
    const told = await alerts.drop({ ...report, of: 'expectation' }, 'removed', true)
    expect(told).toMatchObject([{ event: 'resolved', alert: { kind: 'missed', resolution: 'removed' } }])
    expect(await alerts.drop({ ...report, of: 'expectation' }, 'removed', true)).toBeUndefined()
    expect((await alerts.expectation(report)).record).toBeUndefined()
    expect((await alerts.expectations({ limit: 10 })).records).toEqual([])
    expect(await alerts.counted()).toEqual(new Map())
    await world.passTime(20)
    expect((await alerts.take(10, 10)).watches).toEqual([])
  })

  it('watch a schedule apart from an expectation of the same name', async () => {
    const sinceMs = (await alerts.take(0, 1)).nowMs - 5
    await alerts.adopt(odd, sinceMs)
    await alerts.adopt(odd, sinceMs + 2)
    await alerts.adopt({ ...odd, name: 'old' }, sinceMs - 86_400_000)
    await alerts.put(odd, expectation)
    expect(await alerts.watched('schedule')).toMatchObject([odd, { name: 'old' }])
    const { watches } = await alerts.take(10, 1)
    expect(watches.map(({ id }) => id.of).sort()).toEqual(['expectation', 'schedule', 'schedule'])
    const old = watches.find(({ id }) => id.name === 'old')
    expect(old?.progress.cursorMs).toBeGreaterThanOrEqual(sinceMs - 3_600_000)
    await alerts.drop({ ...odd, name: 'old', of: 'schedule' }, 'removed', true)
    const schedule = watches.find(({ id }) => id.of === 'schedule' && id.name === odd.name) as TakenWatch
    expect(schedule.progress.cursorMs).toBe(sinceMs)
    expect(schedule.record).toBeUndefined()
    await alerts.record(schedule, lookOf(schedule, [bad('missed', 1)]), true)
    const own = watches.find(({ id }) => id.of === 'expectation') as TakenWatch
    await alerts.record(own, lookOf(own, [bad('missed', 1), good(2)]), true)
    const states = (await alerts.alerts({ limit: 10 })).alerts.map(({ state }) => state)
    expect(states).toEqual(['resolved', 'open'])
    await alerts.drop({ ...odd, of: 'schedule' }, 'removed', true)
    expect(await alerts.watched('schedule')).toEqual([])
  })

  it('look at once at a schedule that has changed, and record nothing of a look at what it was', async () => {
    const { nowMs } = await alerts.take(0, 1)
    await alerts.adopt(report, nowMs - 5)
    const watch = await takeOne()
    const progress = {
      cursorMs: nowMs,
      slots: [{ key: 'k "ä"', dueMs: 1, beginMs: 0, endMs: 2, found: ['late' as const] }],
    }
    await alerts.record(watch, lookOf(watch, [], { progress, nextLookMs: nowMs + 3_600_000 }), true)
    expect((await alerts.take(10, 10)).watches).toEqual([])
    await alerts.adopt(report, nowMs)
    const changed = await takeOne()
    expect(changed.progress).toEqual(progress)
    await alerts.adopt(report, nowMs)
    expect(await alerts.record(changed, lookOf(changed, [bad('missed', 1)]), true)).toBeUndefined()
    expect((await takeOne()).progress).toEqual(progress)
    expect((await alerts.alerts({ limit: 10 })).alerts).toEqual([])
  })

  it('list alerts newest first, page by page, by state', async () => {
    await alerts.put(report, expectation)
    for (let slot = 1; slot <= 9; slot += 1) await tell(bad('missed', slot * 2), good(slot * 2 + 1))
    await tell(bad('late', 99, 'r'), bad('failed', 99, 'r'))
    const ids = async (state?: 'open' | 'resolved') => {
      const found: string[] = []
      let after: string | undefined
      do {
        const page = await alerts.alerts({ limit: 4, ...(state && { state }), ...(after && { after }) })
        found.push(...page.alerts.map(({ id }) => id))
        after = page.next
      } while (after)
      return found
    }
    const all = await ids()
    expect(all).toHaveLength(11)
    expect(all).toEqual(all.toSorted((a, b) => Number(b) - Number(a)))
    expect(await ids('open')).toEqual(all.slice(0, 2))
    expect(await ids('resolved')).toEqual(all.slice(2))
  })

  it('say which systems are counted, and for how long', async () => {
    await alerts.put(report, { ...expectation, replicas: 3 })
    await alerts.put({ ...report, name: 'b' }, { ...expectation, replicas: 2, graceMs: 60_000 })
    await alerts.put({ ...odd, name: 'b' }, { ...expectation, replicas: 2 })
    await alerts.put({ system: 'other', name: 'b' }, expectation)
    expect(await alerts.counted()).toEqual(
      new Map([
        ['report', 3_660_000],
        [odd.system, 3_605_000],
      ]),
    )
    await alerts.put({ ...odd, name: 'b' }, expectation)
    expect([...(await alerts.counted()).keys()]).toEqual(['report'])
  })

  it('count distinct candidates', async () => {
    const id = { system: 'report', round: randomUUID() }
    expect(await world.census.count(id)).toBeUndefined()
    await world.census.add(id, ['a', 'b'], 60_000)
    await world.census.add(id, ['b', 'c'], 60_000)
    expect(await world.census.count(id)).toBe(3)
  })

  it('know what those are called who asked, by round', async () => {
    const { census } = world
    const system = randomUUID()
    expect(await census.called(system)).toEqual(new Map())
    await census.call({ system, round: '1' }, ['pod-1', 'pod-2'])
    await census.call({ system, round: '2' }, ['pod-1'])
    await census.call({ system, round: '1' }, ['pod-3', 'pod-1'])
    const called = await census.called(system)
    expect([...(called.get('1') ?? [])].toSorted()).toEqual(['pod-1', 'pod-2', 'pod-3'])
    expect([...(called.get('2') ?? [])]).toEqual(['pod-1'])
  })
})

describe('alerts in Redis', () => {
  it('keep resolved alerts for the retention, and open ones as long as they are', async () => {
    await client.flushall()
    const alerts = new RedisAlerts(client, RETENTION_MS)
    await alerts.put(report, expectation)
    const tell = async (...news: SlotNews[]) => {
      const { watches } = await alerts.take(1, 1)
      const watch = watches[0] as TakenWatch
      await alerts.record(watch, { progress: watch.progress, news, nextLookMs: 0 }, true)
    }
    await tell(bad('missed', 1), good(2), bad('late', 3, 'r'))
    // Retention runs on Redis' own clock, which only real time moves.
    await sleep(RETENTION_MS + 50)
    await tell(bad('missed', 4))
    await tell(good(5), bad('failed', 6, 'r'))
    const kinds = async () => (await alerts.alerts({ limit: 10 })).alerts.map(({ kind }) => kind)
    expect(await kinds()).toEqual(['failed', 'missed', 'late'])
    expect(await client.hlen('gone:{~alerts}:alerts')).toBe(3)
  })

  it('share one Cluster slot, which is no system', async () => {
    const keys = await client.keys('*')
    expect(keys.every((key) => key.startsWith('gone:{~alerts}:'))).toBe(true)
  })
})

function bad(alert: AlertKind, slot: number, round?: string): SlotNews {
  return {
    kind: 'bad',
    alert,
    slot: `slot-${slot}`,
    dueMs: slot,
    detail: `${alert} at ${slot}`,
    ...(round !== undefined && { round }),
  }
}

function good(slot: number): SlotNews {
  return { kind: 'good', slot: `slot-${slot}`, dueMs: slot, resolution: `good at ${slot}` }
}

function came(slot: number): SlotNews {
  return { kind: 'came', slot: `slot-${slot}`, dueMs: slot, resolution: `came ${slot}` }
}
