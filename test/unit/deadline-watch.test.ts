import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import type { RoundId } from '../../src/core/rounds/round.ts'
import { DeadlineWatch } from '../../src/service/rounds/deadline-watch.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { notedLog } from '../support/noted-log.ts'

const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const round = (name: string): RoundId => ({ system: 'shop', round: name })

class CountedRecords extends MemoryRecords {
  looks = 0
  override async due(limit: number) {
    this.looks += 1
    return super.due(limit)
  }
}

/** A server whose own clock is an hour ahead of Redis'. */
function world() {
  const records = new CountedRecords(() => Date.now())
  const told: string[] = []
  const { log, lines } = notedLog()
  const watch = new DeadlineWatch({
    records,
    tell: async (id, step) => void told.push(`${step} ${id.round}`),
    log,
    nowMs: () => Date.now() + 3_600_000,
  })
  return { records, told, lines, watch }
}

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

describe('the watch of deadlines', () => {
  it('turns rounds red that nobody reported or started, soon after their deadline, each once', async () => {
    const { records, told, lines, watch } = world()
    watch.start()
    await vi.advanceTimersByTimeAsync(1_000)
    await records.decide(round('led'), anna, { deadlineMs: 1_500 })
    watch.expect(1_500)
    const work = { queue: 'mailer', data: null, queueTerms: {}, runTerms: { deadlineMs: 2_000 } }
    await records.submit(round('submitted'), work)
    await records.decide(round('ended'), anna, { deadlineMs: 1_500 })
    await records.complete(round('ended'), anna, { outcome: 'completed', detail: '' }, { deadlineMs: 1_500 })
    await vi.advanceTimersByTimeAsync(1_499)
    expect(told).toEqual([])
    await vi.advanceTimersByTimeAsync(1_500)
    // The second was found when the first was looked for.
    expect(told).toEqual(['overdue led', 'overdue submitted'])
    expect(lines).toEqual([
      expect.stringMatching(/^warn not reported by its deadline/),
      expect.stringMatching(/^warn not started by its deadline/),
    ])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(told).toHaveLength(2)
    await watch.stop()
  })

  it('finds within seconds what another process has put on watch, and asks no oftener than that', async () => {
    const { records, told, watch } = world()
    watch.start()
    await vi.advanceTimersByTimeAsync(60_000)
    expect(records.looks).toBeLessThanOrEqual(13)
    await records.decide(round('elsewhere'), anna, { deadlineMs: 1_000 })
    await vi.advanceTimersByTimeAsync(7_000)
    expect(told).toEqual(['overdue elsewhere'])
    await watch.stop()
  })

  it('judges all that is due, however much it is, and goes on after trouble', async () => {
    const { records, told, watch } = world()
    for (let n = 0; n < 1_200; n += 1) await records.decide(round(String(n)), anna, { deadlineMs: 1_000 })
    await vi.advanceTimersByTimeAsync(2_000)
    const due = records.due.bind(records)
    records.due = () => Promise.reject(new Error('down'))
    watch.start()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(told).toEqual([])
    records.due = due
    await vi.advanceTimersByTimeAsync(10_000)
    expect(told).toHaveLength(1_200)
    await watch.stop()
  })
})
