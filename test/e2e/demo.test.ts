import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { JobLedger, jobFaultsOf, jobSummaryOf, type LedgerJob } from '../../src/cli/demo/job-ledger.ts'
import { faultsOf, type LedgerRound, summaryOf } from '../../src/cli/demo/ledger.ts'
import { screenOn } from '../../src/cli/demo/screen.ts'
import type { LedRoundJson } from '../../src/core/rounds/round-wire.ts'
import { startDemo } from '../support/demo.ts'

const ROW =
  /^(\d\d:\d\d:\d\d) {2}replica (\d) {2}(\d+(?:, \d+)?) +(\S+ ms, max \S+) +replica (\d)(?: {2}(.+))?$/
const JOB_ROW =
  /^(\d\d:\d\d:\d\d) {2}worker (\d) {3}(\d+(?:, \d+)*) +(\d) times?, 1 job +(\d+\.\d) s(?: +(\S.*))?$/
const TAKEOVER = /^(\d) killed, (\d) took over$/

describe('gone demo', () => {
  it('shows three rounds, their jobs and a takeover of each, sums up, exits 0 and leaves nothing', async () => {
    const demo = startDemo('--rounds', '3')
    await vi.waitFor(() => expect(demo.offspring()).toBeGreaterThanOrEqual(8), 20_000)
    const { code, stdout, stderr } = await demo.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })

    const rows = rowsOf(stdout, ROW)
    expect(rows).toHaveLength(3)
    for (const [, , leader, fence = '', , completer, note] of rows) {
      expect(completer).toBe(leader)
      expect(fence.split(', ')).toHaveLength(note === undefined ? 1 : 2)
    }
    const jobs = rowsOf(stdout, JOB_ROW)
    expect(jobs.map(([, round]) => round)).toEqual(rows.map(([, round]) => round))
    for (const [, , , fence = '', , , note] of jobs) {
      expect(fence.split(', ')).toHaveLength(note === undefined ? 1 : 2)
    }
    for (const shown of [rows, jobs]) {
      const takeover = shown.find((row) => TAKEOVER.test(row[6] ?? ''))
      const [, killed, successor] = TAKEOVER.exec(takeover?.[6] ?? '') ?? []
      expect(successor).toBe(takeover?.[2])
      expect(killed).not.toBe(successor)
      const fences = shown.flatMap((row) => (row[3] ?? '').split(', ').map(Number))
      expect(new Set(fences).size).toBe(fences.length)
    }
    // The killed one is started again, unless its job was the last.
    const isOver = TAKEOVER.test(jobs.at(-1)?.[6] ?? '')
    expect(demo.pidsOf('demo/worker').length).toBeGreaterThanOrEqual(isOver ? 2 : 3)

    expect(stdout).toMatch(
      /^3 rounds: one leader under each fence, each round completed once\.\n\d takeovers?: /m,
    )
    expect(stdout).toMatch(
      /^3 jobs of 1\d submissions: one run under each fence, each completed once\.\n\d jobs? taken over: /m,
    )
    // Whoever ran the first job rests for a round.
    const [, rested] = /^fleet: worker (\d) is unregistered, and takes no jobs$/m.exec(stdout) ?? []
    expect(rested).toBe(jobs[0]?.[2])
    expect(stdout).toMatch(new RegExp(`^fleet: worker ${rested} is registered again$`, 'm'))
    expect(stdout).toMatch(/^board http:\/\/127\.0\.0\.1:\d+\/board /m)
    expect(stdout).not.toContain('\u001b')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
    demo.expectNothingLeft()
  })

  it('ends at Ctrl-C with a summary and exit 0, and leaves nothing', async () => {
    const demo = startDemo()
    await demo.whenShown(ROW)
    demo.child.kill('SIGINT')
    const { code, stdout, stderr } = await demo.ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/\d rounds?: one leader under each fence, each round completed once\.\n/)
    demo.expectNothingLeft()
  })

  it('ends at Ctrl-C while it starts, and leaves nothing', async () => {
    const demo = startDemo()
    await demo.whenShown(/starting/)
    demo.child.kill('SIGINT')
    expect(await demo.ended).toMatchObject({ code: 0, stderr: '' })
    demo.expectNothingLeft()
  })

  it('leaves nothing when it is killed in the middle of a round', async () => {
    const demo = startDemo()
    await demo.whenShown(ROW)
    expect(demo.offspring()).toBeGreaterThanOrEqual(8)
    demo.child.kill('SIGKILL')
    await demo.ended
    await vi.waitFor(() => demo.expectNothingLeft(), { timeout: 30_000, interval: 100 })
  })

  it('ends when nobody reads what it shows any more', async () => {
    const demo = startDemo()
    await demo.whenShown(/starting/)
    demo.child.stdout?.destroy()
    await once(demo.child, 'exit')
    demo.expectNothingLeft()
  })

  it('starts a replica and workers again that somebody else has killed', async () => {
    const demo = startDemo()
    await demo.whenShown(ROW)
    // What a process forks has its command for a moment.
    const running = (text: string) => demo.pidsOf(text).filter((pid) => existsSync(`/proc/${pid}`))
    const [replica = Number.NaN] = running('demo/replica')
    for (const pid of [replica, ...running('demo/worker')]) process.kill(pid, 'SIGKILL')
    await vi.waitFor(() => {
      expect(demo.pidsOf('demo/replica').length).toBeGreaterThanOrEqual(6)
      expect(demo.pidsOf('demo/worker').length).toBeGreaterThanOrEqual(4)
    }, 30_000)
    demo.child.kill('SIGINT')
    expect(await demo.ended).toMatchObject({ code: 0, stderr: '' })
    demo.expectNothingLeft()
  })

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
  })
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

