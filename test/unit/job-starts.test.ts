import { afterEach, describe, expect, it, vi } from 'vitest'
import { JOB_IDENTITY, MAX_DEATHS, type RunTerms, SUSPECT_DEATHS } from '../../src/core/rounds/job.ts'
import type { GateLock } from '../../src/core/rounds/round-ports.ts'
import { GoneError } from '../../src/errors.ts'
import { MemoryGate } from '../../src/gate/memory-gate.ts'
import type { Attempt, Ending } from '../../src/service/rounds/job-record.ts'
import { JobRunner, type Run, WorkerStop } from '../../src/service/rounds/job-runner.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { pause } from '../../src/waiting.ts'
import { silentLog } from '../support/log.ts'
import { notedRounds } from '../support/noted-rounds.ts'

const GATE_TTL_MS = 10_000
const id = { system: 'mail', round: 'r' }

interface World {
  nowMs: number
  readonly records: MemoryRecords
  readonly runner: JobRunner
  readonly attempt: (number?: number) => Attempt
}

function world(): World {
  const world = { nowMs: 1_000 }
  const nowMs = () => world.nowMs
  const records = new MemoryRecords(nowMs)
  const parts = { records, rounds: notedRounds().rounds, gate: new MemoryGate(nowMs), log: silentLog, nowMs }
  const attempt = (number = 1) => ({ id, address: 'w@h:1', number, isLast: true, isFirst: false })
  return Object.assign(world, {
    records,
    runner: new JobRunner({ ...parts, gateTtlMs: GATE_TTL_MS }),
    attempt,
  })
}

const going = new AbortController().signal
const ends = async () => 'done'

/** A handler that ends when it is told to, by a worker that stops while it runs. */
async function cutOff({ runner, attempt }: World, reason: WorkerStop) {
  const stop = new AbortController()
  const handler = ({ signal }: Run) => {
    stop.abort(reason)
    return Promise.reject(signal.reason)
  }
  return runner.run(attempt(), handler, stop.signal)
}

describe('a start that was given back', () => {
  it('is no death, however often the worker is drained', async () => {
    const here = world()
    for (let drain = 0; drain < 2 * MAX_DEATHS; drain += 1) {
      expect(await cutOff(here, new WorkerStop(1_000))).toMatchObject({ kind: 'putOff', ms: 0 })
    }
    expect(await here.runner.run(here.attempt(), ends, going)).toEqual({
      kind: 'completed',
      result: '"done"',
    })
  })

  it('counts where the worker stops after an error, which the job may have caused', async () => {
    const here = world()
    for (let crash = 0; crash <= MAX_DEATHS; crash += 1) await cutOff(here, new WorkerStop(1_000, true))
    const reason = '25 of its starts came to no end: each time its worker died or lost Redis'
    expect(await here.runner.run(here.attempt(), ends, going)).toEqual({
      kind: 'failed',
      reason,
      isFinal: true,
    })
    expect((await here.records.read(id)).record?.completion).toMatchObject({
      outcome: 'failed',
      detail: reason,
    })
  })

  it('ends a round that may be started only once, with a reason that is true', async () => {
    const here = world()
    const runTerms = { ifExecutorDies: 'fail' } as const
    await here.records.submit(id, { queue: 'mailer', data: null, queueTerms: {}, runTerms })
    const reason = 'its worker stopped while it ran, and it may be started only once'
    expect(await cutOff(here, new WorkerStop(1_000))).toEqual({
      kind: 'failed',
      reason,
      isFinal: true,
    })
  })
})

describe('a worker that stands still', () => {
  it('between the start and the handler does not begin it: another may have passed the gate since', async () => {
    const here = world()
    await here.records.submit(id, { queue: 'mailer', data: null, queueTerms: {}, runTerms: {} })
    const start = here.records.start.bind(here.records)
    here.records.start = async (...asked) => {
      const ruling = await start(...asked)
      here.nowMs += GATE_TTL_MS
      return ruling
    }
    const handler = vi.fn(ends)
    const end = await here.runner.run(here.attempt(), handler, going)
    expect(end).toEqual({ kind: 'putOff', ms: 1_000, why: 'the gate ended before its handler began' })
    expect(handler).not.toHaveBeenCalled()
  })
})

