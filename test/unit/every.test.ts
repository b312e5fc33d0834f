import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Lead, OnceOptions } from '../../src/client/once.ts'
import { type EveryOptions, every, GoneError, type SlotRun, type Turn } from '../../src/index.ts'

const START = Date.parse('2026-11-22T07:59:58.000Z')
const HOUR_MS = 3_600_000
/** By how much a slot may be late in these tests, where answers take no time: its clock is on the safe side. */
const LATE_MS = 40

/** A client whose server is a clock, and an election that is always won unless told otherwise. */
function fakeClient({ offsetMs = 0 } = {}) {
  const asked: { round: string; candidate: string | undefined; atMs: number }[] = []
  const server = {
    asked,
    offsetMs,
    isUp: true,
    answer: undefined as (() => Promise<unknown>) | undefined,
    client: {
      async once<Result>(
        _: string,
        round: string,
        work: (lead: Lead) => Promise<Result> | Result,
        options?: OnceOptions,
      ) {
        asked.push({ round, candidate: options?.candidate, atMs: Date.now() })
        if (!server.isUp) throw new GoneError('SERVER_UNREACHABLE', 'down')
        await server.answer?.()
        const signal = options?.signal ?? new AbortController().signal
        return { kind: 'ran' as const, result: await work({ fence: 1, signal }), fence: 1 }
      },
      async slot() {
        if (!server.isUp) throw new GoneError('SERVER_UNREACHABLE', 'down')
        const now = new Date(Date.now() + server.offsetMs)
        return { slot: '', at: now, now }
      },
    },
  }
  return server
}

type Fake = ReturnType<typeof fakeClient>

const running: { stop(): Promise<void> }[] = []

function start(times: string, fake: Fake, options: Partial<EveryOptions> = {}) {
  const turns: Turn[] = []
  const errors: { error: unknown; about: SlotRun }[] = []
  const work = { handler: (_: Turn): unknown => undefined }
  const cron = every(
    times,
    {
      client: fake.client,
      system: 'reports',
      onError: (error, about) => errors.push({ error, about }),
      ...options,
    },
    (turn) => {
      turns.push(turn)
      return work.handler(turn)
    },
  )
  running.push(cron)
  return { cron, turns, errors, work, slots: () => turns.map(({ slot }) => slot) }
}

