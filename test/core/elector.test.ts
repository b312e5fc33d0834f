import { describe, expect, it } from 'vitest'
import { callIdentity, tokenIdentity } from '../../src/core/candidate.ts'
import { JOB_IDENTITY } from '../../src/core/job.ts'
import type { ElectionRuling, Gate, RoundQueue } from '../../src/core/ports.ts'
import { GoneError } from '../../src/errors.ts'
import { MemoryRecords } from '../../src/records/memory-records.ts'
import { Elector } from '../../src/service/elector.ts'
import { RoundMemory } from '../../src/service/round-memory.ts'
import { silentLog } from '../support/log.ts'

const id = { system: 's', round: 'r' }
const terms = { deadlineMs: 60_000 }
const anna = { address: 'a', identity: tokenIdentity('anna') }
let calls = 0
const nobody = () => ({ address: 'n', identity: callIdentity(`call-${calls++}`) })

/** Records that can lose the reply of a step that happened, or fail before it happens, and count what they are asked. */
class ShakyRecords extends MemoryRecords {
  decisions = 0
  trouble: 'none' | 'before' | 'after' = 'none'

  override async decide(...args: Parameters<MemoryRecords['decide']>): Promise<ElectionRuling> {
    this.decisions += 1
    if (this.trouble === 'before') throw new GoneError('STORE_UNAVAILABLE', 'down')
    const ruling = await super.decide(...args)
    if (this.trouble === 'after') throw new GoneError('STORE_UNAVAILABLE', 'reply lost')
    return ruling
  }
}

function world() {
  let now = 0
  const nowMs = () => now
  const records = new ShakyRecords(nowMs)
  const opened: string[] = []
  const queue: RoundQueue = {
    async open(round) {
      opened.push(round.round)
    },
    async watch() {},
    async close() {},
    async counts() {
      return {}
    },
  }
  const memory = new RoundMemory(3, nowMs)
  const elector = new Elector({ records, queue, memory, log: silentLog, nowMs })
  return {
    records,
    queue,
    opened,
    elector,
    passTime(ms: number) {
      now += ms
    },
  }
}

describe('the elector', () => {
  it('asks the records each time for a round that its job leads: the job can be started again under another fence', async () => {
    const { elector, records } = world()
    const job = { address: 'w', identity: JOB_IDENTITY }
    await records.submit(id, { queue: 'q', data: null, queueTerms: {}, runTerms: {} })
    await records.start(id, job, terms, 5)
    expect(await elector.elect(id, nobody(), terms)).toMatchObject({ verdict: 'lost', record: { fence: 1 } })
    await records.start(id, job, terms, 5)
    expect(await elector.elect(id, nobody(), terms)).toMatchObject({ verdict: 'lost', record: { fence: 2 } })
    await records.finish(id, { ...job, fence: 2 }, { outcome: 'completed', detail: '' })
    await elector.elect(id, nobody(), terms)
    expect(elector.recall(id, nobody())).toMatchObject({
      record: { fence: 2, completion: { outcome: 'completed' } },
    })
  })

  it('asks the records once for a hundred candidates, and for none after that', async () => {
    const { elector, records } = world()
    const elections = await Promise.all(Array.from({ length: 100 }, () => elector.elect(id, nobody(), terms)))
    expect(elections.filter((e) => e.verdict === 'elected')).toHaveLength(1)
    expect(elections.filter((e) => e.verdict === 'lost')).toHaveLength(99)
    await elector.elect(id, nobody(), terms)
    expect(records.decisions).toBe(1)
  })

  it('knows the winner that asks again by its token', async () => {
    const { elector, records } = world()
    await elector.elect(id, anna, terms)
    const again = await elector.elect(id, { ...anna, address: 'elsewhere' }, terms)
    expect(again).toMatchObject({ verdict: 'alreadyLeader', record: { fence: 1 } })
    expect(records.decisions).toBe(1)
  })

  it('remembers the leader of a leased round only until the expiry that it knows of', async () => {
    const { elector, passTime, records } = world()
    await elector.elect(id, nobody(), { ...terms, leaseMs: 1_000 })
    passTime(999)
    expect((await elector.elect(id, nobody(), terms)).verdict).toBe('lost')
    expect(records.decisions).toBe(1)
    passTime(1)
    expect(await elector.elect(id, nobody(), terms)).toMatchObject({
      verdict: 'takenOver',
      record: { fence: 2 },
    })
  })

  it('forgets the oldest rounds, never the truth', async () => {
    const { elector, records } = world()
    for (const round of ['1', '2', '3', '4']) await elector.elect({ system: 's', round }, nobody(), terms)
    expect((await elector.elect({ system: 's', round: '1' }, nobody(), terms)).verdict).toBe('lost')
    expect(records.decisions).toBe(5)
  })

  it('tells everybody who shares a failed decision to retry, and nobody that they lost', async () => {
    const { elector, records } = world()
    records.trouble = 'before'
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => elector.elect(id, nobody(), terms)),
    )
    expect(outcomes.every((o) => o.status === 'rejected' && o.reason.retryable)).toBe(true)
  })

  it.each(['before', 'after'] as const)(
    'gives the lead to exactly one of the next callers when the store failed %s the decision',
    async (trouble) => {
      const { elector, records } = world()
      records.trouble = trouble
      await expect(elector.elect(id, nobody(), terms)).rejects.toThrow(GoneError)
      await expect(elector.elect(id, nobody(), terms)).rejects.toThrow(GoneError)
      records.trouble = 'none'
      const elections = await Promise.all(
        Array.from({ length: 10 }, () => elector.elect(id, nobody(), terms)),
      )
      expect(elections.filter((e) => e.verdict !== 'lost')).toHaveLength(1)
      expect((await elector.elect(id, nobody(), terms)).verdict).toBe('lost')
    },
  )

  it('gives a token holder whose reply was lost its own lead, and no other', async () => {
    const { elector, records } = world()
    records.trouble = 'after'
    await expect(elector.elect(id, anna, terms)).rejects.toThrow(GoneError)
    records.trouble = 'none'
    expect((await elector.elect(id, nobody(), terms)).verdict).toBe('lost')
    expect(await elector.elect(id, anna, terms)).toMatchObject({
      verdict: 'alreadyLeader',
      record: { fence: 1 },
    })
  })

  it('keeps its word to a winner whose round could not be queued', async () => {
    const { elector, queue, records } = world()
    queue.open = () => Promise.reject(new Error('queue down'))
    expect((await elector.elect(id, anna, terms)).verdict).toBe('elected')
    expect(await records.outbox(0, 10)).toHaveLength(1)
  })

  it('queues a led round again when its leader asks again, not when a loser does', async () => {
    const { elector, opened, passTime } = world()
    const leased = { ...terms, leaseMs: 1_000 }
    await elector.elect(id, anna, leased)
    await elector.elect(id, nobody(), leased)
    expect(opened).toEqual(['r'])
    passTime(10)
    await elector.elect(id, anna, leased)
    expect(opened).toEqual(['r', 'r'])
  })
})