describe('the verdict on a job', () => {
  it('is nothing when it was completed once and each run had a fence of its own', () => {
    expect(jobFaultsOf(job(), jobRecord())).toEqual([])
    const takenOver = job({ runs: [run(1, 7), run(2, 8)], ranUnder: [8] })
    expect(jobFaultsOf(takenOver, jobRecord({ fence: 8 }))).toEqual([])
  })

  it('is nothing when the answer to the first submission was lost, or a late run came to its end as well', () => {
    expect(jobFaultsOf(job({ wereFirst: [false, false] }), jobRecord())).toEqual([])
    const overlap = job({ runs: [run(1, 7), run(2, 8)], ranUnder: [7, 8] })
    expect(jobFaultsOf(overlap, jobRecord({ fence: 8 }))).toEqual([])
  })

  it.each([
    ['two runs under one fence', { runs: [run(2, 7), run(1, 7)] }, /2 and 1 both ran it under fence 7/],
    ['two completions', { runs: [run(1, 7), run(2, 7)], ranUnder: [7, 7] }, /completed 2 times/],
    ['no completion', { ranUnder: [] }, /completed 0 times/],
    ['a fence that went back', { runs: [run(2, 8), run(1, 7)] }, /7 came after a higher/],
    ['no run', { runs: [] }, /no worker ran it/],
    ['two jobs', { wereFirst: [true, true, false] }, /2 submissions were told that they made the job/],
    ['a run after the one that completed it', { runs: [run(1, 7), run(2, 9)] }, /the record says fence 7/],
  ])('names %s', (_, told, fault) => {
    expect(jobFaultsOf(job(told), jobRecord())).toContainEqual(expect.stringMatching(fault))
  })

  it('names a record that does not say completed, or is missing', () => {
    expect(jobFaultsOf(job(), jobRecord({ state: 'failed' }))).toEqual(['the record says it is failed'])
    expect(jobFaultsOf(job())).toEqual(['the record says it is unknown'])
  })

  it('changes when the job runs again after its end', () => {
    const ledger = new JobLedger(1)
    const told = { round: '2026-11-22T08.15.04', fence: 7 }
    ledger.note(1, { kind: 'runs', ...told })
    const kept = ledger.note(1, { kind: 'ran', ...told })
    Object.assign(kept ?? {}, { record: jobRecord(), faults: [] })
    expect(ledger.note(2, { kind: 'runs', ...told, fence: 8 })?.faults).toHaveLength(1)
    expect(ledger.note(2, { kind: 'runs', round: 'one more than is kept', fence: 9 })).toBeUndefined()
  })

  it('is what the summary says', () => {
    const faulty = job({ faults: ['no worker ran it'] })
    expect(jobSummaryOf([job({ faults: [] }), faulty])).toMatch(
      /^NOT AS PROMISED in 1 of 2 jobs:\n {2}2026-11-22T08\.15\.04: no worker/,
    )
    expect(jobSummaryOf([job({ faults: [] })])).toMatch(/^1 job of 5 submissions: one run under each fence/)
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
  const workers = [1, 2].map((worker) => ({ worker, doing: 'down' as const }))
  const resting = [1, 2].map((worker) => ({ worker, doing: 'unregistered' as const }))
  const jobTakenOver = job({
    runs: [{ ...run(1, 998), wasKilled: true }, run(2, 999)],
    record: jobRecord({ fence: 999 }),
    faults: [],
  })
  const many = {
    rounds: Array.from({ length: 50 }, () => takenOver),
    jobs: Array.from({ length: 50 }, () => jobTakenOver),
  }
  const story = ['a long story '.repeat(20)]

  it.each([
    ['at its start', { status, rounds: [], jobs: [] }],
    ['at work', { url, rounds: [round({ completedBy: [] })], jobs: [job({ ranUnder: [] })] }],
    ['after many rounds', { url, ...many }],
    ['with one that rests', { url, ...many, workers: resting }],
    ['at its end', { url, status: 'ending', ...many }],
    ['in trouble', { url, rounds: [round({ troubles: story })], jobs: [job({ troubles: story })] }],
  ])('fits 80 columns and 24 rows: %s', (_, view) => {
    const terminal = fakeTerminal()
    const screen = screenOn(terminal.stream)
    const whole = { everyMs: 3_600_000, nextMs: 3_600_000, replicas, workers, ...view }
    screen.show(whole)
    expect(terminal.widest()).toBeLessThanOrEqual(80)
    expect(terminal.height()).toBeLessThanOrEqual(24)
    screen.end(whole, `${summaryOf(view.rounds)}\n${jobSummaryOf(view.jobs)}`)
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

function job(told: Partial<LedgerJob> = {}): LedgerJob {
  return {
    round: '2026-11-22T08.15.04',
    wereFirst: [false, true, false, false, false],
    runs: [run(1, 7)],
    ranUnder: [7],
    troubles: [],
    ...told,
  }
}

function run(worker: number, fence: number) {
  return { worker, fence, wasKilled: false }
}

function jobRecord(told: Partial<LedRoundJson> = {}): LedRoundJson {
  const at = '2026-11-22T08:15:05.234Z'
  const submitted = { worker: 'demo-job', submittedAt: '2026-11-22T08:15:04.000Z', starts: 1 }
  return record({ job: submitted, completion: { outcome: 'completed', by: 'demo-job@host:1', at }, ...told })
}

/** The lines of a kind, each with its parts. */
function rowsOf(text: string, kind: RegExp): RegExpExecArray[] {
  return text
    .split('\n')
    .map((line) => kind.exec(line))
    .filter((row) => row !== null)
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
