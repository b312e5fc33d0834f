import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { JOB_IDENTITY, MAX_DEATHS, type RunTerms } from '../../src/core/rounds/job.ts'
import { JobFailed } from '../../src/core/rounds/job-failed.ts'
import type { FinishRuling } from '../../src/core/rounds/round-ports.ts'
import { GoneError } from '../../src/errors.ts'
import { MemoryGate } from '../../src/gate/memory-gate.ts'
import type { Attempt } from '../../src/service/rounds/job-record.ts'
import { JobRunner, type Run, WorkerStop } from '../../src/service/rounds/job-runner.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { notedLog } from '../support/noted-log.ts'
import { notedRounds } from '../support/noted-rounds.ts'

const id = { system: 'shop', round: 'night' }
const terms = { deadlineMs: 3_600_000 }
const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const job = { address: 'mailer@host:1', identity: JOB_IDENTITY }
const done = { outcome: 'completed', detail: '' } as const
const GATE_TTL_MS = 30_000

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** Records that do not answer when the end is to be recorded. */
class ShakyRecords extends MemoryRecords {
  isDown = false

  override async finish(...args: Parameters<MemoryRecords['finish']>): Promise<FinishRuling> {
    if (this.isDown) throw new GoneError('STORE_UNAVAILABLE', 'down')
    return super.finish(...args)
  }
}

/** Whether the gate is a lock that the records keep, or has nodes of its own. */
let isWithin = false

function world() {
  const nowMs = () => Date.now()
  const records = new ShakyRecords(nowMs)
  const gate = new MemoryGate(nowMs, isWithin ? records.locks : undefined)
  const { rounds, told, trouble } = notedRounds()
  const { log, lines } = notedLog()
  const runner = new JobRunner({ records, rounds, gate, log, nowMs, gateTtlMs: GATE_TTL_MS })
  const stopping = new AbortController()
  const first: Attempt = { id, address: job.address, number: 1, isLast: false, isFirst: true }
  return {
    records,
    gate,
    told,
    trouble,
    lines,
    stopping,
    submit: (runTerms: RunTerms = {}) =>
      records.submit(id, { queue: 'mailer', data: null, queueTerms: {}, runTerms }),
    run: (handler: (run: Run) => Promise<unknown>, attempt: Partial<Attempt> = {}) =>
      runner.run({ ...first, ...attempt }, handler, stopping.signal),
    record: async () => (await records.read(id)).record,
  }
}

const fails = async () => {
  throw new Error('disk full')
}
/** A handler that works until it is told to end, and says why it was. */
function untilAborted() {
  const seen: { reason?: unknown } = {}
  const handler = ({ signal }: Run) =>
    new Promise((_, reject) => {
      signal.addEventListener('abort', () => {
        seen.reason = signal.reason
        reject(signal.reason)
      })
    })
  return { handler, seen }
}

