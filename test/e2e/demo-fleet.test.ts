import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it, vi } from 'vitest'
import { FleetScreen, type FleetView, fleetSummary } from '../../src/cli/demo/fleet-screen.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { startDemo } from '../support/demo.ts'

const FAULT = /^\d\d:\d\d:\d\d {2}(kill -9|bad release) +(.+?) {2,}([\d.]+ s)/

describe('gone demo --fleet', () => {
  it('has things happen to two supervisors of three instances, and no job notices', async () => {
    const demo = startDemo('--fleet', '--rounds', '2', '--every', '3s')
    const { code, stdout, stderr } = await demo.ended
    expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: '', stdout: expect.anything() as string })
    const faults = stdout.split('\n').flatMap((line) => FAULT.exec(line)?.[1] ?? [])
    expect(faults).toEqual(['kill -9', 'bad release'])
    expect(stdout).toMatch(/bad release +release 2 +[\d.]+ s +rolled back to 1$/m)
    expect(stdout).toMatch(/^\d+ jobs through 2 faults: each completed once\.$/m)
    expect(stdout).not.toContain('\u001b')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(demo.pidsOf('fleet-host').length).toBe(2)
    // Six, one in the place of the one that was killed, and one that does not begin.
    expect(demo.pidsOf('supervised-work').length).toBeGreaterThanOrEqual(8)
    demo.expectNothingLeft()
  })

  it('ends at Ctrl-C, and leaves nothing; nor when it is killed', async () => {
    const [ended, killed] = [startDemo('--fleet'), startDemo('--fleet')]
    await ended.whenShown(/starting two hosts/)
    ended.child.kill('SIGINT')
    expect(await ended.ended).toMatchObject({ code: 0, stderr: '' })
    ended.expectNothingLeft()
    await vi.waitFor(() => expect(killed.pidsOf('supervised-work').length).toBe(6), 30_000)
    killed.child.kill('SIGKILL')
    await killed.ended
    await vi.waitFor(() => killed.expectNothingLeft(), { timeout: 30_000, interval: 100 })
  })
})

describe('the picture of a fleet', () => {
  const sums = {
    submitted: 123_456,
    completed: 123_400,
    underWay: 56,
    failed: 0,
    twice: 0,
    again: 7,
    slowestMs: 12_345,
  }
  const instance = (place: string, more: Partial<InstanceJson> = {}): InstanceJson => ({
    id: place,
    place,
    state: 'unresponsive',
    workers: [{ name: 'demo-work', slots: 2, running: 2, done: 7, failed: 0 }],
    release: '1234',
    region: 'none',
    host: 'a',
    pid: 1,
    version: '1',
    startedAt: '2026-11-22T08:15:04.000Z',
    rssBytes: 200_000_000,
    ...more,
  })
  const fault = {
    startedAtMs: Date.UTC(2026, 10, 22, 8, 15, 4),
    what: 'stopped (SIGSTOP)',
    where: 'demo/1 on a',
    cut: 2,
    note: 'jobs ran elsewhere',
    tookMs: 12_345,
  }

  it.each<[string, Partial<FleetView>]>([
    ['at its start', { status: 'starting Redis, the server and two hosts ...' }],
    ['at work', { sums, url: 'http://127.0.0.1:65535', instances: [instance('demo/1'), instance('demo/6')] }],
    [
      'after many faults',
      { sums, url: 'http://127.0.0.1:65535', faults: Array.from({ length: 50 }, () => fault) },
    ],
    [
      'at its end',
      { status: 'ending', sums, url: 'http://127.0.0.1:65535', faults: [{ ...fault, note: 'NOT replaced' }] },
    ],
  ])('fits 80 columns and 24 rows: %s', (_, more) => {
    let picture = ''
    const write = (text: string) => {
      const plain = stripVTControlCharacters(text)
      if (plain.includes('no job notices')) picture = plain
      return true
    }
    const stream = { isTTY: true, columns: 80, rows: 24, write } as unknown as NodeJS.WriteStream
    const screen = new FleetScreen(stream)
    const view: FleetView = { instances: [], faults: [], ...more }
    screen.show(view)
    const sizes = () => ({
      rows: picture.split('\n').length,
      columns: Math.max(...picture.split('\n').map((line) => line.length)),
    })
    expect(sizes().columns).toBeLessThanOrEqual(80)
    expect(sizes().rows).toBeLessThanOrEqual(24)
    screen.end(view, fleetSummary(sums, view.faults, true))
    expect(sizes().columns).toBeLessThanOrEqual(80)
    expect(sizes().rows).toBeLessThanOrEqual(24)
  })
})
