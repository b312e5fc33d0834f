import { describe, expect, it } from 'vitest'
import type { Look, WatchProgress } from '../../src/core/alerts/alert-ports.ts'
import type { ExpectationTerms, SeenRound } from '../../src/core/alerts/expectation.ts'
import { lookAt, type SlotFacts, takeUp } from '../../src/core/alerts/look.ts'
import { DEFAULT_DST, Timetable } from '../../src/core/time/timetable.ts'

const S = 1_000
const START = Date.UTC(2026, 10, 22, 7)
const terms: ExpectationTerms = { graceMs: 2 * S }
const every = (seconds: number) => new Timetable({ everyMs: seconds * S, tz: 'UTC', dst: DEFAULT_DST })
const nothing: WatchProgress = { cursorMs: START, slots: [] }

/** One look at START + `at` seconds; `rounds` says what came for the slot due so many seconds after START. */
function look(
  from: WatchProgress,
  at: number,
  rounds: Readonly<Record<number, Partial<SeenRound>>> = {},
  timetable = every(10),
): Look {
  const nowMs = START + at * S
  const progress = takeUp(from, terms, timetable, nowMs)
  const facts = progress.slots.map((slot): SlotFacts => {
    const round = rounds[(slot.dueMs - START) / S]
    const seen: SeenRound = {
      round: slot.key,
      cameAtMs: slot.dueMs,
      state: 'completed',
      deadlineAtMs: slot.dueMs + 60 * S,
    }
    return round ? { round: { ...seen, ...round } } : {}
  })
  return lookAt(progress, terms, timetable, facts, nowMs)
}

const said = ({ news }: Look) =>
  news.map((one) => [one.kind === 'bad' ? one.alert : one.kind, one.slot.slice(17, 19)])

describe('a watch', () => {
  it('takes each slot up once', () => {
    const first = look(nothing, 25)
    expect(said(first)).toEqual([
      ['missed', '10'],
      ['missed', '20'],
    ])
    const second = look(first.progress, 25.5)
    expect(said(second)).toEqual([])
    expect(said(look(second.progress, 33))).toEqual([['missed', '30']])
  })

  it('says that a slot is good when its round is completed, once', () => {
    const led = look(nothing, 11, { 10: { state: 'led' } })
    expect(said(led)).toEqual([])
    expect(led.progress.slots).toHaveLength(1)
    const done = look(led.progress, 12, { 10: {} })
    expect(said(done)).toEqual([['good', '10']])
    expect(done.progress.slots).toEqual([])
  })

  it('says that a missed round has come after all, and is late', () => {
    const missed = look(nothing, 13)
    const late = look(missed.progress, 15, { 10: { cameAtMs: START + 14 * S, state: 'led' } })
    expect(said(late)).toEqual([
      ['came', '10'],
      ['late', '10'],
    ])
    const done = look(late.progress, 16, { 10: { cameAtMs: START + 14 * S } })
    expect(said(done)).toEqual([])
    expect(done.progress.slots).toEqual([])
  })

  it('says what is wrong with a slot once', () => {
    const failed = look(nothing, 11, { 10: { state: 'failed' } })
    expect(said(failed)).toEqual([['failed', '10']])
    expect(failed.progress.slots).toEqual([])
  })

  it('lets a slot go whose record has ended', () => {
    const led = look(nothing, 11, { 10: { state: 'led' } })
    const gone = look(led.progress, 40)
    expect(said(gone).filter(([, second]) => second === '10')).toEqual([])
  })

  it('looks again when the next slot is due, and when one that is followed may have changed', () => {
    expect(look(nothing, 5).nextLookMs).toBe(START + 11 * S)
    expect(look(nothing, 10.5).nextLookMs).toBe(START + 11.5 * S)
    expect(look(nothing, 11.5, { 10: {} }).nextLookMs).toBe(START + 21 * S)
  })

  it('is done in many looks where many slots have come, and forgets none', () => {
    let progress = nothing
    const seen: string[] = []
    for (let looks = 0; looks < 100; looks += 1) {
      const found = look(progress, 3_600, {}, every(1))
      progress = found.progress
      seen.push(...found.news.map((one) => one.slot))
      if (found.nextLookMs > START + 3_600 * S) break
    }
    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.length).toBeGreaterThanOrEqual(3_598)
    expect(progress.cursorMs).toBe(START + 3_600 * S)
  })

  it('follows a bounded number of slots, the oldest, and judges all others when their grace is over', () => {
    let progress = nothing
    let missed = 0
    const all = Object.fromEntries(
      Array.from({ length: 1_000 }, (_, n) => [
        n,
        { state: 'led' as const, deadlineAtMs: START + 9_999 * S },
      ]),
    )
    for (let at = 1; at < 500; at += 1) {
      // From the 400th on nobody comes.
      const rounds = Object.fromEntries(Object.entries(all).filter(([n]) => Number(n) < 400))
      const found = look(progress, at, rounds, every(1))
      missed += found.news.filter((one) => one.kind === 'bad').length
      progress = found.progress
      expect(progress.slots.length).toBeLessThanOrEqual(200)
    }
    expect(progress.slots[0]?.dueMs).toBe(START + 1 * S)
    expect(missed).toBe(98)
  })
})
