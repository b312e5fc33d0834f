import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { callIdentity } from '../../src/core/rounds/candidate.ts'
import type { ElectionRuling } from '../../src/core/rounds/round-ports.ts'
import { GoneError } from '../../src/errors.ts'
import { RateLimit } from '../../src/http/access/rate-limit.ts'
import { Elector } from '../../src/service/rounds/elector.ts'
import { RoundMemory } from '../../src/service/rounds/round-memory.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { CountedMap } from '../support/counted-map.ts'
import { silentLog } from '../support/log.ts'

const nowMs = () => 0
const record = { leader: 'l', identity: 't', fence: 1, electedAtMs: 0, deadlineMs: 60_000 }

beforeEach(() => {
  vi.stubGlobal('Map', CountedMap)
  CountedMap.steps = 0
})
afterEach(() => {
  vi.unstubAllGlobals()
})

/** What one of these costs, in the first half of them and in the second, in which what was kept is full. */
async function stepsEach(
  count: number,
  run: (index: number) => unknown,
): Promise<{ filling: number; full: number }> {
  const half = async (from: number) => {
    const before = CountedMap.steps
    for (let index = from; index < from + count; index++) await run(index)
    return (CountedMap.steps - before) / count
  }
  return { filling: await half(0), full: await half(count) }
}

describe('what is kept up to a capacity costs no more when it is full', () => {
  it('as a walk to the oldest entry of a Map does', async () => {
    const queue = new Map<number, number>()
    const each = await stepsEach(2_000, (index) => {
      queue.set(index, index)
      const oldest = queue.keys().next()
      if (queue.size > 2_000 && !oldest.done) queue.delete(oldest.value)
    })
    expect(each.full).toBeGreaterThan(100 * each.filling)
  })

  it('rounds that are remembered', async () => {
    const memory = new RoundMemory(10_000, 0, nowMs)
    const each = await stepsEach(10_000, (index) => {
      memory.remember({ system: 's', round: String(index) }, { record, nowMs: 0 }, 0)
    })
    expect(each.filling).toBeGreaterThan(0)
    expect(each.full).toBeLessThan(2 * each.filling + 2)
    expect(memory.get('s~9999')).toBeUndefined()
    expect(memory.get('s~10000')).toBeDefined()
    expect(memory.get('s~19999')).toBeDefined()
  })

  it('callers whose requests are counted', async () => {
    const limit = new RateLimit(nowMs)
    const rate = { perSecond: 0.1, burst: 1 }
    const each = await stepsEach(50_000, (index) => limit.wait(`caller ${index}`, rate))
    expect(each.filling).toBeGreaterThan(0)
    expect(each.full).toBeLessThan(2 * each.filling + 2)
    expect(limit.wait('caller 99999', rate)).toBeGreaterThan(0)
    expect(limit.wait('caller 50000', rate)).toBeGreaterThan(0)
    expect(limit.wait('caller 0', rate)).toBe(0)
  })

  it('identities that may have become leader', async () => {
    const identities: string[] = []
    class DeadRecords extends MemoryRecords {
      override async decide(
        ...[, { identity }]: Parameters<MemoryRecords['decide']>
      ): Promise<ElectionRuling> {
        identities.push(identity)
        throw new GoneError('STORE_UNAVAILABLE', 'down')
      }
    }
    const records = new DeadRecords(nowMs)
    const memory = new RoundMemory(10, 0, nowMs)
    const deadlines = { expect() {} }
    const elector = new Elector({
      records,
      board: { async tell() {} },
      deadlines,
      memory,
      log: silentLog,
      nowMs,
    })
    const ask = (round: number) =>
      elector
        .elect(
          { system: 's', round: String(round) },
          { address: 'a', identity: callIdentity(`call-${identities.length}`) },
          { deadlineMs: 60_000 },
        )
        .catch(() => undefined)

    const each = await stepsEach(10_000, ask)
    expect(each.filling).toBeGreaterThan(0)
    expect(each.full).toBeLessThan(2 * each.filling + 2)
    await ask(19_999)
    expect(identities.at(-1)).toBe(callIdentity('call-19999'))
    await ask(9_999)
    expect(identities.at(-1)).toBe(callIdentity('call-20001'))
  })
})
