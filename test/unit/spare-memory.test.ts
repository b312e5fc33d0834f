import { getHeapSpaceStatistics } from 'node:v8'
import { expect, it } from 'vitest'
import { giveBack } from '../../src/app/spare-memory.ts'

const MANY = 400_000

/** The room that new objects have, in bytes. */
function roomBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')?.space_size ?? 0
}

/** What outlives a few collections of what is new, so that the room for it grows. */
function makeMany(): number {
  const made = Array.from({ length: MANY }, (_, index) => ({ index, text: String(index) }))
  return made.length
}

it('gives back the room that new objects had, not only what is dead in it', async () => {
  expect(makeMany()).toBe(MANY)
  const before = roomBytes()
  await giveBack()
  expect(before).toBeGreaterThanOrEqual(4 * 1_024 * 1_024)
  expect(roomBytes()).toBeLessThanOrEqual(before / 2)
})
