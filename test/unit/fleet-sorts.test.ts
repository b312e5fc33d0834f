import { expect, it } from 'vitest'
import { SORTS, sorted } from '../../src/cli/fleet/sorts.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'

function instance(id: string, n: number, host: string): InstanceJson {
  return {
    id,
    state: 'registered',
    workers: [{ name: `w${n}`, slots: 9, running: n, done: n, failed: n }],
    release: '1',
    region: 'eu',
    host,
    pid: 1,
    version: '1',
    startedAt: '',
    cpuPercent: n,
    rssBytes: n,
  }
}

it('sorts instances by what uses most, and by names', () => {
  const all = [instance('b', 1, 'x'), instance('a', 3, 'z'), instance('c', 2, 'y')]
  for (const sort of ['cpu', 'memory', 'running', 'done', 'failed'] as const)
    expect([sort, sorted(all, sort).map(({ id }) => id)]).toEqual([sort, ['a', 'c', 'b']])
  expect(sorted(all, 'worker').map(({ id }) => id)).toEqual(['b', 'c', 'a'])
  expect(sorted(all, 'host').map(({ id }) => id)).toEqual(['b', 'c', 'a'])
  expect(sorted(all, 'id').map(({ id }) => id)).toEqual(['a', 'b', 'c'])
  const alike = [instance('b', 1, 'x'), instance('a', 1, 'x')]
  for (const sort of SORTS.filter((one) => one !== 'id')) expect(sorted(alike, sort)).toEqual(alike)
})
