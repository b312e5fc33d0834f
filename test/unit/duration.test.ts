import { expect, it } from 'vitest'
import { formatDuration, parseDuration } from '../../src/core/time/duration.ts'

it.each([
  ['500ms', 500],
  ['30s', 30_000],
  ['10m', 600_000],
  ['60min', 3_600_000],
  ['1h', 3_600_000],
  ['30d', 2_592_000_000],
  ['0', 0],
])('%s is %i ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

it.each(['', '5', '1.5s', '-1s', ' 1s', '1 s', '1S', '1w', '1e3s', '9999999999s'])(
  '%j is no duration',
  (text) => {
    expect(parseDuration(text)).toBeUndefined()
  },
)

it.each([
  [3_600_000, '60 min'],
  [600_000, '10 min'],
  [90_000, '90 s'],
  [1_500, '1500 ms'],
  [604_800_000, '7 d'],
  [0, '0 ms'],
])('%i ms is written %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})
