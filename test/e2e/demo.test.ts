import { type ChildProcess, execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { faultsOf, type LedgerRound, summaryOf } from '../../src/cli/demo/ledger.ts'
import { screenOn } from '../../src/cli/demo/screen.ts'
import type { LedRoundJson } from '../../src/core/wire.ts'
import { type CliRun, endOf, spawnCli } from '../support/cli.ts'

const ROW =
  /^(\d\d:\d\d:\d\d) {2}replica (\d) {2}(\d+(?:, \d+)?) +(\S+ ms, max \S+) +replica (\d)(?: {2}(.+))?$/
const TAKEOVER = /^(\d) killed, (\d) took over$/

describe('gone demo', () => {
  it('shows three rounds and a takeover, sums up, exits 0 and leaves nothing', async () => {
    const demo = startDemo('--rounds', '3')
    await vi.waitFor(() => expect(demo.offspring()).toBeGreaterThanOrEqual(6), 20_000)
    const { code, stdout, stderr } = await demo.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })

    const rows = stdout.split('\n').flatMap((line) => (ROW.test(line) ? [line.match(ROW) ?? []] : []))
    expect(rows).toHaveLength(3)
    for (const [, , leader, fence = '', , completer, note] of rows) {
      expect(completer).toBe(leader)
      expect(fence.split(', ')).toHaveLength(note === undefined ? 1 : 2)
    }
    const takeover = rows.find((row) => TAKEOVER.test(row[6] ?? ''))
    const [, killed, successor] = TAKEOVER.exec(takeover?.[6] ?? '') ?? []
    expect(successor).toBe(takeover?.[2])
    expect(killed).not.toBe(successor)
    const fences = rows.flatMap((row) => (row[3] ?? '').split(', ').map(Number))
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))

    expect(stdout).toMatch(
      /^3 rounds: one leader under each fence, each round completed once\.\n\d takeovers?: /m,
    )
    expect(stdout).toMatch(/^board http:\/\/127\.0\.0\.1:\d+\/board /m)
    expect(stdout).not.toContain('\u001b')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    demo.expectNothingLeft()
  }, 60_000)

  it('ends at Ctrl-C with a summary and exit 0, and leaves nothing', async () => {
    const demo = startDemo()
    await demo.whenShown(ROW)
    demo.child.kill('SIGINT')
    const { code, stdout, stderr } = await demo.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/\d rounds?: one leader under each fence, each round completed once\.\n/)
    demo.expectNothingLeft()
  }, 60_000)

  it('ends at Ctrl-C while it starts, and leaves nothing', async () => {
    const demo = startDemo()
    await demo.whenShown(/starting/)
    demo.child.kill('SIGINT')
    expect(await demo.ended).toMatchObject({ code: 0, stderr: '' })
    demo.expectNothingLeft()
  }, 60_000)

  it('leaves nothing when it is killed in the middle of a round', async () => {
    const demo = startDemo()
    await demo.whenShown(ROW)
    expect(demo.offspring()).toBeGreaterThanOrEqual(6)
    demo.child.kill('SIGKILL')
    await demo.ended
    await vi.waitFor(() => demo.expectNothingLeft(), { timeout: 10_000, interval: 100 })
  }, 60_000)

  it('ends when nobody reads what it shows any more', async () => {
    const demo = startDemo()
    await demo.whenShown(/starting/)
    demo.child.stdout?.destroy()
    await once(demo.child, 'exit')
    demo.expectNothingLeft()
  }, 60_000)

  it('starts a replica again that somebody else has killed', async () => {
    const demo = startDemo('--rounds', '2')
    await demo.whenShown(ROW)
    process.kill(demo.pidsOf('replica')[0] ?? Number.NaN, 'SIGKILL')
    expect(await demo.ended).toMatchObject({ code: 0, stderr: '' })
    expect(demo.pidsOf('replica').length).toBeGreaterThanOrEqual(6)
    demo.expectNothingLeft()
  }, 60_000)

  it('says in one line what to do when its port is taken, and leaves nothing', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const demo = startDemo('--port', String(port))
    const stderr = expect.stringMatching(
      /^gone: port \d+ of 127\.0\.0\.1 is taken; choose another with --port.*\n$/,
    )
    expect(await demo.ended).toMatchObject({ code: 2, stderr })
    demo.expectNothingLeft()
  }, 60_000)
})

