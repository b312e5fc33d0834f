import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Schedule, ScheduleId } from '../../src/core/schedules/schedule.ts'
import { readScheduleBody } from '../../src/core/schedules/schedule-body.ts'
import type { ScheduleStore } from '../../src/core/schedules/schedule-ports.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { MemorySchedules } from '../../src/store/schedules/memory-schedules.ts'
import { RedisSchedules } from '../../src/store/schedules/redis-schedules.ts'
import { anyIdentifier } from '../support/identifiers.ts'
import { startRedisClient } from '../support/redis-client.ts'

interface World {
  readonly store: ScheduleStore
  passTime(ms: number): Promise<void>
}

let client: RedisClient

beforeAll(async () => {
  client = await startRedisClient()
})

const worlds: Record<string, () => Promise<World>> = {
  'in memory': async () => {
    let nowMs = 1_800_000_000_000
    return {
      store: new MemorySchedules(() => nowMs),
      async passTime(ms) {
        nowMs += ms
      },
    }
  },
  'in Redis': async () => {
    await client.flushall()
    // Redis' own clock, which only real time moves.
    return { store: new RedisSchedules(client), passTime: (ms) => sleep(ms + 2) }
  },
}

const CRON = { cron: '0 8 * * MON-FRI' }

function scheduleOf(body: object = CRON, more: Partial<Schedule> = {}): Schedule {
  return {
    spec: readScheduleBody(body, 'shop'),
    isPaused: false,
    createdAtMs: 1_800_000_000_000,
    updatedAtMs: 1_800_000_000_001,
    expectedSinceMs: 1_800_000_000_000,
    cursorMs: 1_800_000_000_002,
    held: [],
    lastSkipped: 0,
    counts: { submitted: 0, skipped: 0, missed: 0 },
    leftOut: [],
    ...more,
  }
}

const slot = (hour: number) => ({
  key: `2027-01-15T${String(hour).padStart(2, '0')}:00:00+01:00`,
  dueMs: 1_800_000_000_000 + hour * 3_600_000,
})

