import { describe, expect, it } from 'vitest'
import type { AlertKind } from '../../src/core/alerts/alert.ts'
import {
  type ExpectationTerms,
  type FollowedSlot,
  judgeSlot,
  nextLookMs,
  roundOfSlot,
  type SeenRound,
} from '../../src/core/alerts/expectation.ts'

const S = 1_000
const MIN = 60 * S
const DUE = Date.UTC(2026, 10, 22, 7)
const slot: FollowedSlot = {
  key: '2026-11-22T08:00:00+01:00',
  dueMs: DUE,
  beginMs: DUE - 30 * S,
  endMs: DUE + 60 * MIN - 30 * S,
  found: [],
}
const terms: ExpectationTerms = { graceMs: 5 * MIN }
const strict: ExpectationTerms = { ...terms, lateMs: 30 * S, replicas: 3 }

/** A round that came `afterMs` after the slot, with a deadline 10 min later. */
function came(afterMs: number, state: SeenRound['state'], more: Partial<SeenRound> = {}): SeenRound {
  return { round: 'r', cameAtMs: DUE + afterMs, state, deadlineAtMs: DUE + afterMs + 10 * MIN, ...more }
}

describe('a slot', () => {
  const cases: readonly {
    readonly it: string
    readonly at: number
    readonly round?: SeenRound
    readonly candidates?: number
    readonly terms?: ExpectationTerms
    readonly slot?: Partial<FollowedSlot>
    readonly is: 'good' | 'pending' | readonly AlertKind[]
    readonly over?: boolean
  }[] = [
    { it: 'waits for its round', at: 0, is: 'pending' },
    { it: 'waits for its round until the grace ends', at: 5 * MIN - 1, is: 'pending' },
    { it: 'is missed when the grace is over', at: 5 * MIN, is: ['missed'], over: false },
    { it: 'is missed for good when the next slot begins', at: 60 * MIN - 30 * S, is: ['missed'], over: true },
    {
      it: 'is missed for good when its grace ends after the next slot begins',
      at: 90 * MIN,
      terms: { graceMs: 90 * MIN },
      is: ['missed'],
      over: true,
    },
    { it: 'is good once its round is completed', at: 1 * S, round: came(0, 'completed'), is: 'good' },
    { it: 'is good if the round came a little early', at: 0, round: came(-20 * S, 'completed'), is: 'good' },
    { it: 'waits for a round that is led', at: 6 * MIN, round: came(0, 'led'), is: 'pending' },
    { it: 'waits for a round that is submitted', at: 6 * MIN, round: came(0, 'submitted'), is: 'pending' },
    {
      it: 'is good at the very end of the grace',
      at: 6 * MIN,
      round: came(5 * MIN, 'completed'),
      is: 'good',
    },
    {
      it: 'is late after the grace',
      at: 6 * MIN,
      round: came(5 * MIN + 1, 'completed'),
      is: ['late'],
      over: true,
    },
    {
      it: 'is late after `late`',
      at: 6 * MIN,
      terms: { ...terms, lateMs: 30 * S },
      round: came(31 * S, 'completed'),
      is: ['late'],
      over: true,
    },
    {
      it: 'is late before its round ends',
      at: 6 * MIN,
      round: came(6 * MIN, 'led'),
      is: ['late'],
      over: false,
    },
    {
      it: 'is not late by a takeover',
      at: 7 * MIN,
      round: came(6 * MIN, 'completed'),
      slot: { round: 'r', cameAtMs: DUE },
      is: 'good',
    },
    {
      it: 'is failed',
      at: 1 * S,
      round: came(0, 'failed', { reason: 'disk full' }),
      is: ['failed'],
      over: true,
    },
    {
      it: 'is late and failed',
      at: 6 * MIN,
      round: came(6 * MIN, 'failed'),
      is: ['late', 'failed'],
      over: true,
    },
    {
      it: 'is unreported at the deadline',
      at: 10 * MIN,
      round: came(0, 'overdue'),
      is: ['unreported'],
      over: true,
    },
    { it: 'is not unreported before the deadline', at: 10 * MIN - 1, round: came(0, 'led'), is: 'pending' },
    {
      it: 'is unreported if no worker starts it',
      at: 10 * MIN,
      round: came(0, 'submitted'),
      is: ['unreported'],
      over: true,
    },
    {
      it: 'waits for candidates until the grace ends',
      at: 4 * MIN,
      terms: strict,
      round: came(0, 'completed'),
      candidates: 2,
      is: 'pending',
    },
    {
      it: 'has too few candidates',
      at: 5 * MIN,
      terms: strict,
      round: came(0, 'completed'),
      candidates: 2,
      is: ['few-candidates'],
      over: true,
    },
    {
      it: 'has enough candidates',
      at: 5 * MIN,
      terms: strict,
      round: came(0, 'completed'),
      candidates: 3,
      is: 'good',
    },
    {
      it: 'is good where candidates could not be counted',
      at: 5 * MIN,
      terms: strict,
      round: came(0, 'completed'),
      is: 'good',
    },
    {
      it: 'has too few candidates and failed',
      at: 5 * MIN,
      terms: strict,
      round: came(0, 'failed'),
      candidates: 1,
      is: ['few-candidates', 'failed'],
      over: true,
    },
    {
      it: 'has failed before its candidates are counted',
      at: 1 * MIN,
      terms: strict,
      round: came(0, 'failed'),
      candidates: 1,
      is: ['failed'],
      over: false,
    },
    {
      it: 'is late and not thin where nobody came in time',
      at: 6 * MIN,
      terms: strict,
      round: came(6 * MIN, 'completed'),
      candidates: 1,
      is: ['late'],
      over: true,
    },
    {
      it: 'is missed and not thin where nobody came',
      at: 6 * MIN,
      terms: strict,
      is: ['missed'],
      over: false,
    },
  ]

  it.each(cases)('$it', ({ at, round, candidates, is, over, ...more }) => {
    const seen = { ...(round && { round }), ...(candidates !== undefined && { candidates }) }
    const judged = judgeSlot({ ...slot, ...more.slot }, more.terms ?? terms, seen, DUE + at)
    const isOver = over ?? is === 'good'
    expect({ kinds: judged.findings.map(({ kind }) => kind), isOver: judged.isOver }).toEqual({
      kinds: typeof is === 'string' ? [] : is,
      isOver,
    })
  })

  it('says what is wrong with it in words', () => {
    const words = (round: SeenRound | undefined, candidates: number, at: number) =>
      judgeSlot(slot, strict, { candidates, ...(round && { round }) }, DUE + at).findings.map(
        ({ detail }) => detail,
      )
    expect(words(undefined, 0, 6 * MIN)).toEqual(['no round came within 5 min'])
    expect(words(came(90 * S, 'failed', { reason: 'disk full' }), 2, 5 * MIN)).toEqual([
      'came 90 s after its slot, 30 s are allowed',
      '2 of 3 candidates asked for it',
      'disk full',
    ])
  })
})

