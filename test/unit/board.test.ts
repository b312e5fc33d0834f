import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import type { SeenRound } from '../../src/core/rounds/round-ports.ts'
import { Board } from '../../src/service/rounds/board.ts'
import { notedLog } from '../support/noted-log.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

function seen(round: string): SeenRound {
  const record = { leader: 'a', identity: tokenIdentity('a'), fence: 1, electedAtMs: 0, deadlineMs: 60_000 }
  return { id: { system: 'shop', round }, nowMs: 0, record }
}

/** A board, and a queue that takes a while for each batch. */
function world(tookMs = 1) {
  const batches: string[][] = []
  const acknowledged: string[] = []
  const trouble = { isDown: false, inHand: new Set<string>() }
  const { log, lines } = notedLog()
  const board = new Board({
    records: { acknowledge: (id, step) => void acknowledged.push(`${step} ${id.round}`) },
    queue: {
      async show(rounds) {
        await new Promise((resolve) => setTimeout(resolve, tookMs))
        if (trouble.isDown) throw new Error('queue down')
        batches.push(rounds.map(({ id }) => id.round))
        return rounds.map(({ id }) => !trouble.inHand.has(id.round))
      },
      counts: async () => ({}),
    },
    log,
  })
  return { board, batches, acknowledged, trouble, lines }
}

describe('the board', () => {
  it('is told behind the answer, together with what comes meanwhile, in its order, and acknowledges what it shows', async () => {
    const { board, batches, acknowledged, trouble } = world()
    trouble.inHand.add('b')
    await board.tell(seen('a'), 'finished')
    await board.tell(seen('b'), 'finished')
    await board.tell(seen('a'), 'led')
    expect([batches, board.backlog]).toEqual([[], 3])
    await vi.advanceTimersByTimeAsync(99)
    expect([batches, board.backlog]).toEqual([[['a', 'b', 'a']], 0])
    expect(acknowledged).toEqual(['finished a', 'led a'])
  })

  it('is told in batches of a bounded size, one after the other', async () => {
    const { board, batches } = world()
    const names = Array.from({ length: 250 }, (_, n) => String(n))
    for (const name of names) void board.tell(seen(name), 'finished')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(batches.map(({ length }) => length)).toEqual([100, 100, 50])
    expect(batches.flat()).toEqual(names)
  })

  it('has callers wait where too much is still to be told, and only then', async () => {
    const { board, batches } = world(100)
    let told = 0
    const tell = (n: number) => board.tell(seen(String(n)), 'finished').then(() => (told += 1))
    const all = Array.from({ length: 10_000 }, (_, n) => tell(n))
    await vi.advanceTimersByTimeAsync(1)
    expect(told).toBe(10_000)
    const more = [tell(10_000), tell(10_001)]
    await vi.advanceTimersByTimeAsync(50)
    expect([told, board.backlog]).toEqual([10_000, 10_000])
    await vi.advanceTimersByTimeAsync(150)
    expect(told).toBe(10_002)
    await vi.advanceTimersByTimeAsync(60_000)
    await Promise.all([...all, ...more])
    expect([batches.flat().length, board.backlog]).toEqual([10_002, 0])
  })

  it('has no caller wait for longer than two seconds, nor more to remember than it may: the sweeper has the rest', async () => {
    const { board, batches } = world(30_000)
    for (let n = 0; n < 10_000; n += 1) void board.tell(seen(String(n)), 'finished')
    let answered = 0
    for (let n = 0; n < 1_000; n += 1)
      void board.tell(seen(`late-${n}`), 'finished').then(() => {
        answered += 1
      })
    await vi.advanceTimersByTimeAsync(1_900)
    expect([answered, board.backlog]).toEqual([0, 10_000])
    await vi.advanceTimersByTimeAsync(200)
    expect([answered, board.backlog]).toEqual([1_000, 10_000])
    await vi.advanceTimersByTimeAsync(30_000 * 101)
    expect([batches.flat().length, board.backlog]).toEqual([10_000, 0])
  })

  it('leaves to the sweeper what the queue does not take, and goes on with the next', async () => {
    const { board, batches, acknowledged, trouble, lines } = world()
    trouble.isDown = true
    await board.tell(seen('a'), 'finished')
    await vi.advanceTimersByTimeAsync(100)
    expect([acknowledged, board.backlog]).toEqual([[], 0])
    expect(lines).toEqual([
      expect.stringMatching(/^warn rounds not shown on the board yet; the sweeper will/),
    ])
    trouble.isDown = false
    await board.tell(seen('b'), 'finished')
    await vi.advanceTimersByTimeAsync(100)
    expect(batches).toEqual([['b']])
  })

  it('is told all that is left when it is stopped', async () => {
    const { board, acknowledged } = world()
    for (let n = 0; n < 1_000; n += 1) void board.tell(seen(String(n)), 'finished')
    const stopped = Promise.all([board.stop(), board.stop()])
    await vi.advanceTimersByTimeAsync(1_000)
    await stopped
    expect([acknowledged.length, board.backlog]).toEqual([1_000, 0])
  })
})