describe('the verdict on a round', () => {
  it('is nothing when one leader under each fence led and the last completed', () => {
    expect(faultsOf(round(), record())).toEqual([])
    const takenOver = round({ leaderships: [leadership(1, 7), leadership(2, 8)], completedBy: [2] })
    expect(faultsOf(takenOver, record({ fence: 8, leader: 'replica-2' }))).toEqual([])
  })

  it.each([
    [
      'two leaders under one fence',
      { leaderships: [leadership(2, 7), leadership(1, 7)] },
      /2 and 1 were both/,
    ],
    [
      'a fence that went back',
      { leaderships: [leadership(2, 8), leadership(1, 7)] },
      /7 came after a higher/,
    ],
    ['no leader', { leaderships: [] }, /nobody was told to lead/],
    ['two completions', { completedBy: [1, 2] }, /completed for 2 replicas/],
    ['another leader in the record', { leaderships: [leadership(3, 7)] }, /the record says replica-1 led/],
  ])('names %s', (_, told, fault) => {
    expect(faultsOf(round(told), record())).toContainEqual(expect.stringMatching(fault))
  })

  it('names a record that does not say completed, or is missing', () => {
    expect(faultsOf(round(), record({ state: 'led' }))).toEqual(['the record says it is led'])
    expect(faultsOf(round())).toContain('the record says it is unknown')
  })

  it('is what the summary says', () => {
    const faulty = { ...round(), faults: ['nobody was told to lead'] }
    const good = { ...round(), faults: [] }
    expect(summaryOf([good, faulty])).toMatch(
      /^NOT AS PROMISED in 1 of 2 rounds:\n {2}2026-11-22T08\.15\.04: nobody/,
    )
    expect(summaryOf([good])).toMatch(/^1 round: one leader under each fence/)
    expect(summaryOf([])).toBe('No round was over yet.')
  })
})

describe('the picture', () => {
  const status =
    "no redis-server on PATH: fetching the distribution's package into /home/newcomer/.cache/gone (1.4 MB and the index, once)"
  const takenOver = round({
    leaderships: [{ ...leadership(1, 998), wasKilled: true }, leadership(2, 999)],
    lostMs: [123.456, 998.7],
    completedBy: [2],
    faults: [],
  })
  const url = 'http://127.0.0.1:65535'
  const replicas = [1, 2, 3, 4, 5].map((replica) => ({ replica, doing: 'standing by' as const }))

  it.each([
    ['at its start', { status, rounds: [] }],
    ['at work', { url, rounds: [round({ completedBy: [] })] }],
    ['after many rounds', { url, rounds: Array.from({ length: 50 }, () => takenOver) }],
    ['at its end', { url, status: 'ending', rounds: Array.from({ length: 50 }, () => takenOver) }],
    ['in trouble', { url, rounds: [round({ troubles: ['a long story '.repeat(20)] })] }],
  ])('fits 80 columns and 24 rows: %s', (_, view) => {
    const terminal = fakeTerminal()
    const screen = screenOn(terminal.stream)
    const whole = { everyMs: 3_600_000, nextMs: 3_600_000, replicas, ...view }
    screen.show(whole)
    expect(terminal.widest()).toBeLessThanOrEqual(80)
    expect(terminal.height()).toBeLessThanOrEqual(24)
    screen.end(whole, summaryOf(view.rounds))
    expect(terminal.widest()).toBeLessThanOrEqual(80)
    expect(terminal.height()).toBeLessThanOrEqual(24)
  })
})