describe('a start that is sent again until it is answered', () => {
  afterEach(() => {
    vi.useRealTimers()
  })

  it('takes no gate meanwhile, by which it would be taken for the start of a worker that died', async () => {
    vi.useFakeTimers()
    const nowMs = () => Date.now()
    const records = new MemoryRecords(nowMs)
    const gate = new MemoryGate(nowMs, records.locks)
    const parts = { records, rounds: notedRounds().rounds, gate, log: silentLog, nowMs }
    const runner = new JobRunner({ ...parts, gateTtlMs: GATE_TTL_MS })
    await records.submit(id, { queue: 'mailer', data: null, queueTerms: {}, runTerms: {} })
    const start = records.start.bind(records)
    let died: number | undefined
    records.start = async (...asked) => {
      const ruling = await start(...asked)
      if (ruling.verdict === 'started') died = ruling.fence
      throw new Error('it died')
    }
    const attempt = { id, address: 'w@h:1', number: 1, isLast: true, isFirst: true }
    await expect(runner.run(attempt, ends, going)).rejects.toThrow('it died')
    await vi.advanceTimersByTimeAsync(GATE_TTL_MS)

    const backAtMs = Date.now() + GATE_TTL_MS / 2
    records.start = async (...asked) => {
      if (Date.now() < backAtMs) throw new GoneError('STORE_UNAVAILABLE', 'no memory left')
      return start(...asked)
    }
    const extend = vi.spyOn(gate, 'extend')
    let begun: { readonly fence: number; readonly extended: number } | undefined
    const running = runner.run(
      attempt,
      async ({ fence }) => {
        begun = { fence, extended: extend.mock.calls.length }
        await pause(2 * GATE_TTL_MS)
      },
      going,
    )
    await vi.advanceTimersByTimeAsync(3 * GATE_TTL_MS)
    expect(await running).toMatchObject({ kind: 'completed' })
    expect(begun).toEqual({ fence: (died ?? Number.NaN) + 1, extended: 0 })
    // Begun, it keeps the gate for as long as it takes.
    expect(extend.mock.calls.length).toBeGreaterThan(3)
  })
})

describe('a start that was taken along with its job', () => {
  /** As a worker's queue takes it: behind a lock that the records keep. */
  async function taken(runTerms: RunTerms = {}) {
    const nowMs = () => 1_000
    const records = new MemoryRecords(nowMs)
    const gate = new MemoryGate(nowMs, records.locks)
    const { rounds, told } = notedRounds()
    const runner = new JobRunner({ records, rounds, gate, log: silentLog, nowMs, gateTtlMs: GATE_TTL_MS })
    await records.submit(id, { queue: 'mailer', data: null, queueTerms: {}, runTerms })
    const lock = gate.lock(id, GATE_TTL_MS) as GateLock
    const job = { address: 'w@h:1', identity: JOB_IDENTITY }
    const ruling = await records.start(id, job, { deadlineMs: 1 }, MAX_DEATHS + 1, { lock })
    const attempt = { id, address: 'w@h:1', number: 1, isLast: true, isFirst: true }
    return { records, gate, runner, told, attempt: { ...attempt, taken: { ruling, lock, askedAtMs: 1_000 } } }
  }
  const finish = async ({ records }: { records: MemoryRecords }, { fence, result, lock }: Ending) =>
    records.finish(
      id,
      { address: 'w@h:1', identity: JOB_IDENTITY, fence },
      { outcome: 'completed', detail: result },
      lock,
    )

  it('ends with what is recorded as the job ends, which tells how the attempt has', async () => {
    const here = await taken()
    const ending = (await here.runner.run(here.attempt, ends, going)) as Ending
    expect(ending).toMatchObject({ kind: 'ending', result: '"done"', fence: 1 })
    expect((await here.records.read(id)).record?.completion).toBeUndefined()
    expect(here.gate.holder(id)).toBe(ending.lock.value)
    expect(await ending.ended(await finish(here, ending))).toEqual({ kind: 'completed', result: '"done"' })
    expect(here.gate.holder(id)).toBeUndefined()
  })

  it('ends as the record has it, where that was ended by another meanwhile', async () => {
    const here = await taken()
    const ending = (await here.runner.run(here.attempt, ends, going)) as Ending
    await here.records.cancel(id, 'anna', 'not needed', { submittedAtMs: 1_000 })
    expect(await ending.ended(await finish(here, ending))).toEqual({
      kind: 'failed',
      reason: 'not needed',
      isFinal: true,
    })
  })

  it('is recorded in a step of its own where nobody knows what came of the other, also where that came to something', async () => {
    for (const isRecorded of [false, true]) {
      const here = await taken()
      const ending = (await here.runner.run(here.attempt, ends, going)) as Ending
      if (isRecorded) await finish(here, ending)
      expect(await ending.tellApart()).toEqual({ kind: 'completed', result: '"done"' })
      expect((await here.records.read(id)).record?.completion).toMatchObject({ outcome: 'completed' })
      expect(here.gate.holder(id)).toBeUndefined()
    }
  })

  it('lets go of the gate where nobody knows whether it was recorded', async () => {
    const here = await taken()
    const ending = (await here.runner.run(here.attempt, ends, going)) as Ending
    await ending.release()
    expect(here.gate.holder(id)).toBeUndefined()
  })

  it('is recorded by a step of its own where the board is to be told of its end', async () => {
    const here = await taken({ deadlineMs: 60_000 })
    expect(await here.runner.run(here.attempt, ends, going)).toEqual({ kind: 'completed', result: '"done"' })
    expect((await here.records.read(id)).record?.completion).toMatchObject({ outcome: 'completed' })
    expect(here.told).toHaveLength(1)
  })

  it('is no death, and leaves the gate, where its job is not run here after all', async () => {
    const here = await taken({ ifExecutorDies: 'fail' })
    await here.runner.handBack(here.attempt)
    expect(here.gate.holder(id)).toBeUndefined()
    const { taken: _, ...again } = here.attempt
    expect(await here.runner.run(again, ends, going)).toMatchObject({ kind: 'completed' })
  })
})

