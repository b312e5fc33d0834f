import { beforeEach, expect, it, vi } from 'vitest'
import { Calm } from '../../src/service/calm.ts'
import { Loop } from '../../src/service/loop.ts'

let nowMs: number
let calm: Calm

beforeEach(() => {
  nowMs = 0
  calm = new Calm(() => nowMs)
})

/** What the store says, once a second for so long. */
function hear(isWanted: boolean, seconds: number): void {
  for (let n = 0; n < seconds; n += 1) {
    nowMs += 1_000
    calm.heard(isWanted)
  }
}

it('comes once nothing was wanted for 15 s, and ends as soon as something is', () => {
  expect(calm.isNow).toBe(false)
  hear(false, 15)
  expect(calm.isNow).toBe(false)
  hear(false, 1)
  expect(calm.isNow).toBe(true)
  hear(true, 1)
  expect(calm.isNow).toBe(false)
  hear(false, 15)
  expect(calm.isNow).toBe(true)
})

it('ends with a request at once, and does not come back while there are some', () => {
  hear(false, 16)
  calm.end()
  expect(calm.isNow).toBe(false)
  for (let n = 0; n < 30; n += 1) {
    hear(false, 1)
    calm.end()
  }
  expect(calm.isNow).toBe(false)
})

it('tells followers each change, until they leave', () => {
  const told: boolean[] = []
  const leave = calm.follow((isCalm) => told.push(isCalm))
  hear(false, 20)
  calm.end()
  calm.end()
  leave()
  hear(false, 20)
  expect(told).toEqual([true, false])
})

it('lets loops rest from the end of a turn on, and has each work once it is over', async () => {
  const turns = vi.fn(async () => undefined)
  const loop = new Loop({ everyMs: 1, work: turns, putOff: expect.unreachable })
  hear(false, 16)
  loop.start(calm)
  await vi.waitFor(() => expect(turns).toHaveBeenCalledTimes(1))
  await new Promise((resolve) => setTimeout(resolve, 30))
  expect(turns).toHaveBeenCalledTimes(1)
  calm.end()
  await vi.waitFor(() => expect(turns.mock.calls.length).toBeGreaterThan(3))
  await loop.stop()
})

it('does not keep a loop that rests from its end', async () => {
  hear(false, 16)
  const loop = new Loop({ everyMs: 1, work: async () => undefined, putOff: expect.unreachable })
  loop.start(calm)
  await new Promise((resolve) => setTimeout(resolve, 10))
  await loop.stop()
})
