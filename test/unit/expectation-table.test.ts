import pc from 'picocolors'
import { expect, it } from 'vitest'
import { expectationTable, expectationText } from '../../src/cli/alerts/expectation-table.ts'
import type { ListedExpectationJson } from '../../src/client/expectations.ts'

const plain = pc.createColors(false)

const daily: ListedExpectationJson = {
  system: 'report',
  name: 'daily',
  cron: '0 8 * * MON-FRI',
  tz: 'America/Argentina/Buenos_Aires',
  dst: { gap: 'run-after', overlap: 'first' },
  grace: '5m',
  late: '1m',
  replicas: 3,
  createdAt: '2026-11-22T01:05:00.000Z',
  updatedAt: '2026-11-22T01:05:00.000Z',
}
const hourly: ListedExpectationJson = {
  system: 'db',
  name: 'hourly',
  every: '1h',
  tz: 'UTC',
  dst: { gap: 'skip', overlap: 'both' },
  grace: '10m',
  createdAt: '2026-11-22T01:05:00.000Z',
  updatedAt: '2026-11-22T02:05:00.000Z',
}

it('shows an expectation a line', () => {
  expect(expectationTable([hourly, daily], plain).split('\n')).toEqual([
    'expectation   when             zone                            grace  late  replicas',
    'db/hourly     every 1h         UTC                             10m',
    'report/daily  0 8 * * MON-FRI  America/Argentina/Buenos_Aires  5m     1m    3',
  ])
})

it('fits 80 columns, whatever the names', () => {
  const long = {
    ...daily,
    system: 's'.repeat(128),
    name: 'n'.repeat(100),
    cron: `0 ${'1,'.repeat(60)}2 * * *`,
  }
  for (const line of expectationTable([long, hourly], plain, 80).split('\n'))
    expect(line.length).toBeLessThanOrEqual(80)
})

it('shows of one what is not as usual', () => {
  expect(expectationText(hourly, plain).split('\n')).toEqual([
    'db/hourly',
    '  when   every 1h',
    '  dst    gap skip, overlap both',
    '  grace  10m',
    '  made   2026-11-22T01:05:00.000Z, changed 2026-11-22T02:05:00.000Z',
  ])
})
