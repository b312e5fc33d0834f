import { describe, expect, it } from 'vitest'
import { type EndedLife, isSettled, livesToKeep, restartAfter } from '../../src/core/fleet/restart.ts'

/** Lives that were so many seconds long, one after the other. */
function lives(...seconds: readonly number[]): readonly EndedLife[] {
  let atMs = 1_000
  return seconds.map((length) => {
    const startedAtMs = atMs
    atMs += length * 1_000
    return { startedAtMs, endedAtMs: atMs }
  })
}

const MIDDLE = 0.5

describe('an instance is started again', () => {
  it.each([
    ['at once after a life of a minute', [60], 0],
    ['at once the first time that it died sooner', [59], 0],
    ['after a second the second time', [5, 5], 1_000],
    ['after two the third time', [5, 5, 5], 2_000],
    ['after four the fourth time', [5, 5, 5, 5], 4_000],
    ['at once after a long life, whatever was before', [5, 5, 5, 60], 0],
    ['by all its short lives, also with a long one between them', [5, 5, 60, 5], 2_000],
    ['as if for the first time where the others are 10 min ago', [5, 5, 700, 5], 0],
  ])('%s', (_, seconds, pauseMs) => {
    expect(restartAfter(lives(...seconds), MIDDLE)).toEqual({ pauseMs, isCrashLooping: false })
  })

  it('give or take a quarter', () => {
    expect(restartAfter(lives(1, 1), 0).pauseMs).toBe(750)
    expect(restartAfter(lives(1, 1), 1).pauseMs).toBe(1_250)
  })

  it('five minutes later once five died within ten', () => {
    const crashing = { pauseMs: 300_000, isCrashLooping: true }
    expect(restartAfter(lives(1, 1, 1, 1, 1), MIDDLE)).toEqual(crashing)
    expect(restartAfter(lives(59, 59, 59, 59, 59), MIDDLE)).toEqual(crashing)
    expect(restartAfter(lives(1, 1, 100, 1, 1, 1), MIDDLE)).toEqual(crashing)
  })

  it('and no more is remembered than decides', () => {
    expect(livesToKeep(lives(1, 2, 3, 4, 5, 6, 7))).toHaveLength(5)
  })
})

it('is settled after a minute', () => {
  expect(isSettled(0, 59_999)).toBe(false)
  expect(isSettled(0, 60_000)).toBe(true)
})
