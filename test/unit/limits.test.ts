import { expect, it } from 'vitest'
import { heapMib, judgeUse, type Use } from '../../src/core/fleet/limits.ts'

const MIB = 1_048_576
const use = (more: Partial<Use> = {}): Use => ({
  baseBytes: 80 * MIB,
  rssBytes: 80 * MIB,
  ageMs: 0,
  jobs: 0,
  ...more,
})
const memoryBytes = 200 * MIB

it.each([
  ['lets it be below four fifths', { memoryBytes }, { rssBytes: 159 * MIB }, undefined],
  [
    'replaces it from there on',
    { memoryBytes },
    { rssBytes: 160 * MIB },
    { act: 'replace', cause: 'memory' },
  ],
  ['kills it at all of it', { memoryBytes }, { rssBytes: 200 * MIB }, { act: 'kill', cause: 'memory' }],
  [
    'only tells where none could keep to it',
    { memoryBytes },
    { baseBytes: 160 * MIB, rssBytes: 300 * MIB },
    { act: 'tell' },
  ],
  [
    'waits until it is known how much it began with',
    { memoryBytes },
    { baseBytes: 0, rssBytes: 300 * MIB },
    undefined,
  ],
  ['replaces one that is old', { maxAgeMs: 1_000 }, { ageMs: 1_000 }, { act: 'replace', cause: 'age' }],
  [
    'replaces one that has run so many jobs',
    { maxJobs: 10 },
    { jobs: 10 },
    { act: 'replace', cause: 'jobs' },
  ],
  ['lets it be where nothing is said', {}, { rssBytes: 9_000 * MIB, ageMs: 1e12, jobs: 1e9 }, undefined],
])('%s', (_, limits, more, verdict) => {
  expect(judgeUse(limits, use(more))).toEqual(verdict)
})

it('gives the heap less than all', () => {
  expect(heapMib(256 * MIB)).toBe(153)
})