describe('the elector behind a gate', () => {
  function gatedWorld() {
    const steps: string[] = []
    const gate: Gate = {
      async pass(_, ttlMs) {
        steps.push(`pass for ${ttlMs}`)
        return { kind: 'passed', value: 'v' }
      },
      async extend(_, value, ttlMs) {
        steps.push(`extend ${value} to ${ttlMs}`)
        return true
      },
      async release(_, value) {
        steps.push(`release ${value}`)
      },
    }
    const { records, queue } = world()
    const decide = records.decide.bind(records)
    records.decide = async (...args) => {
      steps.push('decide')
      return decide(...args)
    }
    const elector = new Elector({
      records,
      queue,
      memory: new RoundMemory(3, () => 0),
      gate,
      log: silentLog,
      nowMs: () => 0,
    })
    return { elector, records, steps }
  }

  it('holds the gate for a moment until the record is written, so that a facade that dies there keeps nobody out', async () => {
    const { elector, steps } = gatedWorld()
    await elector.elect(id, anna, terms)
    expect(steps).toEqual(['pass for 1000', 'decide', 'extend v to 3600000'])
  })

  it('holds it for the lease, and again whenever the leader asks again', async () => {
    const { elector, steps } = gatedWorld()
    await elector.elect(id, anna, { ...terms, leaseMs: 20_000 })
    await elector.elect(id, anna, { ...terms, leaseMs: 20_000 })
    const extended = 'extend v to 20000'
    expect(steps).toEqual(['pass for 1000', 'decide', extended, 'decide', extended])
  })

  it('gives it back where the record cannot be written', async () => {
    const { elector, records, steps } = gatedWorld()
    records.trouble = 'before'
    await expect(elector.elect(id, anna, terms)).rejects.toThrow('down')
    expect(steps).toEqual(['pass for 1000', 'decide', 'release v'])
  })

  it('holds it again for the leader that asks again, where the record was written and the reply lost', async () => {
    const { elector, records, steps } = gatedWorld()
    records.trouble = 'after'
    await expect(elector.elect(id, anna, terms)).rejects.toThrow('reply lost')
    records.trouble = 'none'
    steps.length = 0
    expect((await elector.elect(id, anna, terms)).verdict).toBe('alreadyLeader')
    expect(steps).toEqual(['decide', 'extend v to 3600000'])
  })
})