describe.each([
  ['of its own', false],
  ['within the records', true],
])('behind a gate %s,', (_, within) => {
  beforeEach(() => {
    isWithin = within
  })

  describe('an attempt at a job', () => {
    it('runs its handler under a fence, behind the gate, and completes the round with its result', async () => {
      const { submit, run, record, gate } = world()
      await submit()
      const end = await run(async ({ fence, signal }) => ({
        fence,
        isGated: gate.holder(id) !== undefined,
        signal: signal.aborted,
      }))
      const result = '{"fence":1,"isGated":true,"signal":false}'
      expect(end).toEqual({ kind: 'completed', result })
      expect(await record()).toMatchObject({
        fence: 1,
        starts: 1,
        completion: { ...done, detail: result, by: job.address },
      })
    })

    it('keeps a result of more than 4 KB with its job alone', async () => {
      const { submit, run, record } = world()
      await submit()
      expect(await run(async () => 'x'.repeat(5_000))).toMatchObject({
        kind: 'completed',
        result: `"${'x'.repeat(5_000)}"`,
      })
      expect((await record())?.completion).toMatchObject(done)
    })

    it.each([true, false])(
      'runs nothing where the round has ended, and shows how (first: %s)',
      async (isFirst) => {
        const { records, run } = world()
        const handler = vi.fn()
        await records.complete(id, anna, done, terms)
        expect(await run(handler, { isFirst })).toEqual({
          kind: 'skipped',
          why: 'not run: completed already by 10.0.0.1:1',
        })
        const failed = world()
        await failed.records.complete(id, anna, { outcome: 'failed', detail: 'gave up' }, terms)
        expect(await failed.run(handler, { isFirst })).toEqual({
          kind: 'failed',
          reason: 'gave up',
          isFinal: true,
        })
        expect(handler).not.toHaveBeenCalled()
      },
    )

    it('runs nothing where the round is led over HTTP', async () => {
      const { records, run, gate } = world()
      await records.decide(id, anna, terms)
      const handler = vi.fn()
      expect(await run(handler)).toEqual({ kind: 'skipped', why: 'not run: led by 10.0.0.1:1' })
      expect(handler).not.toHaveBeenCalled()
      expect(gate.holder(id)).toBeUndefined()
    })

    it('is put off while another holds the gate, and spends nothing', async () => {
      const { submit, run, gate, record } = world()
      await submit()
      await gate.pass(id, 10_000)
      const handler = vi.fn(async () => 1)
      expect(await run(handler)).toEqual({ kind: 'putOff', ms: 1_000, why: 'another worker holds the gate' })
      expect([handler.mock.calls.length, await record()]).toEqual([0, undefined])
      vi.advanceTimersByTime(10_000)
      expect((await run(handler)).kind).toBe('completed')
    })
  })

  describe('an attempt that fails', () => {
    it('leaves the round to the next, which has the gate at once and a higher fence', async () => {
      const { submit, run, record } = world()
      await submit()
      expect(await run(fails)).toMatchObject({ kind: 'failed', reason: 'disk full', isFinal: false })
      expect((await record())?.completion).toBeUndefined()
      const end = await run(async ({ fence }) => fence, { number: 2, isFirst: false })
      expect(end).toEqual({ kind: 'completed', result: '2' })
    })

    it.each([
      ['is the last', fails, { isLast: true }, {}],
      ['wants no other', () => Promise.reject(new JobFailed('disk full')), {}, {}],
      ['may be started only once', fails, {}, { ifExecutorDies: 'fail' } as const],
    ])('ends the round as failed where it %s', async (_, handler, attempt, runTerms) => {
      const { submit, run, record, gate } = world()
      await submit(runTerms)
      expect(await run(handler, attempt)).toMatchObject({
        kind: 'failed',
        reason: 'disk full',
        isFinal: true,
      })
      expect((await record())?.completion).toMatchObject({
        outcome: 'failed',
        detail: 'disk full',
        by: job.address,
      })
      expect(gate.holder(id)).toBeUndefined()
    })

    it('does so too where the handler throws before it returns a promise, or returns what is no JSON', async () => {
      for (const handler of [() => fails(), async () => 1n]) {
        const { submit, run, record } = world()
        await submit()
        expect((await run(handler, { isLast: true })).kind).toBe('failed')
        expect((await record())?.completion?.outcome).toBe('failed')
      }
    })

    it('is the last start of a job whose workers died again and again', async () => {
      const { submit, run, records, record } = world()
      await submit()
      for (let n = 0; n <= MAX_DEATHS; n += 1) await records.start(id, job, terms, MAX_DEATHS + 1)
      const handler = vi.fn()
      const reason = `${MAX_DEATHS} of its starts came to no end: each time its worker died or lost Redis`
      expect(await run(handler, { isFirst: false })).toEqual({ kind: 'failed', reason, isFinal: true })
      expect(handler).not.toHaveBeenCalled()
      expect((await record())?.completion).toMatchObject({ outcome: 'failed', detail: reason })
    })

    it('is never the second start of a job that may be started once', async () => {
      const { submit, run, records, record } = world()
      await submit({ ifExecutorDies: 'fail' })
      await records.start(id, job, terms, 1)
      expect(await run(vi.fn(), { isFirst: false })).toMatchObject({ kind: 'failed', isFinal: true })
      expect((await record())?.completion?.detail).toContain('it may be started only once')
    })
  })

  describe('a handler', () => {
    it.each([
      ['of the attempt', { timeoutMs: 5_000 }, {}],
      ['of the submission before that', { timeoutMs: 60_000 }, { timeoutMs: 5_000 }],
    ])('is told to end when the time %s is up', async (_, attempt, runTerms) => {
      const { submit, run } = world()
      await submit(runTerms)
      const { handler, seen } = untilAborted()
      const end = run(handler, attempt)
      await vi.advanceTimersByTimeAsync(4_999)
      expect(seen.reason).toBeUndefined()
      await vi.advanceTimersByTimeAsync(1)
      expect(await end).toMatchObject({ kind: 'failed', reason: 'it took longer than 5 s', isFinal: false })
    })

    it('is waited for no longer than 5 s after that', async () => {
      const { submit, run } = world()
      await submit()
      const end = run(() => new Promise(() => undefined), { timeoutMs: 1_000 })
      await vi.advanceTimersByTimeAsync(6_000)
      expect(await end).toMatchObject({ kind: 'failed', reason: 'it took longer than 1 s' })
    })

    it('is told to end when the worker stops, and its round is put off, not failed, also at the last attempt', async () => {
      const { submit, run, record, stopping, gate } = world()
      await submit()
      const end = run(untilAborted().handler, { isLast: true })
      await vi.advanceTimersByTimeAsync(100)
      stopping.abort(new Error('the worker stops'))
      expect(await end).toEqual({ kind: 'putOff', ms: 0, why: 'its worker stopped while it ran' })
      expect((await record())?.completion).toBeUndefined()
      expect(gate.holder(id)).toBeUndefined()
    })

    it('keeps the gate for as long as it works', async () => {
      const { submit, run, gate } = world()
      await submit()
      let finish = (_: unknown) => {}
      const end = run(
        () =>
          new Promise((resolve) => {
            finish = resolve
          }),
      )
      for (let n = 0; n < 20; n += 1) {
        await vi.advanceTimersByTimeAsync(GATE_TTL_MS / 2)
        expect(gate.holder(id)).toBeDefined()
      }
      finish('at last')
      expect((await end).kind).toBe('completed')
    })

    it('is told to end when the gate is lost, and ends nothing, also at the last attempt', async () => {
      const { submit, run, gate, record } = world()
      await submit()
      const { handler, seen } = untilAborted()
      const end = run(handler, { isLast: true })
      gate.extend = async () => false
      await vi.advanceTimersByTimeAsync(GATE_TTL_MS)
      expect(await end).toMatchObject({ kind: 'putOff' })
      expect(seen.reason).toMatchObject({ code: 'GATE_LOST' })
      expect((await record())?.completion).toBeUndefined()
    })

    it('is told to end when another has ended its round, which stays as it ended', async () => {
      const { submit, run, records, record } = world()
      await submit()
      const { handler, seen } = untilAborted()
      const end = run(handler)
      await vi.advanceTimersByTimeAsync(100)
      await records.complete(id, { ...anna, fence: 1 }, { outcome: 'failed', detail: 'replaced' }, terms)
      await vi.advanceTimersByTimeAsync(GATE_TTL_MS / 3)
      expect(await end).toEqual({ kind: 'failed', reason: 'replaced', isFinal: true })
      expect(seen.reason).toMatchObject({ code: 'SUPERSEDED' })
      expect((await record())?.completion).toMatchObject({ detail: 'replaced', by: anna.address })
    })

    it('that is late completes nothing where its job was started again under a higher fence', async () => {
      const { submit, run, records, record, lines } = world()
      await submit()
      const end = await run(async () => {
        await records.start(id, job, terms, 10)
        return 'late'
      })
      expect(end).toMatchObject({
        kind: 'putOff',
        why: 'completion under fence 1 refused: led under fence 2 now',
      })
      expect((await record())?.completion).toBeUndefined()
      expect(lines).toContain('warn completion under fence 1 refused: led under fence 2 now')
    })

    describe.each([
      ['done', 'completed', async () => 'done'],
      ['failed for good', 'failed', fails],
    ])('that has %s, where that cannot be recorded', (_, outcome, handler) => {
      it('is recorded when it can be, and is not run again', async () => {
        const { submit, run, records, record } = world()
        await submit({ ifExecutorDies: 'fail' })
        records.isDown = true
        const handled = vi.fn(handler)
        const end = run(handled, { isLast: true })
        await vi.advanceTimersByTimeAsync(3 * GATE_TTL_MS)
        expect((await record())?.completion).toBeUndefined()
        records.isDown = false
        await vi.advanceTimersByTimeAsync(1_000)
        expect(await end).toMatchObject({ kind: outcome })
        expect((await record())?.completion).toMatchObject({ outcome })
        expect(handled).toHaveBeenCalledTimes(1)
      })

      it('is not known how it ended, where the worker stops meanwhile', async () => {
        const { submit, run, records, record, gate, stopping } = world()
        await submit()
        records.isDown = true
        const end = run(handler, { isLast: true })
        end.catch(() => {})
        await vi.advanceTimersByTimeAsync(2_000)
        stopping.abort(new WorkerStop(1_000))
        await vi.advanceTimersByTimeAsync(2_000)
        await expect(end).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
        expect((await record())?.completion).toBeUndefined()
        expect(gate.holder(id)).toBeUndefined()
      })
    })
  })

  describe('the deadline of a submission', () => {
    it('has the end of the round shown', async () => {
      const { submit, run, told } = world()
      await submit({ deadlineMs: 60_000 })
      await run(async () => 'done')
      expect(told).toEqual(['night completed'])
    })

    it('is left to the sweeper where the queue does not answer', async () => {
      const { submit, run, trouble, records, lines } = world()
      await submit({ deadlineMs: 60_000 })
      records.acknowledge(id, 'submitted', await records.read(id))
      trouble.isDown = true
      expect((await run(async () => 'done')).kind).toBe('completed')
      expect((await records.outbox(0, 10)).map(({ step }) => step)).toEqual(['finished'])
      expect(lines).toEqual([expect.stringMatching(/^warn .*sweeper/)])
    })
  })
})

it('an attempt is put off where the gate has no majority', async () => {
  isWithin = false
  const { run, gate } = world()
  gate.pass = async () => ({ kind: 'noMajority', detail: '1 for, 1 held by others' })
  expect(await run(vi.fn())).toMatchObject({
    kind: 'putOff',
    why: 'the gate has no majority: 1 for, 1 held by others',
  })
})
