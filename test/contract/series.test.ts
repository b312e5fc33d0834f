import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import {
  beginOf,
  HOUR_MS,
  MARKS_KEPT_MS,
  MINUTE_MS,
  MOST_MARKS,
  NOTHING_DONE,
  type WorkSum,
} from '../../src/core/fleet/series.ts'
import type { SeriesStore } from '../../src/core/fleet/series-ports.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { MemorySeries } from '../../src/store/series/memory-series.ts'
import { RedisSeries } from '../../src/store/series/redis-series.ts'
import { pause } from '../../src/waiting.ts'
import { startRedisClient } from '../support/redis-client.ts'

let client: RedisClient

beforeAll(async () => {
  client = await startRedisClient()
})

const worlds: Record<string, () => Promise<SeriesStore>> = {
  'in memory': async () => new MemorySeries(Date.now),
  'in Redis': async () => {
    await client.flushall()
    return new RedisSeries(client)
  },
}

const did = (done: number, more: Partial<WorkSum> = {}): WorkSum => ({
  ...NOTHING_DONE,
  done,
  minutes: 1,
  instances: 1,
  ran: new Map([[done, done]]),
  ...more,
})

describe.each(Object.entries(worlds))('series %s', (_, makeStore) => {
  let store: SeriesStore
  let minuteMs: number

  beforeEach(async () => {
    store = await makeStore()
    minuteMs = beginOf(await store.now(), MINUTE_MS)
  })

  const tell = (
    sum: WorkSum,
    { instance = 'a', worker = 'mailer', at = minuteMs, release = '', begins = false } = {},
  ) => store.tell({ minuteMs: at, worker, instance, release, sum, ...(begins && { begins }) })
  const read = async (unit: 'minute' | 'hour' = 'minute', worker = 'mailer') => {
    const { kept } = await store.read({
      worker,
      fromMs: minuteMs - 2 * HOUR_MS,
      toMs: minuteMs + HOUR_MS,
      marksFromMs: 0,
      unit,
    })
    return kept
  }

  it('has what each instance has told last of a minute, added up', async () => {
    expect((await tell(did(1))).isTaken).toBe(true)
    await tell(did(3))
    await tell(did(4), { instance: 'b' })
    await tell(did(9), { worker: 'report' })
    expect(await read()).toEqual(
      new Map([
        [
          minuteMs,
          [
            did(7, {
              instances: 2,
              ran: new Map([
                [3, 3],
                [4, 4],
              ]),
            }),
          ],
        ],
      ]),
    )
  })

  it('tells by hours also what is not put together yet', async () => {
    await tell(did(3))
    const hours = await read('hour')
    expect([...hours.keys()]).toEqual([beginOf(minuteMs, HOUR_MS)])
    expect([...hours.values()].flat()).toEqual([did(3)])
  })

  it('takes nothing of minutes that are closed, or are to come', async () => {
    expect((await tell(did(1), { at: minuteMs - 3 * MINUTE_MS })).isTaken).toBe(false)
    expect((await tell(did(1), { at: minuteMs + 3 * MINUTE_MS })).isTaken).toBe(false)
    expect(await read()).toEqual(new Map())
  })

  it('puts nothing together that can still be told of', async () => {
    await tell(did(1))
    expect(await store.fold()).toBe(0)
  })

  it('has marks of releases as they were first seen', async () => {
    await tell(did(1), { release: '41' })
    await tell(did(1), { release: '42', instance: 'b' })
    await tell(did(2), { release: '41' })
    const { marks } = await store.read({
      worker: 'mailer',
      fromMs: minuteMs,
      toMs: minuteMs + HOUR_MS,
      marksFromMs: minuteMs,
      unit: 'hour',
    })
    expect(marks.map(({ release }) => release)).toEqual(['41', '42'])
    const later = await store.read({
      worker: 'mailer',
      fromMs: 0,
      toMs: minuteMs - 1,
      marksFromMs: 0,
      unit: 'hour',
    })
    expect(later.marks).toEqual([])
  })

  it('has a mark more where a release begins again after another, as after a rollback', async () => {
    for (const [instance, release, begins] of [
      ['a', '41', true],
      ['b', '42', true],
      ['a', '41', false],
      ['c', '42', true],
      ['d', '41', true],
      ['e', '41', true],
    ] as const) {
      await tell(did(1), { instance, release, begins })
      await pause(2) // so that each has a time of its own
    }
    const { marks } = await store.read({
      worker: 'mailer',
      fromMs: minuteMs,
      toMs: minuteMs + HOUR_MS,
      marksFromMs: minuteMs,
      unit: 'hour',
    })
    expect(marks.map(({ release }) => release)).toEqual(['41', '42', '41'])
  })

  it('has what was said of a worker, and of all of them, at its moment', async () => {
    const actor = 'ops'
    await store.mark({ text: 'campaign begins', actor })
    await store.mark({ text: 'new index', worker: 'mailer', actor })
    await store.mark({ text: 'of another', worker: 'report', actor })
    // Twice is twice.
    const { atMs } = await store.mark({ text: 'campaign begins', actor })
    const query = { worker: 'mailer', fromMs: minuteMs, toMs: minuteMs + HOUR_MS, unit: 'minute' } as const
    const { said } = await store.read({ ...query, marksFromMs: minuteMs })
    expect(said.map(({ text }) => text)).toEqual(['campaign begins', 'new index', 'campaign begins'])
    expect(said.at(-1)).toEqual({ atMs, text: 'campaign begins', actor })
    expect((await store.read({ ...query, marksFromMs: atMs + 1 })).said).toEqual([])
  })
})

