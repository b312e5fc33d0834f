import { afterEach, describe, expect, it, vi } from 'vitest'
import type { StoreMarks } from '../../src/core/rounds/round-ports.ts'
import { GoneError } from '../../src/errors.ts'
import { Calm } from '../../src/service/calm.ts'
import { StoreWatch } from '../../src/service/store-watch.ts'
import { type MemoryMark, MemoryMarks } from '../../src/store/memory-marks.ts'
import { notedLog } from '../support/noted-log.ts'

const START_MS = Date.parse('2026-11-22T08:00:00Z')

afterEach(() => {
  vi.useRealTimers()
})

/** A store of these parts that can be down in one of them, and the watches of any number of processes on it. */
function world(...parts: string[]) {
  const marks = new Map<string, MemoryMark>()
  const down = new Set<string>()
  const state = { nowMs: START_MS, looks: 0 }
  function watch() {
    const { log, lines } = notedLog()
    const memory = new MemoryMarks(marks, () => state.nowMs, parts.length > 0 ? parts : undefined)
    const shaky: StoreMarks = {
      parts: memory.parts,
      async beat(part, known) {
        state.looks += 1
        if (down.has(part)) throw new GoneError('STORE_UNAVAILABLE', 'down')
        return memory.beat(part, known)
      },
    }
    const onLoss = vi.fn()
    const said = () => lines.filter((line) => line.startsWith('error '))
    const calm = new Calm(() => performance.now())
    const watch = new StoreWatch({ marks: shaky, onLoss, calm, isSettled: () => true, log })
    return { watch, calm, said, onLoss }
  }
  return { marks, down, state, process: watch }
}

describe('the watch of the store', () => {
  it('says nothing of a store that keeps what it acknowledged, empty at first, with other processes on it', async () => {
    const { process, marks } = world()
    const [one, two] = [process(), process()]
    for (let n = 0; n < 5; n += 1) await Promise.all([one, two].map(({ watch }) => watch.check()))
    expect(marks.get('store')?.beat).toBe(10)
    expect([one, two].map(({ watch, said }) => [watch.losses, watch.loss, said()])).toEqual(
      Array(2).fill([0, undefined, []]),
    )
  })

  it('says once that the store was emptied, from when, and has what is known written again', async () => {
    const { process, marks, state } = world()
    const { watch, said, onLoss } = process()
    await watch.check()
    marks.clear()
    state.nowMs += 60_000
    for (let n = 0; n < 3; n += 1) await watch.check()
    expect(watch.losses).toBe(1)
    expect(onLoss).toHaveBeenCalledTimes(1)
    expect(said()).toEqual([`error ${watch.loss}`])
    expect(watch.loss).toMatch(
      /^noticed 2026-11-22T08:01:00.000Z: Redis has lost what it acknowledged before 2026-11-22T08:01:00.000Z: it is empty, .*docs\/redis\.md/,
    )
  })

  it('says since when a store that is back at an earlier state has lost what it acknowledged', async () => {
    const { process, marks, state } = world()
    const { watch } = process()
    await watch.check()
    const backup = new Map(marks)
    state.nowMs += 60_000
    await watch.check()
    for (const [part, mark] of backup) marks.set(part, mark)
    state.nowMs += 60_000
    await watch.check()
    expect(watch.loss).toMatch(
      /acknowledged since 2026-11-22T08:00:00.000Z: it is back at an earlier state, as/,
    )
  })

  it('tells every process of a loss that one of them has found', async () => {
    const { process, marks } = world()
    const [one, two] = [process(), process()]
    for (const { watch } of [one, two]) await watch.check()
    marks.clear()
    for (const { watch } of [one, two, one, two]) await watch.check()
    expect([one, two].map(({ watch }) => watch.losses)).toEqual([1, 1])
    expect(two.watch.loss).toContain('it has another mark: another server has found')
  })

  it('takes parts that are lost together for one loss, and those that are lost one after the other for two', async () => {
    const { process, marks } = world('left', 'right')
    const { watch, said } = process()
    await watch.check()
    marks.clear()
    await watch.check()
    expect(watch.losses).toBe(1)
    for (const part of ['left', 'right']) {
      marks.delete(part)
      await watch.check()
    }
    expect([watch.losses, said().length]).toEqual([3, 3])
  })

  it('takes no trouble for a loss, and sees what is lost in another part meanwhile and in that one afterwards', async () => {
    const { process, marks, down } = world('left', 'right')
    const { watch } = process()
    await watch.check()
    down.add('left')
    marks.delete('left')
    await watch.check()
    expect(watch.losses).toBe(0)
    marks.delete('right')
    await watch.check()
    expect(watch.losses).toBe(1)
    down.clear()
    await watch.check()
    expect(watch.losses).toBe(2)
  })

  it('looks by itself about once a second once it is started, also after trouble, until it is stopped', async () => {
    vi.useFakeTimers()
    const { process, down, state } = world()
    const { watch } = process()
    watch.start()
    watch.start()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(state.looks).toBeGreaterThanOrEqual(8)
    expect(state.looks).toBeLessThanOrEqual(14)
    down.add('store')
    await vi.advanceTimersByTimeAsync(5_000)
    const before = state.looks
    down.clear()
    await vi.advanceTimersByTimeAsync(5_000)
    expect(state.looks).toBeGreaterThan(before)
    await Promise.all([watch.stop(), watch.stop()])
    const last = state.looks
    await vi.advanceTimersByTimeAsync(10_000)
    expect(state.looks).toBe(last)
  })
})
