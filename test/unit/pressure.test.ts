import { expect, it } from 'vitest'
import { judgePressure, type Strain, strainsToKeep } from '../../src/core/fleet/pressure.ts'

/** So many seconds of it. */
const seconds = (count: number, more: Partial<Strain>): readonly Strain[] =>
  Array.from({ length: count }, () => ({ cpu: 0, loop: 0, load: 0, forMs: 1_000, ...more }))

const limits = { cpu: 95, loop: 1_000, load: 2 }
const lastMs = 30_000

it.each([
  ['lets it be below its limits', limits, seconds(30, { cpu: 94, loop: 999, load: 1.9 }), undefined],
  ['takes it out by processor time', limits, seconds(30, { cpu: 95 }), { act: 'leave', cause: 'cpu' }],
  ['takes it out by its event loop', limits, seconds(30, { loop: 1_000 }), { act: 'leave', cause: 'loop' }],
  [
    'takes it out by the load of its host',
    limits,
    seconds(30, { load: 2.5 }),
    { act: 'leave', cause: 'load' },
  ],
  ['waits until that has lasted', limits, seconds(29, { cpu: 100 }), undefined],
  [
    'is not told otherwise by a short rest',
    limits,
    [...seconds(20, { cpu: 100 }), ...seconds(1, { cpu: 0 }), ...seconds(9, { cpu: 100 })],
    { act: 'leave', cause: 'cpu' },
  ],
  [
    'nor by a step of three seconds',
    limits,
    [...seconds(27, {}), ...seconds(1, { loop: 3_000, forMs: 3_000 })],
    undefined,
  ],
  ['looks at nothing that no limit is of', { load: 2 }, seconds(30, { cpu: 100, loop: 5_000 }), undefined],
  ['looks at nothing where there are no limits', {}, seconds(300, { cpu: 100 }), undefined],
])('%s', (_, given, strains, verdict) => {
  expect(judgePressure(given, strains, { isOut: false, lastMs })).toEqual(verdict)
})

it.each([
  ['below four fifths of all limits', { cpu: 75, loop: 799, load: 1.5 }, { act: 'return' }],
  ['not where one is still above that', { cpu: 10, load: 1.6 }, undefined],
])('has one that is out come back %s', (_, strain, verdict) => {
  expect(judgePressure(limits, seconds(30, strain), { isOut: true, lastMs })).toEqual(verdict)
  expect(judgePressure(limits, seconds(29, strain), { isOut: true, lastMs })).toBeUndefined()
})

it('keeps no more than what it judges by', () => {
  const all = seconds(100, {})
  expect(strainsToKeep(all, lastMs)).toHaveLength(30)
  expect(strainsToKeep(seconds(10, {}), lastMs)).toHaveLength(10)
  expect(strainsToKeep([...all, ...seconds(1, { forMs: 40_000 })], lastMs)).toHaveLength(1)
})
