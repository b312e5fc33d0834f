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
  /** Those at all systems in use. */
  sweeps = 0
  /** What was looked for by name. */
  readonly named: string[] = []
  override async due(limit: number, expected?: readonly string[]) {
    this.looks += 1
    if (expected === undefined) this.sweeps += 1
    else this.named.push(...expected)
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
    watch.expect(1_500, 'shop')
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

  it('looks at all systems in use no oftener than every five seconds, however often a deadline comes', async () => {
    const { records, told, watch } = world()
    for (let n = 0; n < 300; n += 1)
      await records.decide(round(String(n)), anna, { deadlineMs: 1_000 + n * 200 })
    watch.start()
    await vi.advanceTimersByTimeAsync(62_000)
    expect(told).toHaveLength(300)
    expect(records.sweeps).toBeGreaterThanOrEqual(11)
    expect(records.sweeps).toBeLessThanOrEqual(13)
    await watch.stop()
  })

  it('looks by name for a deadline that it has set and that comes before it sweeps again, and for none other', async () => {
    const { records, told, watch } = world()
    watch.start()
    await vi.advanceTimersByTimeAsync(1_000)
    for (const [system, deadlineMs] of [
      ['soon', 1_000],
      ['later', 60_000],
    ] as const) {
      await records.decide({ system, round: 'r' }, anna, { deadlineMs })
      watch.expect(deadlineMs, system)
    }
    await vi.advanceTimersByTimeAsync(1_500)
    expect([told, new Set(records.named)]).toEqual([['overdue r'], new Set(['soon'])])
    await watch.stop()
  })

  it('looks by name also where a sweep comes first, which may have left that system out', async () => {
    const { records, told, watch } = world()
    const due = records.due.bind(records)
    records.due = async (limit, expected) =>
      expected?.includes('soon') ? due(limit, expected) : { due: [], nextInMs: Number.POSITIVE_INFINITY }
    watch.start()
    await vi.advanceTimersByTimeAsync(1_000)
    await records.decide({ system: 'soon', round: 'r' }, anna, { deadlineMs: 3_990 })
    // Comes just before the next sweep.
    watch.expect(3_990, 'soon')
    await vi.advanceTimersByTimeAsync(5_000)
    expect(told).toEqual(['overdue r'])
    await watch.stop()
  })

  it('judges the others where one cannot be judged, and that one as soon as it can be', async () => {
    const { records, told, watch, lines } = world()
    for (const name of ['bad', 'good', 'better'])
      await records.decide(round(name), anna, { deadlineMs: 1_000 })
    const expire = records.expire.bind(records)
    records.expire = async (id) => {
      if (id.round === 'bad') throw new Error('its node is away')
      return expire(id)
    }
    watch.start()
    await vi.advanceTimersByTimeAsync(2_000)
    expect(told).toEqual(['overdue good', 'overdue better'])
    expect(lines).toContain('debug deadline not judged yet')
    records.expire = expire
    await vi.advanceTimersByTimeAsync(7_000)
    expect(told).toEqual(['overdue good', 'overdue better', 'overdue bad'])
    await watch.stop()
  })

  it('says what was not looked at, and judges the rest', async () => {
    const { records, told, watch, lines } = world()
    await records.decide(round('late'), anna, { deadlineMs: 1_000 })
    const due = records.due.bind(records)
    records.due = async (...all) => ({ ...(await due(...all)), trouble: new Error('a node is away') })
    watch.start()
    await vi.advanceTimersByTimeAsync(7_000)
    expect(told).toEqual(['overdue late'])
    expect(lines).toContain('debug deadlines of some systems not looked at')
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