describe('a reason', () => {
  it('is cut, and never within a character', () => {
    const reason = `${'x'.repeat(499)}😀`
    const [failed] = judgeSlot(slot, terms, { round: came(0, 'failed', { reason }) }, DUE).findings
    expect(failed?.detail).toBe(`${'x'.repeat(499)}\ufffd`)
  })
})

describe("a slot's round", () => {
  const named = (round: string, afterMs = 0, state: SeenRound['state'] = 'led') =>
    came(afterMs, state, { round })
  const chosen = (rounds: readonly SeenRound[], more: Partial<FollowedSlot> = {}) =>
    roundOfSlot({ ...slot, ...more }, rounds)?.round

  it('is the first that came about its time', () => {
    expect(chosen([named('b', 5 * S), named('a', 2 * S)])).toBe('a')
    expect(chosen([named('before', -31 * S), named('after', 60 * MIN)])).toBeUndefined()
  })

  it('is the one named after it, whoever came first', () => {
    expect(chosen([named('a'), named('report@2026-11-22T08:00:00+01:00', 9 * S)])).toBe(
      'report@2026-11-22T08:00:00+01:00',
    )
    expect(chosen([named('2026-11-22T07:00:00Z', 9 * S)])).toBe('2026-11-22T07:00:00Z')
  })

  it('is not one named after another slot', () => {
    expect(chosen([named('2026-11-22T07:00:00+01:00')])).toBeUndefined()
  })

  it('comes after the next slot has begun if it is named after this one', () => {
    expect(chosen([named('2026-11-22T08:00:00+01:00', 61 * MIN)])).toBe('2026-11-22T08:00:00+01:00')
  })

  it('stays the one that was seen, unless it went wrong and another was completed', () => {
    const other = named('other', 1 * S, 'completed')
    expect(chosen([other, named('mine', 5 * S)], { round: 'mine' })).toBe('mine')
    expect(chosen([other, named('mine', 5 * S, 'failed')], { round: 'mine' })).toBe('other')
  })
})

describe('the next look', () => {
  const next = (at: number, round?: SeenRound) => nextLookMs(slot, terms, round, DUE + at) - DUE
  it('comes sooner for a young slot, and at each turn of its own', () => {
    expect(next(0)).toBe(1 * S)
    expect(next(10 * S)).toBe(15 * S)
    expect(next(4.9 * MIN)).toBe(5 * MIN)
    expect(next(20 * MIN)).toBe(20.5 * MIN)
    expect(next(10 * MIN - 1 * S, came(0, 'led'))).toBe(10 * MIN)
  })
})
