import { expect, it } from 'vitest'
import { LOG_BYTES, LOG_LINES, MAX_LOG_LINE } from '../../src/core/fleet/instance-log.ts'
import { LogTail } from '../../src/service/fleet/log-tail.ts'

const ALL = { lines: 10_000, bytes: 10_000_000 }

function tailOf(lines: readonly string[]): LogTail {
  const tail = new LogTail(() => 7)
  for (const line of lines) tail.add(line, false)
  return tail
}

it('gives lines from a number on, as many as are wanted', () => {
  const tail = tailOf(['a', 'b', 'c', 'd'])
  expect(tail.from(2, ALL).map(({ number, text }) => [number, text])).toEqual([
    [2, 'b'],
    [3, 'c'],
    [4, 'd'],
  ])
  expect(tail.from(1, { lines: 2, bytes: 100 }).map(({ text }) => text)).toEqual(['a', 'b'])
  expect(tail.from(1, { lines: 9, bytes: 3 }).map(({ text }) => text)).toEqual(['a', 'b', 'c'])
  // One that is longer than that is not in the way of the others for ever.
  expect(
    tailOf(['long', 'b'])
      .from(1, { lines: 9, bytes: 2 })
      .map(({ text }) => text),
  ).toEqual(['long'])
  expect(tail.from(5, ALL)).toEqual([])
  expect(tail.last(2).map(({ text }) => text)).toEqual(['c', 'd'])
})

it('forgets the oldest lines, and counts on', () => {
  const tail = tailOf(Array.from({ length: 5_000 }, (_, n) => `line ${n + 1}`))
  const kept = tail.from(1, ALL)
  expect(kept).toHaveLength(LOG_LINES)
  expect(kept.at(-1)).toMatchObject({ number: 5_000, text: 'line 5000' })
  expect(kept[0]?.number).toBe(5_000 - LOG_LINES + 1)
  expect(tail.printed).toBe(5_000)
})

it('keeps so many bytes, and cuts a line that is too long', () => {
  const tail = tailOf(Array.from({ length: 500 }, () => 'x'.repeat(10_000)))
  const kept = tail.from(1, ALL)
  expect(kept).toHaveLength(LOG_BYTES / MAX_LOG_LINE)
  expect(kept.every(({ text }) => text.length === MAX_LOG_LINE)).toBe(true)
})