beforeEach(() => {
  vi.useFakeTimers({ now: START, toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
})

afterEach(async () => {
  const stopping = Promise.all(running.splice(0).map((cron) => cron.stop()))
  await vi.advanceTimersByTimeAsync(60_000)
  await stopping
  vi.useRealTimers()
})

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
/** What a sleeping machine sees when it wakes: another time, and timers that have not moved. */
const sleep = (ms: number) => vi.setSystemTime(Date.now() + ms)

describe('every', () => {
  it('asks for each slot when it is due, under its key', async () => {
    const fake = fakeClient()
    const { turns, slots } = start('*/30 * * * * *', fake, { tz: 'Europe/Berlin' })
    await pass(1_999)
    expect(slots()).toEqual([])
    await pass(1 + LATE_MS)
    await pass(60_000)
    expect(slots()).toEqual([
      '2026-11-22T09:00:00+01:00',
      '2026-11-22T09:00:30+01:00',
      '2026-11-22T09:01:00+01:00',
    ])
    expect(turns[0]).toMatchObject({
      system: 'reports',
      round: '2026-11-22T09:00:00+01:00',
      at: new Date('2026-11-22T08:00:00Z'),
      fence: 1,
    })
    for (const [n, { atMs }] of fake.asked.entries()) {
      const lateMs = atMs - START - 2_000 - n * 30_000
      expect(lateMs).toBeGreaterThanOrEqual(0)
      expect(lateMs).toBeLessThanOrEqual(LATE_MS)
    }
  })

  it('takes a duration, and a name that tells several of one system apart', async () => {
    const fake = fakeClient()
    start('15m', fake, { name: 'cleanup' })
    await pass(3_000)
    expect(fake.asked.map(({ round }) => round)).toEqual(['cleanup@2026-11-22T08:00:00+00:00'])
  })

  it.each([-30_000, 30_000])(
    'fires by the clock of the servers where that here is %s ms off',
    async (skewMs) => {
      const fake = fakeClient({ offsetMs: -skewMs })
      vi.setSystemTime(START + skewMs)
      const { slots } = start('@hourly', fake)
      await pass(1_999)
      expect(slots()).toEqual([])
      await pass(1 + LATE_MS)
      expect(slots()).toEqual(['2026-11-22T08:00:00+00:00'])
    },
  )

  it.each<[string, { askMs?: number; answerMs?: number; stepMs?: number }, number]>([
    ['the question takes long', { askMs: 1_700 }, 0],
    ['the answer takes long', { answerMs: 1_700 }, 1_700],
    ['the clock here is set on by a little', { stepMs: 400 }, 0],
  ])('is never early where %s', async (_, { askMs = 0, answerMs = 0, stepMs = 0 }, lateMs) => {
    const fake = fakeClient()
    const { slot } = fake.client
    fake.client.slot = async () => {
      await new Promise((resolve) => setTimeout(resolve, askMs))
      const answer = await slot()
      await new Promise((resolve) => setTimeout(resolve, answerMs))
      return answer
    }
    vi.setSystemTime(START - 8_000)
    const startedMs = performance.now()
    const firedMs: number[] = []
    const { work } = start('@hourly', fake)
    work.handler = () => firedMs.push(performance.now() - startedMs)
    await pass(5_000)
    vi.setSystemTime(Date.now() + stepMs)
    await pass(10_000)
    expect(firedMs).toHaveLength(1)
    expect(firedMs[0]).toBeGreaterThanOrEqual(10_000)
    expect(firedMs[0]).toBeLessThanOrEqual(10_000 + lateMs + LATE_MS)
  })

  it('asks for the time again when the clock was set', async () => {
    const fake = fakeClient()
    const { slots } = start('@hourly', fake)
    await pass(5_000)
    vi.setSystemTime(Date.now() + 2 * HOUR_MS)
    fake.offsetMs = -2 * HOUR_MS
    await pass(60_000)
    expect(slots()).toEqual(['2026-11-22T08:00:00+00:00'])
    await pass(HOUR_MS)
    expect(slots()).toEqual(['2026-11-22T08:00:00+00:00', '2026-11-22T09:00:00+00:00'])
  })

  it('goes on by the clock here while no server is there to be asked', async () => {
    const fake = fakeClient()
    fake.isUp = false
    const { slots } = start('@hourly', fake)
    await pass(1_000)
    fake.isUp = true
    await pass(1_000)
    expect(slots()).toEqual(['2026-11-22T08:00:00+00:00'])
  })

  it('runs only the latest of the slots that a sleeping machine has missed', async () => {
    const fake = fakeClient()
    const { slots } = start('@hourly', fake)
    await pass(10_000)
    sleep(3.5 * HOUR_MS)
    await pass(15_000)
    expect(slots()).toEqual(['2026-11-22T08:00:00+00:00', '2026-11-22T11:00:00+00:00'])
  })

  it('waits for a slot that is further away than a timer can be', async () => {
    const timers = vi.spyOn(globalThis, 'setTimeout')
    const fake = fakeClient()
    const { slots } = start('0 0 1 1 *', fake)
    await pass(60_000)
    expect(Math.max(...timers.mock.calls.map(([, ms]) => ms ?? 0))).toBeLessThanOrEqual(15_000)
    vi.setSystemTime(Date.parse('2026-12-31T23:59:30Z'))
    await pass(29_000)
    expect(slots()).toEqual([])
    await pass(16_000)
    expect(slots()).toEqual(['2027-01-01T00:00:00+00:00'])
  })

  it('runs both slots that are due at the end of a gap', async () => {
    vi.setSystemTime(Date.parse('2026-03-29T00:59:59Z'))
    const { slots } = start('0 2,3 * * *', fakeClient(), { tz: 'Europe/Berlin' })
    await pass(1_000 + LATE_MS)
    expect(slots()).toEqual(['2026-03-29T02:00:00+01:00', '2026-03-29T03:00:00+02:00'])
  })

  it('asks again as the same candidate while no server answers, until the next slot is due', async () => {
    const fake = fakeClient()
    const { slots, errors } = start('* * * * *', fake)
    await pass(1_000)
    fake.isUp = false
    await pass(58_000)
    expect(new Set(fake.asked.map(({ candidate }) => candidate)).size).toBe(1)
    expect(fake.asked.length).toBeGreaterThan(5)
    await pass(5_000)
    expect(errors.map(({ about }) => about.slot)).toEqual(['2026-11-22T08:00:00+00:00'])
    expect(errors[0]?.error).toMatchObject({ code: 'SERVER_UNREACHABLE' })
    fake.isUp = true
    await pass(20_000)
    expect(slots()).toEqual(['2026-11-22T08:01:00+00:00'])
  })

  it('tells what the handler threw, and does not run it again', async () => {
    const fake = fakeClient()
    const { cron, errors, work, turns } = start('@hourly', fake)
    work.handler = () => Promise.reject(new GoneError('STORE_UNAVAILABLE', 'the handler says so'))
    await pass(30_000)
    expect(turns).toHaveLength(1)
    expect(errors).toMatchObject([{ error: { code: 'STORE_UNAVAILABLE' } }])
    await cron.stop()
  })

  it('writes errors to the console where nobody wants to be told', async () => {
    const written = vi.spyOn(console, 'error').mockImplementation(() => {})
    const fake = fakeClient()
    every('@hourly', { client: fake.client, system: 'a' }, () => {
      throw new Error('no paper')
    })
    await pass(3_000)
    expect(written).toHaveBeenCalledWith('gone: a 2026-11-22T08:00:00+00:00:', expect.any(Error))
    written.mockRestore()
  })

  it('stops when what runs has ended, and begins nothing more', async () => {
    const fake = fakeClient()
    const { cron, work, turns } = start('*/10 * * * * *', fake)
    let finish = () => {}
    work.handler = () => new Promise<void>((resolve) => (finish = resolve))
    await pass(3_000)
    expect(turns).toHaveLength(1)
    let hasStopped = false
    const stopped = Promise.all([cron.stop(), cron.stop()]).then(() => {
      hasStopped = true
    })
    await pass(30_000)
    expect(hasStopped).toBe(false)
    expect(turns[0]?.signal.aborted).toBe(false)
    finish()
    await stopped
    expect(turns).toHaveLength(1)
    await cron.ended
  })

  it('stops when what runs has ended also where others stand by, and then aborts nothing but by the signal', async () => {
    const fake = fakeClient()
    const ending = new AbortController()
    const { cron, work, turns } = start('@hourly', fake, { wait: '10m', signal: ending.signal })
    let finish = () => {}
    work.handler = () => new Promise<void>((resolve) => (finish = resolve))
    await pass(3_000)
    const stopped = cron.stop()
    await pass(1_000)
    expect(turns[0]?.signal.aborted).toBe(false)
    ending.abort()
    expect(turns[0]?.signal.aborted).toBe(true)
    finish()
    await stopped
  })

  it('stands by no more when it is stopped', async () => {
    const fake = fakeClient()
    const { cron, turns, errors } = start('@hourly', fake, { wait: '10m' })
    const standing: (AbortSignal | undefined)[] = []
    fake.client.once = (_system, _round, _work, options) => {
      standing.push(options?.signal)
      return new Promise((_, reject) => {
        options?.signal?.addEventListener('abort', () => reject(new Error('aborted')))
      })
    }
    await pass(3_000)
    expect(standing).toHaveLength(1)
    await cron.stop()
    expect(standing[0]?.aborted).toBe(true)
    expect([turns, errors]).toEqual([[], []])
  })

  it('stops at once while no server answers', async () => {
    const fake = fakeClient()
    fake.isUp = false
    const { cron, errors } = start('@hourly', fake)
    await pass(3_000)
    await cron.stop()
    expect(errors).toEqual([])
  })

  it('is ended by a signal, which aborts what runs', async () => {
    const fake = fakeClient()
    const ending = new AbortController()
    const { cron, work, turns } = start('@hourly', fake, { signal: ending.signal })
    work.handler = ({ signal }) =>
      new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    await pass(3_000)
    ending.abort()
    await cron.ended
    expect(turns[0]?.signal.aborted).toBe(true)
  })

  it.each([
    ['61 * * * *', {}, /^cron: expected/],
    ['500ms', {}, /^every: expected whole seconds/],
    ['@hourly', { tz: 'Mars' }, /^tz: expected/],
    ['@hourly', { system: 'a/b' }, /^system: must not/],
    ['@hourly', { name: 'x'.repeat(120) }, /^round: expected 1 to 128 bytes/],
  ])('refuses %s %o at once', (times, options, message) => {
    expect(() => start(times, fakeClient(), options)).toThrow(message)
  })
})
