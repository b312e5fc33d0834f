import pc from 'picocolors'
import { expect, it } from 'vitest'
import { alertTable } from '../../src/cli/alerts/alert-table.ts'
import type { AlertJson } from '../../src/core/alerts/alert-wire.ts'

const plain = pc.createColors(false)

const missed: AlertJson = {
  id: '7',
  system: 'cleaner',
  name: 'nightly',
  kind: 'missed',
  state: 'open',
  openedAt: '2026-11-22T01:05:00.000Z',
  updatedAt: '2026-11-22T01:05:00.000Z',
  count: 1,
  firstSlot: '2026-11-22T02:00:00+01:00',
  lastSlot: '2026-11-22T02:00:00+01:00',
  detail: 'no round came within 5 min',
}

const failed: AlertJson = {
  ...missed,
  id: '6',
  kind: 'failed',
  state: 'resolved',
  count: 12,
  lastRound: 'nightly@2026-11-22T02:00:00+01:00',
  detail: 'disk full',
  resolution: 'round nightly@2026-11-23T02:00:00+01:00 was completed in time',
}

it('says below each alert what is wrong, and what has resolved it', () => {
  expect(alertTable([missed, failed], plain, 80).split('\n')).toEqual([
    'state     kind    of               slots  last slot',
    'open      missed  cleaner/nightly  1      2026-11-22T02:00:00+01:00',
    '  no round came within 5 min',
    'resolved  failed  cleaner/nightly  12     2026-11-22T02:00:00+01:00',
    '  disk full (nightly@2026-11-22T02:00:00+01:00)',
    '  resolved: round nightly@2026-11-23T02:00:00+01:00 was completed in time',
  ])
})

it('shows what others wrote without what moves the cursor', () => {
  const shown = alertTable([{ ...failed, detail: 'a\u001b[2Jb\nc', resolution: '\u202ed' }], plain)
  expect(shown).toContain('  a\\u{1b}[2Jb\\u{a}c (nightly@')
  expect(shown).toContain('  resolved: \\u{202e}d')
})

it('fits a terminal, and is whole in a pipe', () => {
  const long = { ...missed, name: 'n'.repeat(100) }
  expect(alertTable([long], plain, 80).split('\n')[1]).toHaveLength(80)
  expect(alertTable([long], plain)).toContain(long.name)
})
