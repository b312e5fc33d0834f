import { expect, it } from 'vitest'
import type { ListedRound } from '../../src/core/rounds/round-ports.ts'
import { tallyOf } from '../../src/core/rounds/tally.ts'
import { Tally } from '../../src/service/rounds/tally.ts'

const NOW = Date.parse('2026-11-26T12:00:30Z')
const MINUTE = 60_000

function round(cameMs: number, more: Partial<ListedRound> = {}): ListedRound {
  return {
    id: { system: 'cleaner', round: String(cameMs) },
    mark: { atMs: cameMs, number: 0, system: 'cleaner' },
    record: { leader: '10.0.0.7:1', identity: 'a', fence: 1, electedAtMs: cameMs, deadlineMs: 3_600_000 },
    ...more,
  }
}

function ended(cameMs: number, tookMs: number, outcome: 'completed' | 'failed'): ListedRound {
  const listed = round(cameMs)
  const completion = { outcome, by: '10.0.0.7:1', atMs: cameMs + tookMs, detail: '' }
  return { ...listed, ...(listed.record && { record: { ...listed.record, completion } }) }
}

const tally = (rounds: readonly ListedRound[], hasMore = false) => {
  const untilMs = rounds.at(-1)?.mark.atMs
  return tallyOf({
    rounds,
    looked: { entries: rounds.length, ...(untilMs !== undefined && { untilMs }) },
    hasMore,
    nowMs: NOW,
  })
}

it('counts rounds by state, and those of the last hour by the minute in which they came', () => {
  const found = tally([
    round(NOW - 1_000),
    ended(NOW - MINUTE, 4_000, 'completed'),
    ended(NOW - MINUTE, 2_000, 'failed'),
    round(NOW - 2 * 3_600_000),
  ])
  expect(found.counts).toEqual({ submitted: 0, open: 0, led: 1, overdue: 1, completed: 1, failed: 1 })
  expect(found.newest.failed.map(({ state, round }) => [state, round])).toEqual([
    ['failed', String(NOW - MINUTE)],
  ])
  expect(
    [found.newest.led, found.newest.overdue, found.newest.submitted].map(({ length }) => length),
  ).toEqual([1, 1, 0])
  expect(found.minutes).toHaveLength(60)
  expect(found.minutes.slice(-2)).toEqual([
    { at: '2026-11-26T11:59:00.000Z', came: 2, failed: 1 },
    { at: '2026-11-26T12:00:00.000Z', came: 1, failed: 0 },
  ])
  expect(found.minutes.reduce((sum, { came }) => sum + came, 0)).toBe(3)
  expect(found.took).toEqual({ p50Ms: 4_000, p99Ms: 4_000 })
  expect(found.waited).toBeUndefined()
})

it('tells no minute of which it has not seen all', () => {
  const found = tally([round(NOW - 1_000), round(NOW - 5 * MINUTE - 1_000)], true)
  expect(found.minutes.map(({ at }) => at.slice(11, 16))).toEqual([
    '11:56',
    '11:57',
    '11:58',
    '11:59',
    '12:00',
  ])
  expect(found.minutes.reduce((sum, { came }) => sum + came, 0)).toBe(1)
})

it('tells how long jobs waited, never less than nothing', () => {
  const submission = { queue: 'mailer', submittedAtMs: NOW - 5_000, digest: '', runTerms: {} }
  const early = { ...submission, submittedAtMs: NOW }
  expect(tally([round(NOW - 4_000, { submission })]).waited).toEqual({ p50Ms: 1_000, p99Ms: 1_000 })
  expect(tally([round(NOW - 4_000, { submission: early })]).waited).toEqual({ p50Ms: 0, p99Ms: 0 })
})

it('has nothing to tell where there is no round', () => {
  const found = tally([])
  expect(found.counts).toEqual({ submitted: 0, open: 0, led: 0, overdue: 0, completed: 0, failed: 0 })
  expect([found.took, found.waited, found.looked]).toEqual([undefined, undefined, { entries: 0 }])
})

it('counts those that are overdue where they are not among the newest any more', async () => {
  const untilMs = NOW - 1_000
  const answered = (isLast: boolean) =>
    new Tally({
      reader: {
        history: async () => ({
          rounds: [round(untilMs)],
          nowMs: NOW,
          looked: { entries: 1, untilMs },
          ...(!isLast && { next: { atMs: untilMs, number: 0, system: 'cleaner' } }),
        }),
      },
      records: { overdueCount: async () => 7 },
      nowMs: () => 0,
    })
  const overdue = async (isLast: boolean, filter = {}) => (await answered(isLast).of(filter)).counts.overdue
  expect(await overdue(false)).toBe(7)
  // All were looked at, or others were asked for.
  expect([await overdue(true), await overdue(false, { system: 'cleaner' })]).toEqual([0, 0])
})