function round(told: Partial<LedgerRound> = {}): LedgerRound {
  return {
    round: '2026-11-22T08.15.04',
    leaderships: [leadership(1, 7)],
    lostMs: [1.234, 5.678],
    completedBy: [1],
    troubles: [],
    present: new Set(),
    ...told,
  }
}

function leadership(replica: number, fence: number) {
  return { replica, fence, leader: `replica-${replica}`, wasKilled: false }
}

function record(told: Partial<LedRoundJson> = {}): LedRoundJson {
  const at = '2026-11-22T08:15:04.000Z'
  const name = { system: 'demo', round: '2026-11-22T08.15.04' }
  const led = { state: 'completed', leader: 'replica-1', fence: 7, electedAt: at, deadlineAt: at } as const
  return { ...name, ...led, ...told }
}

/** Keeps the last picture that was drawn as a whole. */
function fakeTerminal() {
  let picture = ''
  const write = (text: string) => {
    const plain = stripVTControlCharacters(text)
    if (plain.includes('every replica fires')) picture = plain
    return true
  }
  const stream = { isTTY: true, columns: 80, rows: 24, write }
  return {
    stream: stream as unknown as NodeJS.WriteStream,
    widest: () => Math.max(...picture.split('\n').map((line) => line.length)),
    height: () => picture.split('\n').length,
  }
}

interface Demo {
  readonly child: ChildProcess
  readonly ended: Promise<CliRun>
  /** How many processes it has started so far and are seen running now. */
  offspring(): number
  /** Of all that were seen, the ones with this text on their command line. */
  pidsOf(text: string): number[]
  whenShown(line: RegExp): Promise<void>
  expectNothingLeft(): void
}

/** A demo on a free port with a temporary folder of its own; every process below it is noted while it runs. */
function startDemo(...args: string[]): Demo {
  const folder = mkdtempSync(join(tmpdir(), 'gone-test-demo-'))
  const child = spawnCli(['demo', '--port', '0', ...args], { TMPDIR: folder })
  const ended = endOf(child)
  const seen = new Map<number, string>()
  const look = () => {
    const running = processes()
    const below = new Set([child.pid ?? 0])
    // Children have been started after their parents, and so come after them.
    for (const { pid, parentPid, command } of running) {
      if (!below.has(parentPid)) continue
      below.add(pid)
      // The look itself, and what has not become what it will be yet.
      if (!command.startsWith('ps ')) seen.set(pid, command)
    }
    return running.filter(({ pid }) => below.has(pid) && pid !== child.pid)
  }
  const looking = setInterval(look, 200)
  onTestFinished(() => {
    clearInterval(looking)
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  let shown = ''
  child.stdout?.on('data', (chunk) => {
    shown += chunk
  })
  return {
    child,
    ended,
    offspring: () => look().length,
    pidsOf: (text) => [...seen].filter(([, command]) => command.includes(text)).map(([pid]) => pid),
    whenShown: (line) =>
      vi.waitFor(() => expect(shown.split('\n').some((text) => line.test(text))).toBe(true), 30_000),
    expectNothingLeft() {
      const left = processes().filter(
        ({ pid, command }) => seen.get(pid) === command || command.includes(folder),
      )
      expect(left).toEqual([])
      expect(readdirSync(folder).filter((name) => name.startsWith('gone-'))).toEqual([])
    },
  }
}

/** What runs on this machine, without zombies: where nobody reaps orphans, the dead keep their number. */
function processes(): { pid: number; parentPid: number; command: string }[] {
  const lines = String(
    execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,stat=,args=', '--sort=start_time']),
  ).split('\n')
  const rows = lines
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line))
    .filter((row) => row !== null)
  return rows
    .filter(([, , , state]) => !state?.startsWith('Z'))
    .map(([, pid, parentPid, , command = '']) => ({
      pid: Number(pid),
      parentPid: Number(parentPid),
      command,
    }))
}