describe('rounds that came to no end often', () => {
  it('are run one at a time in a process, and others beside them', async () => {
    const here = world()
    const of = (round: string) => ({ ...here.attempt(), id: { ...id, round } })
    for (const round of ['killer', 'innocent']) {
      for (let death = 0; death < SUSPECT_DEATHS; death += 1)
        await here.records.start(of(round).id, { address: 'w@h:1', identity: '#job' }, { deadlineMs: 1 }, 99)
    }
    let end: (result: string) => void = () => {}
    const killer = here.runner.run(of('killer'), () => new Promise((resolve) => (end = resolve)), going)
    await expect.poll(async () => (await here.records.read(of('killer').id)).record?.starts).toBe(6)
    expect(await here.runner.run(of('innocent'), ends, going)).toMatchObject({ kind: 'putOff', ms: 5_000 })
    expect(await here.runner.run(of('other'), ends, going)).toMatchObject({ kind: 'completed' })
    end('done')
    expect(await killer).toMatchObject({ kind: 'completed' })
    expect(await here.runner.run(of('innocent'), ends, going)).toMatchObject({ kind: 'completed' })
  })
})

describe.each([
  ['the record keeps', true],
  ['nodes of its own keep', false],
])('a start whose answer was lost, behind a gate that %s', (_, isWithin) => {
  it('is asked for again, and is the one start that a job may have', async () => {
    const nowMs = () => 1_000
    const records = new MemoryRecords(nowMs)
    const gate = new MemoryGate(nowMs, isWithin ? records.locks : undefined)
    const { rounds } = notedRounds()
    const runner = new JobRunner({ records, rounds, gate, log: silentLog, nowMs, gateTtlMs: GATE_TTL_MS })
    const runTerms = { ifExecutorDies: 'fail' } as const
    await records.submit(id, { queue: 'mailer', data: null, queueTerms: {}, runTerms })
    const start = records.start.bind(records)
    let lost = 2
    records.start = async (...asked) => {
      const ruling = await start(...asked)
      lost -= 1
      if (lost >= 0) throw new GoneError('STORE_UNAVAILABLE', 'no answer')
      return ruling
    }
    const attempt = { id, address: 'w@h:1', number: 1, isLast: true, isFirst: true }
    const handler = vi.fn(ends)
    expect(await runner.run(attempt, handler, going)).toMatchObject({ kind: 'completed' })
    expect(handler).toHaveBeenCalledTimes(1)
    expect((await records.read(id)).record?.fence).toBe(1)
  })
})
