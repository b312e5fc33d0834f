import { describe, expect, it } from 'vitest'
import type { ApiKey } from '../../src/core/api-key.ts'
import { addressBlock } from '../../src/http/access/address-block.ts'
import { WaitShares } from '../../src/http/access/wait-shares.ts'
import { withinLabels } from '../../src/http/metrics/queue-labels.ts'
import { Shares } from '../../src/service/shares.ts'
import { MemoryLedger } from '../../src/store/shares/memory-ledger.ts'
import { silentLog } from '../support/log.ts'

describe('who is counted together', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:DB8:0:0:ffff::2', '2001:db8:0:0::/64'],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::1', '2001:db8:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1:2:3:4:5:6:7:8', '1:2:3:4::/64'],
    ['unknown', 'unknown'],
  ])('%s is of %s', (ip, block) => {
    expect(addressBlock(ip)).toBe(block)
  })
})

describe('the share of a key', () => {
  it('is 250 of the requests that wait, and takes nothing of another key', () => {
    const shares = new WaitShares()
    for (let n = 0; n < 250; n += 1) expect(shares.enter('greedy', 250)).toBe(true)
    expect([shares.enter('greedy', 250), shares.enter('other', 250)]).toEqual([false, true])
    shares.leave('greedy')
    expect([shares.enter('greedy', 250), shares.enter('greedy', 250)]).toEqual([true, false])
  })
})

describe('the queues that a metric names', () => {
  it('are 200 at most; of the rest the jobs are told together', () => {
    const counts = Object.fromEntries(
      Array.from({ length: 3_000 }, (_, n) => [`queue-${n}`, { waiting: n === 2_999 ? 5 : 0, failed: 1 }]),
    )
    const named = withinLabels(counts)
    expect(Object.keys(named)).toHaveLength(200)
    expect(named['queue-2999']).toEqual({ waiting: 5, failed: 1 })
    expect(named.other).toEqual({ waiting: 0, failed: 2_801 })
    const few = { a: { waiting: 1 } }
    expect(withinLabels(few)).toBe(few)
  })
})

describe('what a key has taken', () => {
  const key = { id: '0123456789ab', shares: { schedules: 3 } } as ApiKey

  function world() {
    const state = { nowMs: 0, there: new Set<string>(), looks: 0 }
    const isThere = async (name: string) => {
      state.looks += 1
      return state.there.has(name)
    }
    const shares = new Shares({
      ledger: new MemoryLedger(() => state.nowMs),
      isThere: { schedules: isThere, expectations: isThere, queuedBytes: isThere },
      nowMs: () => state.nowMs,
      log: silentLog,
    })
    const claim = (name: string) => shares.claim(key, 'schedules', name)
    return { state, shares, claim }
  }

  it('is what is there: what has ended is found when it would be too much, and looked for once a second', async () => {
    const { state, claim } = world()
    for (const name of ['a', 'b', 'c']) await claim(name)
    state.there = new Set(['a', 'c'])
    state.nowMs = 30_000
    await expect(claim('d')).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED', retryAfterS: 60 })
    state.nowMs = 60_000
    await claim('d')
    state.looks = 0
    for (let n = 0; n < 10; n += 1)
      await expect(claim(`more ${n}`)).rejects.toThrow(/its share of schedules: 3$/)
    expect(state.looks).toBe(0)
  })

  it('is looked at now and then, before it is too much', async () => {
    const { state, shares } = world()
    const big = { ...key, shares: {} } as ApiKey
    for (let n = 0; n < 63; n += 1) await shares.claim(big, 'schedules', `n${n}`)
    state.nowMs = 60_000
    await shares.claim(big, 'schedules', 'last')
    expect(state.looks).toBe(63)
  })
})
