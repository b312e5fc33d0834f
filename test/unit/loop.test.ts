import { afterEach, expect, it, vi } from 'vitest'
import { Loop, type LoopTerms } from '../../src/service/loop.ts'

const LONG_MS = 3_600_000

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const loopOf = (work: () => Promise<unknown>, terms: Partial<LoopTerms> = {}) =>
  new Loop({ everyMs: LONG_MS, work, putOff: expect.unreachable, ...terms })

it('does work again at once while there is more, and ends in the middle of a pause when it is stopped', async () => {
  let rounds = 0
  const loop = loopOf(async () => ++rounds < 3)
  loop.start()
  await expect.poll(() => rounds).toBe(3)
  await loop.stop()
  expect(rounds).toBe(3)
})

it('goes on after work that failed, and says why', async () => {
  const causes: string[] = []
  const loop = loopOf(() => Promise.reject(new Error('down')), {
    everyMs: 1,
    putOff: (cause) => causes.push(cause),
  })
  loop.start()
  await expect.poll(() => causes.length).toBeGreaterThanOrEqual(3)
  await loop.stop()
  expect(new Set(causes)).toEqual(new Set(['Error: down']))
})

it('ends only when the work that is under way has, however often it is stopped', async () => {
  let endWork = () => {}
  const work = new Promise<void>((resolve) => {
    endWork = resolve
  })
  const ended: string[] = []
  const loop = loopOf(() => work)
  loop.start()
  const stops = ['first', 'second'].map((stop) => loop.stop().then(() => ended.push(stop)))
  expect(loop.signal.aborted).toBe(true)
  await new Promise(setImmediate)
  expect(ended).toEqual([])
  endWork()
  await Promise.all(stops)
  expect(ended).toEqual(['first', 'second'])
})

it('is one loop however often it is started, and none once it was stopped', async () => {
  let rounds = 0
  const loop = loopOf(async () => {
    rounds += 1
  })
  loop.start()
  loop.start()
  await loop.stop()
  loop.start()
  await loop.stop()
  expect(rounds).toBe(1)

  const stopped = loopOf(() => expect.unreachable())
  await stopped.stop()
  stopped.start()
  await stopped.stop()
})

/** The pauses of a loop whose work fails the second time, where the lot is the highest there is. */
async function pausesOf(terms: Partial<LoopTerms>): Promise<number[]> {
  vi.useFakeTimers()
  vi.spyOn(Math, 'random').mockReturnValue(1)
  const atMs: number[] = []
  const work = async () => {
    atMs.push(Date.now())
    if (atMs.length === 2) throw new Error('down')
  }
  const loop = loopOf(work, { everyMs: 1_000, putOff: () => {}, ...terms })
  loop.start()
  await vi.advanceTimersByTimeAsync(4_000)
  await loop.stop()
  return atMs.slice(1).map((ms, index) => ms - (atMs[index] as number))
}

it.each([
  ['a quarter more or less, after trouble too', {}, [1_250, 1_250, 1_250]],
  ['that very time where it is even', { isEven: true }, [1_000, 1_000, 1_000, 1_000]],
  ['another time after trouble', { isEven: true, againMs: 200 }, [1_000, 200, 1_000, 1_000]],
])('pauses %s', async (_, terms, pauses) => {
  expect(await pausesOf(terms)).toEqual(pauses)
})
