import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Limits } from '../../src/service/rounds/limits.ts'
import { callAfter, eachAtOnce, endsWithin, pause, unlessAborted, within } from '../../src/waiting.ts'

const DAY_MS = 86_400_000
const never = new Promise<never>(() => {})

it('a time that has passed is none: no timer is told of less', async () => {
  const timer = vi.spyOn(globalThis, 'setTimeout')
  await pause(-1.2)
  expect(timer.mock.calls.map(([, ms]) => ms)).toEqual([0])
  timer.mockRestore()
})

describe('a time beyond the 24.8 days of a timer of the platform', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it.each([25, 30, 49.7, 60, 400])('of %d days is waited for to the millisecond', (days) => {
    const act = vi.fn()
    callAfter(days * DAY_MS, act)
    vi.advanceTimersByTime(days * DAY_MS - 1)
    expect(act).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(act).toHaveBeenCalledOnce()
  })

  it('that has no end is waited for as long', () => {
    const act = vi.fn()
    callAfter(Number.POSITIVE_INFINITY, act)
    vi.advanceTimersByTime(1_000 * DAY_MS)
    expect(act).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(1)
  })

  it('is called off in each of its stretches', () => {
    const act = vi.fn()
    const callOff = callAfter(60 * DAY_MS, act)
    vi.advanceTimersByTime(40 * DAY_MS)
    callOff()
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(40 * DAY_MS)
    expect(act).not.toHaveBeenCalled()
  })

  it('is the end of a promise that is not kept', async () => {
    const outcome = within(30 * DAY_MS, never, () => new Error('late')).catch(String)
    const isInTime = endsWithin(30 * DAY_MS, never)
    const paused = pause(30 * DAY_MS).then(() => 'paused')
    await vi.advanceTimersByTimeAsync(30 * DAY_MS - 1)
    expect(await Promise.race([outcome, isInTime, paused, Promise.resolve('nothing')])).toBe('nothing')
    await vi.advanceTimersByTimeAsync(1)
    expect(await Promise.all([outcome, isInTime, paused])).toEqual(['Error: late', false, 'paused'])
  })
})

it('leaves a handler 30 days where it was given them', async () => {
  const limits = new Limits(30 * DAY_MS)
  await pause(20)
  expect(limits.signal.aborted).toBe(false)
  limits.lift()
})

describe('a pause', () => {
  it('ends as soon as its signal is aborted, and at once where it was', async () => {
    const stop = new AbortController()
    const paused = pause(DAY_MS, stop.signal)
    stop.abort()
    await paused
    await pause(DAY_MS, stop.signal)
  })
})

describe('what is waited for so long', () => {
  it('has its outcome where that comes in time', async () => {
    expect(await within(DAY_MS, Promise.resolve(7), () => new Error('late'))).toBe(7)
    await expect(within(DAY_MS, Promise.reject(new Error('no')), () => new Error('late'))).rejects.toThrow(
      'no',
    )
    expect(await endsWithin(DAY_MS, Promise.resolve())).toBe(true)
    await expect(endsWithin(DAY_MS, Promise.reject(new Error('no')))).rejects.toThrow('no')
  })

  it('is given up with its time, and its failure after that is not reported', async () => {
    let fail = (_: Error) => {}
    const fails = new Promise<never>((_, reject) => {
      fail = reject
    })
    await expect(within(1, fails, () => new Error('late'))).rejects.toThrow('late')
    expect(await endsWithin(1, fails)).toBe(false)
    // A failure that nobody heard of would fail this test.
    fail(new Error('no'))
    await pause(1)
  })

  it('is given up with its signal, for the reason of that', async () => {
    const stop = new AbortController()
    const waiting = unlessAborted(stop.signal, never)
    stop.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
    await expect(unlessAborted(stop.signal, never)).rejects.toThrow('stopped')
    expect(await unlessAborted(new AbortController().signal, Promise.resolve(7))).toBe(7)
  })
})

describe('each of several at once', () => {
  it('is acted on once, never more than so many at a time, with results in order', async () => {
    let running = 0
    let most = 0
    const items = Array.from({ length: 100 }, (_, n) => n)
    const results = await eachAtOnce(7, items, async (n, index) => {
      running += 1
      most = Math.max(most, running)
      await pause(Math.random() * 3)
      running -= 1
      return `${n} ${index}`
    })
    expect(results).toEqual(items.map((n) => `${n} ${n}`))
    expect(most).toBe(7)
    expect(await eachAtOnce(7, [], async () => expect.unreachable())).toEqual([])
  })

  it('is not begun once one has failed, and those under way come to their end first', async () => {
    const begun: number[] = []
    const ended: number[] = []
    const acting = eachAtOnce(2, [0, 1, 2, 3], async (n) => {
      begun.push(n)
      if (n === 0) throw new Error('no')
      await pause(20)
      ended.push(n)
    })
    await expect(acting).rejects.toThrow('no')
    expect([begun, ended]).toEqual([[0, 1], [1]])
  })
})

it('is how all else waits: nothing but what waits for a fixed time sets a timer of its own', () => {
  const files = ['src', 'workers'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
  )
  const own = files.filter(
    (file) =>
      file.endsWith('.ts') &&
      /(?<!socket\.)\b(setTimeout|setInterval)\(|timers\/promises|AbortSignal\.timeout\(/.test(
        readFileSync(file, 'utf8'),
      ),
  )
  expect(own.filter((file) => !FIXED_TIMERS.includes(file))).toEqual([])
})
const FIXED_TIMERS = [
  'src/console/lib/ask.ts',
  'src/console/lib/place.ts',
  'src/console/lib/draw.ts',
  'src/console/lib/live.ts',
  'src/console/lib/often.ts',
  'src/console/lib/save.ts',
  'src/embedded/supervision.ts',
  'src/log-output.ts',
  'src/redis/heartbeat.ts',
  'src/app/process-usage.ts',
  'src/cli/demo/children.ts',
  'src/cli/demo/fleet-run.ts',
  'src/cli/demo/referee.ts',
  'src/cli/demo/releases.ts',
  'src/cli/demo/run.ts',
  'src/cli/demo/watch-for-the-end.ts',
  'src/cli/ready.ts',
  'src/embedded/redis-server.ts',
  'src/http/server.ts',
  'src/service/keyring.ts',
  'src/store/records/outbox.ts',
  'src/waiting.ts',
  'workers/hello.ts',
]