describe('series in Redis', () => {
  const FLEET = 'gone:{~fleet}:'

  it('keep the last 1,000 that were said, for 90 days', async () => {
    await client.flushall()
    const store = new RedisSeries(client)
    const nowMs = await store.now()
    const old = { text: 'old', actor: 'ops' }
    await client.zadd(`${FLEET}marks`, nowMs - MARKS_KEPT_MS - 1, `000000000001 ${JSON.stringify(old)}`)
    for (let n = 0; n <= MOST_MARKS; n += 1) await store.mark({ text: `mark ${n}`, actor: 'ops' })
    const query = { worker: 'mailer', fromMs: nowMs, toMs: nowMs + HOUR_MS, unit: 'hour' } as const
    const { said } = await store.read({ ...query, marksFromMs: 0 })
    expect(said).toHaveLength(MOST_MARKS)
    expect(said[0]?.text).toBe('mark 1')
    expect(await client.pttl(`${FLEET}marks`)).toBeGreaterThan(MARKS_KEPT_MS - 60_000)
  })

  let store: RedisSeries

  beforeEach(async () => {
    await client.flushall()
    store = new RedisSeries(client)
  })

  /** Has it told a while ago: the clock is Redis' own, which only real time moves. */
  async function age(minuteMs: number, minutes: number): Promise<number> {
    const atMs = minuteMs - minutes * MINUTE_MS
    await client.rename(`${FLEET}minute:mailer:${minuteMs}`, `${FLEET}minute:mailer:${atMs}`)
    await client.zrem(`${FLEET}open-minutes`, `mailer ${minuteMs}`)
    await client.zadd(`${FLEET}open-minutes`, atMs, `mailer ${atMs}`)
    return atMs
  }

  it('puts a closed minute together once, however many do it at once', async () => {
    const minuteMs = beginOf(await store.now(), MINUTE_MS)
    const minutes: number[] = []
    for (const ago of [5, 6, 7]) {
      for (const instance of ['a', 'b'])
        await store.tell({ minuteMs, worker: 'mailer', instance, release: '', sum: did(2) })
      minutes.push(await age(minuteMs, ago))
    }
    const query = {
      worker: 'mailer',
      fromMs: minuteMs - 2 * HOUR_MS,
      toMs: minuteMs,
      marksFromMs: 0,
    } as const
    const many = (kept: ReadonlyMap<number, readonly WorkSum[]>) =>
      [...kept.values()].flat().reduce((sum, { done }) => sum + done, 0)
    const counts: number[] = []
    const folding = Promise.all(
      Array.from({ length: 8 }, async () => {
        for (let turn = 0; turn < 10; turn++) await store.fold()
      }),
    )
    const reading = (async () => {
      for (let turn = 0; turn < 30; turn++)
        for (const unit of ['minute', 'hour'] as const)
          counts.push(many((await store.read({ ...query, unit })).kept))
    })()
    await Promise.all([folding, reading])
    expect(new Set(counts)).toEqual(new Set([12]))
    const { kept } = await store.read({ ...query, unit: 'minute' })
    expect([...kept.keys()].sort()).toEqual(minutes.sort())
    expect(kept.get(minutes[0] as number)?.[0]).toMatchObject({ done: 4, instances: 2, minutes: 1 })
    const hours = await store.read({ ...query, unit: 'hour' })
    expect([...hours.kept.values()].flat().reduce((sum, one) => sum + one.minutes, 0)).toBe(3)
    expect(await client.keys(`${FLEET}minute:*`)).toEqual([])
    expect(await client.zcard(`${FLEET}open-minutes`)).toBe(0)
  })

  it('adds to a minute that the clock of Redis has told twice', async () => {
    const minuteMs = beginOf(await store.now(), MINUTE_MS)
    for (let time = 0; time < 2; time++) {
      await store.tell({ minuteMs, worker: 'mailer', instance: 'a', release: '', sum: did(2) })
      await age(minuteMs, 5)
      expect(await store.fold()).toBe(1)
    }
    const { kept } = await store.read({
      worker: 'mailer',
      fromMs: 0,
      toMs: minuteMs,
      marksFromMs: 0,
      unit: 'minute',
    })
    expect([...kept.values()].flat().map(({ done }) => done)).toEqual([4])
  })

  it('lets go of all of it by itself', async () => {
    const minuteMs = beginOf(await store.now(), MINUTE_MS)
    await store.tell({ minuteMs, worker: 'mailer', instance: 'a', release: '41', sum: did(2) })
    await age(minuteMs, 5)
    await store.fold()
    await store.tell({ minuteMs, worker: 'mailer', instance: 'a', release: '41', sum: did(2) })
    const keys = await client.keys(`${FLEET}*`)
    const lasting = []
    for (const key of keys) if ((await client.ttl(key)) < 0) lasting.push(key)
    // It is empty once nobody tells anything.
    expect(lasting).toEqual([`${FLEET}open-minutes`])
  })
})
