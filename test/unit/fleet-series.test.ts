import { expect, it } from 'vitest'
import {
  count,
  histogramOf,
  histogramText,
  mergeHistograms,
  percentile,
} from '../../src/core/fleet/histogram.ts'
import {
  bySteps,
  HOUR_MS,
  inTurn,
  MINUTE_MS,
  NOTHING_DONE,
  sumOf,
  sumText,
  together,
  type WorkSum,
} from '../../src/core/fleet/series.ts'
import type { MinuteReport } from '../../src/core/fleet/series-ports.ts'
import { planSeries, seriesJson } from '../../src/core/fleet/series-wire.ts'
import { WorkSeries } from '../../src/service/fleet/work-series.ts'
import { MemorySeries } from '../../src/store/series/memory-series.ts'
import { silentLog } from '../support/log.ts'

/** Numbers that look random, the same each time. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

function histogram(values: readonly number[]) {
  const counted = new Map<number, number>()
  for (const value of values) count(counted, value)
  return counted
}

it.each([0.5, 0.95, 0.99])('tells a percentile, off by a tenth at most: %f', (share) => {
  for (let seed = 1; seed <= 50; seed++) {
    const random = numbers(seed)
    const scale = 10 ** (random() * 6 - 1)
    const values = Array.from({ length: 2_000 }, () => -Math.log(1 - random()) * scale)
    const sorted = [...values].sort((a, b) => a - b)
    const exact = sorted[Math.ceil(share * sorted.length) - 1] as number
    const told = percentile(histogram(values), share) as number
    expect(Math.abs(told / exact - 1), `seed ${seed}: ${told} for ${exact}`).toBeLessThan(0.1)
  }
})

it('tells the same of values however they are spread over instances', () => {
  const random = numbers(7)
  const values = Array.from({ length: 999 }, () => random() * 5_000)
  const parts = [0, 1, 2].map((part) => histogram(values.filter((_, index) => index % 3 === part)))
  expect(new Map([...mergeHistograms(parts)].sort())).toEqual(new Map([...histogram(values)].sort()))
})

it('tells nothing of no values, and takes the shortest and the longest', () => {
  expect(percentile(new Map(), 0.5)).toBeUndefined()
  expect(percentile(histogram([0]), 0.99)).toBeLessThanOrEqual(0.012)
  expect(percentile(histogram([1e12]), 0.99)).toBeLessThan(2 * 86_400_000)
})

it('writes and reads a sum', () => {
  const sum = {
    ...NOTHING_DONE,
    done: 3,
    failed: 1,
    minutes: 1,
    instances: 2,
    cpuMs: 7,
    upMs: 9,
    rssBytes: 2 ** 40,
  }
  const full = { ...sum, waited: histogram([1, 5, 5]), ran: histogram([100]) }
  expect(sumOf(sumText(full))).toEqual(full)
  expect(sumOf(sumText(sum))).toEqual(sum)
  expect(histogramOf(histogramText(full.waited))).toEqual(full.waited)
})

const oneMinute: WorkSum = {
  ...NOTHING_DONE,
  done: 2,
  minutes: 1,
  instances: 1,
  cpuMs: 30_000,
  upMs: 60_000,
  rssBytes: 100,
}

it('adds up instances of a minute, and takes the mean of minutes', () => {
  const minute = together([oneMinute, oneMinute])
  expect(minute).toMatchObject({ done: 4, minutes: 1, instances: 2 })
  expect(inTurn([minute, oneMinute])).toMatchObject({ done: 6, minutes: 2, instances: 3 })
  const plan = planSeries({ worker: 'mailer', stepMs: 2 * MINUTE_MS }, HOUR_MS)
  const kept = new Map([
    [0, [minute]],
    [MINUTE_MS, [oneMinute]],
    [4 * MINUTE_MS, [oneMinute]],
  ])
  const { points } = seriesJson(plan, { nowMs: HOUR_MS, kept, marks: [], said: [] })
  expect(points).toEqual([
    { at: '1970-01-01T00:00:00.000Z', done: 6, failed: 0, instances: 1.5, cpuPercent: 75, rssBytes: 150 },
    { at: '1970-01-01T00:04:00.000Z', done: 2, failed: 0, instances: 1, cpuPercent: 50, rssBytes: 100 },
  ])
  expect(bySteps(kept, HOUR_MS)).toHaveLength(1)
})

it('takes steps that are kept, and as many as a graph shows', () => {
  const nowMs = 100 * 86_400_000
  const ago = (ms: number) => planSeries({ worker: 'a', fromMs: nowMs - ms }, nowMs)
  expect(planSeries({ worker: 'a' }, nowMs)).toMatchObject({ stepMs: MINUTE_MS, unit: 'minute' })
  expect(planSeries({ worker: 'a' }, nowMs).fromMs).toBe(nowMs - HOUR_MS)
  expect(ago(24 * HOUR_MS)).toMatchObject({ stepMs: 5 * MINUTE_MS, unit: 'minute' })
  expect(ago(30 * 24 * HOUR_MS)).toMatchObject({ stepMs: HOUR_MS, unit: 'hour' })
  expect(ago(90 * 24 * HOUR_MS).fromMs).toBe(nowMs - 30 * 24 * HOUR_MS)
})

it('counts by minutes of the clock of the store, also before it knows that', async () => {
  let ownMs = 5
  const store = new MemorySeries(() => 600_000 + ownMs)
  const told: MinuteReport[] = []
  const series = new WorkSeries({
    store: {
      now: () => store.now(),
      tell: (report) => {
        told.push(report)
        return store.tell(report)
      },
    },
    id: 'a',
    release: '41',
    workers: ['mailer'],
    totals: () => ({ cpuMs: ownMs / 2, rssBytes: 100 }),
    log: silentLog,
    nowMs: () => ownMs,
  })
  series.ended('mailer', 'done', 20)
  series.waited('mailer', 3)
  await tell(series)
  ownMs += MINUTE_MS
  series.ended('mailer', 'failed', 30)
  series.ended('report', 'done')
  await tell(series)
  const { kept, marks } = await store.read({
    worker: 'mailer',
    fromMs: 0,
    toMs: 1e9,
    marksFromMs: 0,
    unit: 'minute',
  })
  expect([...kept].map(([atMs, [sum]]) => [atMs, sum?.done, sum?.failed, sum?.instances])).toEqual([
    [600_000, 1, 0, 1],
    [660_000, 0, 1, 1],
  ])
  expect(marks).toEqual([{ release: '41', atMs: 600_005 }])
  const others = await store.read({ worker: 'report', fromMs: 0, toMs: 1e9, marksFromMs: 0, unit: 'minute' })
  expect([...others.kept.values()].flat()).toEqual([{ ...NOTHING_DONE, done: 1, minutes: 1 }])
  // What has not changed is not told again.
  const before = told.length
  await series.stop()
  expect(told.length - before).toBe(0)
})

it('keeps what could not be told, and drops what is too late', async () => {
  let ownMs = 0
  let isAway = false
  const store = new MemorySeries(() => 600_000 + ownMs)
  const series = new WorkSeries({
    store: {
      now: () => store.now(),
      tell: (report) => (isAway ? Promise.reject(new Error('away')) : store.tell(report)),
    },
    id: 'a',
    release: '',
    workers: [],
    totals: () => ({ cpuMs: 0, rssBytes: 0 }),
    log: silentLog,
    nowMs: () => ownMs,
  })
  await tell(series)
  isAway = true
  series.ended('mailer', 'done', 1)
  await tell(series).catch(() => undefined)
  ownMs += 2 * MINUTE_MS
  series.ended('mailer', 'done', 1)
  isAway = false
  await tell(series)
  isAway = true
  series.ended('mailer', 'done', 1)
  ownMs += 10 * MINUTE_MS
  isAway = false
  await series.stop()
  const { kept } = await store.read({
    worker: 'mailer',
    fromMs: 0,
    toMs: 1e9,
    marksFromMs: 0,
    unit: 'minute',
  })
  expect([...kept].map(([atMs, [sum]]) => [atMs, sum?.done])).toEqual([
    [600_000, 1],
    [720_000, 1],
  ])
})

/** What its loop does each 15 s. */
function tell(series: WorkSeries): Promise<void> {
  return (series as unknown as { tell(): Promise<void> }).tell()
}