describe.each(Object.entries(worlds))('schedules %s', (_, makeWorld) => {
  let world: World
  let store: ScheduleStore
  let id: ScheduleId

  beforeEach(async () => {
    world = await makeWorld()
    store = world.store
    id = { system: 'shop', name: `daily-${randomUUID().slice(0, 8)}` }
  })

  it('are read as they were saved, with all they have come to', async () => {
    expect(await store.read(id)).toEqual({ nowMs: expect.any(Number), revision: 0 })
    const schedule = scheduleOf(
      {
        every: '90m',
        tz: 'Europe/Berlin',
        dst: { gap: 'skip', overlap: 'both' },
        jitter: '30s',
        catchUp: { window: '2h', max: 3 },
        overlap: 'queue',
        startAt: '2026-11-22T08:00:00Z',
        endAt: '2027-01-01T00:00:00Z',
        job: {
          worker: 'hello',
          data: { a: [1, 'ä'] },
          attempts: 3,
          backoff: { type: 'fixed', delay: '1s' },
          timeout: '30s',
          priority: 1,
          deadline: '10m',
          ifExecutorDies: 'fail',
        },
        expect: { grace: '5m' },
      },
      {
        isPaused: true,
        next: slot(9),
        held: [slot(7), slot(8)],
        last: { ...slot(6), submittedAtMs: slot(6).dueMs + 12, submitted: 2, skipped: 1 },
        lastSkipped: 4,
        counts: { submitted: 5, skipped: 6, missed: 7 },
        leftOut: [
          { ...slot(4), why: 'missed' },
          { ...slot(5), why: 'skipped' },
        ],
      },
    )
    const revision = await store.save(id, 0, schedule, undefined)
    expect(await store.read(id)).toEqual({ nowMs: expect.any(Number), revision, schedule })
    const plain = scheduleOf()
    const later = await store.save(id, revision as number, plain, undefined)
    expect(await store.read(id)).toEqual({ nowMs: expect.any(Number), revision: later, schedule: plain })
  })

  it('are saved by one of a hundred who have read the same', async () => {
    const first = await store.save(id, 0, scheduleOf(), undefined)
    const saves = Array.from({ length: 100 }, (_, n) =>
      store.save(id, first as number, scheduleOf({ every: `${n + 1}s` }), undefined),
    )
    const winners = (await Promise.all(saves)).filter((revision) => revision !== undefined)
    expect(winners).toHaveLength(1)
    expect((await store.read(id)).revision).toBe(winners[0])
    expect(winners[0]).toBeGreaterThan(first as number)
  })

  it('are made by one of a hundred who saw none', async () => {
    const made = await Promise.all(
      Array.from({ length: 100 }, () => store.save(id, 0, scheduleOf(), undefined)),
    )
    expect(made.filter((revision) => revision !== undefined)).toHaveLength(1)
  })

  it('are gone once they are removed, and who read them before does not bring them back', async () => {
    const revision = (await store.save(id, 0, scheduleOf(), 5)) as number
    expect(await store.remove(id)).toBe(true)
    expect(await store.remove(id)).toBe(false)
    expect(await store.save(id, revision, scheduleOf(), 5)).toBeUndefined()
    expect(await store.read(id)).toMatchObject({ revision: 0 })
    expect((await store.late(0, 10)).wakes).toEqual([])
    expect(await store.count()).toBe(0)
    await world.passTime(1)
    const again = await store.save(id, 0, scheduleOf(), undefined)
    expect(again).toBeGreaterThan(revision)
  })

  it('are listed by system and name, page by page, and each once', async () => {
    const ids = [
      ['a', 'x'],
      ['a-b', 'a'],
      ['a', 'y'],
      ['a%', 'z'],
      ['B', 'ü'],
      ['a', 'x+y'],
    ].map(([system, name]) => ({ system, name }) as ScheduleId)
    for (const one of ids) await store.save(one, 0, scheduleOf(), undefined)
    const names: string[] = []
    let after: ScheduleId | undefined
    do {
      const page = await store.list({ limit: 2, ...(after && { after }) })
      expect(page.schedules.length).toBeLessThanOrEqual(2)
      names.push(...page.schedules.map(({ id: { system, name } }) => `${system}/${name}`))
      after = page.next
    } while (after)
    expect(names).toHaveLength(ids.length)
    expect(new Set(names).size).toBe(ids.length)
    expect(names.slice(0, 2)).toEqual(['B/ü', 'a/x'])
    expect(names.slice(-1)).toEqual(['a-b/a'])
    const ofA = await store.list({ system: 'a', limit: 10 })
    expect(ofA.schedules.map(({ id: { name } }) => name).sort()).toEqual(['x', 'x+y', 'y'])
    expect(ofA.next).toBeUndefined()
    expect(await store.list({ system: 'nobody', limit: 10 })).toMatchObject({ schedules: [] })
    expect(await store.count()).toBe(ids.length)
  })

  it('are late once the time to tick them has passed by so much, the longest overdue first', async () => {
    const { nowMs } = await store.read(id)
    const other = { system: 'shop', name: 'other' }
    const never = { system: 'shop', name: 'never' }
    const revision = (await store.save(id, 0, scheduleOf(), nowMs - 100)) as number
    await store.save(other, 0, scheduleOf(), nowMs - 200)
    await store.save(never, 0, scheduleOf(), undefined)
    const found = await store.late(100, 10)
    expect(found.wakes).toEqual([
      { id: other, atMs: nowMs - 200 },
      { id, atMs: nowMs - 100 },
    ])
    expect(found.nowMs).toBeGreaterThanOrEqual(nowMs)
    expect((await store.late(100, 1)).wakes).toHaveLength(1)
    expect((await store.late(60_000, 10)).wakes).toEqual([])
    await store.save(id, revision, scheduleOf(), undefined)
    expect((await store.late(0, 10)).wakes).toEqual([{ id: other, atMs: nowMs - 200 }])
  })

  it('can be looked through by when they want to be ticked', async () => {
    for (let n = 0; n < 5; n += 1)
      await store.save({ system: 's', name: `n${n}` }, 0, scheduleOf(), 1_000 + n)
    expect((await store.wakes(3, 10)).wakes).toEqual([
      { id: { system: 's', name: 'n3' }, atMs: 1_003 },
      { id: { system: 's', name: 'n4' }, atMs: 1_004 },
    ])
    expect((await store.wakes(0, 2)).wakes).toHaveLength(2)
    expect((await store.wakes(5, 10)).wakes).toEqual([])
  })

  it('are kept apart whatever their names', async () => {
    await fc.assert(
      fc.asyncProperty(anyIdentifier, anyIdentifier, async (system, name) => {
        const one = { system, name }
        const { revision } = await store.read(one)
        const schedule = scheduleOf({ every: '1h', job: { data: `${system} ${name}`, worker: 'w' } })
        await store.save(one, revision, schedule, 7)
        expect((await store.read(one)).schedule).toEqual(schedule)
        const listed = await store.list({ system, limit: 1_000 })
        expect(listed.schedules).toContainEqual({ id: one, schedule })
        await store.remove(one)
      }),
      { numRuns: 100 },
    )
  })
})
