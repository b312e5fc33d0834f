import { afterEach, describe, expect, it, vi } from 'vitest'
import { callIdentity, tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { JOB_IDENTITY } from '../../src/core/rounds/job.ts'
import type { ElectionRuling, Gate } from '../../src/core/rounds/round-ports.ts'
import { GoneError } from '../../src/errors.ts'
import { type Election, Elector } from '../../src/service/rounds/elector.ts'
import { RoundMemory } from '../../src/service/rounds/round-memory.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { pause } from '../../src/waiting.ts'
import { silentLog } from '../support/log.ts'
import { directBoard, notedRounds } from '../support/noted-rounds.ts'

const id = { system: 's', round: 'r' }
const terms = { deadlineMs: 60_000 }
const RETENTION_MS = 600_000
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
  const { rounds: queue, told, trouble } = notedRounds()
  const expected: number[] = []
  const deadlines = { expect: (ms: number) => void expected.push(ms) }
  const memory = new RoundMemory(3, RETENTION_MS, nowMs)
  const board = directBoard({ records, queue, log: silentLog })
  const elector = new Elector({ records, board, deadlines, memory, log: silentLog, nowMs })
  return {
    records,
    board,
    memory,
    deadlines,
    told,
    trouble,
    expected,
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
    expect(await elector.elect(id, nobody(), terms)).toMatchObject({
      verdict: 'lost',
      leadership: { fence: 1 },
    })
    await records.start(id, job, terms, 5)
    expect(await elector.elect(id, nobody(), terms)).toMatchObject({
      verdict: 'lost',
      leadership: { fence: 2 },
    })
    await records.finish(id, { ...job, fence: 2 }, { outcome: 'completed', detail: '' })
    await elector.elect(id, nobody(), terms)
    expect(elector.recall(id, nobody())).toEqual({
      verdict: 'lost',
      leadership: { leader: 'w', identity: JOB_IDENTITY, fence: 2, state: 'completed' },
    })
  })

  it('asks the records once for a hundred candidates, and for none after that', async () => {
    const { elector, records } = world()
    const elections = await Promise.all(Array.from({ length: 100 }, () => elector.elect(id, nobody(), terms)))
    expect(elections.filter((e) => e.verdict === 'elected')).toHaveLength(1)
    expect(elections.filter((e) => e.verdict === 'lost')).toHaveLength(99)
    for (const { seen } of elections) expect(seen?.record.fence).toBe(1)
    expect(elector.recall(id, nobody())).toMatchObject({ verdict: 'lost' })
    expect(records.decisions).toBe(1)
  })

  it('asks the records for the winner that asks again by its token', async () => {
    const { elector, records } = world()
    await elector.elect(id, anna, terms)
    const again = await elector.elect(id, { ...anna, address: 'elsewhere' }, terms)
    expect(again).toMatchObject({ verdict: 'alreadyLeader', seen: { record: { fence: 1 } } })
    expect(records.decisions).toBe(2)
  })

  it('tells the winner of a round that was finished elsewhere that there is nothing left to do', async () => {
    const { elector, records } = world()
    await elector.elect(id, anna, terms)
    await records.complete(id, anna, { outcome: 'completed', detail: '' }, terms)
    expect(elector.recall(id, anna)).toBeUndefined()
    expect(await elector.elect(id, anna, terms)).toMatchObject({
      verdict: 'lost',
      seen: { record: { completion: { outcome: 'completed' } } },
    })
  })

  it('tells losers from memory who leads, and no state but the one that is final', async () => {
    const { elector, records } = world()
    await elector.elect(id, anna, terms)
    const leadership = { leader: 'a', identity: anna.identity, fence: 1 }
    expect(elector.recall(id, nobody())).toEqual({ verdict: 'lost', leadership })
    await records.complete(id, anna, { outcome: 'completed', detail: '' }, terms)
    await elector.elect(id, anna, terms)
    expect(elector.recall(id, nobody())).toEqual({
      verdict: 'lost',
      leadership: { ...leadership, state: 'completed' },
    })
  })

  it.each([
    ['a round that is led for more than 2 s', { deadlineMs: 60_000 }, 2_000],
    [
      'the leader of a leased round beyond the end of the lease',
      { deadlineMs: 60_000, leaseMs: 1_000 },
      1_000,
    ],
    ['a round beyond its deadline', { deadlineMs: 1_500 }, 1_500],
  ])('does not remember %s', async (_, asked, untilMs) => {
    const { elector, passTime } = world()
    await elector.elect(id, anna, asked)
    passTime(untilMs - 1)
    expect(elector.recall(id, nobody())).toMatchObject({ verdict: 'lost' })
    passTime(1)
    expect(elector.recall(id, nobody())).toBeUndefined()
  })

  it("remembers nobody as the leader of a round that is nobody's, also where the clock is behind what it was", async () => {
    const { elector, records, passTime } = world()
    passTime(100_000)
    await elector.elect(id, anna, terms)
    await records.vacate(id, { ...anna, fence: 1 })
    passTime(-50_000)
    expect((await elector.renew(id, { ...anna, fence: 1 }, undefined)).verdict).toBe('superseded')
    expect(elector.recall(id, nobody())).toBeUndefined()
    expect((await elector.elect(id, nobody(), terms)).verdict).toBe('takenOver')
  })

  it('remembers a completed round for as long as its record is kept for certain, and a failed one not at all', async () => {
    const { elector, records, passTime } = world()
    const failed = { system: 's', round: 'failed' }
    await elector.elect(id, anna, terms)
    await elector.elect(failed, anna, terms)
    await records.complete(id, anna, { outcome: 'completed', detail: '' }, terms)
    await records.complete(failed, anna, { outcome: 'failed', detail: '' }, terms)
    await elector.elect(id, anna, terms)
    await elector.elect(failed, anna, terms)
    expect(elector.recall(failed, nobody())).toBeUndefined()
    passTime(RETENTION_MS - 1)
    expect(elector.recall(id, nobody())).toMatchObject({ verdict: 'lost' })
    passTime(1)
    expect(elector.recall(id, nobody())).toBeUndefined()
  })

  it('takes over from a leader whose lease has ended', async () => {
    const { elector, passTime } = world()
    await elector.elect(id, nobody(), { ...terms, leaseMs: 1_000 })
    passTime(999)
    expect((await elector.elect(id, nobody(), terms)).verdict).toBe('lost')
    passTime(1)
    expect(await elector.elect(id, nobody(), terms)).toMatchObject({
      verdict: 'takenOver',
      seen: { record: { fence: 2 } },
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
      seen: { record: { fence: 1 } },
    })
  })

  it('decides anew, once, for all who waited for a decision whose caller was gone', async () => {
    const { elector, records } = world()
    const gone = elector.elect(id, nobody(), terms, () => true)
    const waiting = Array.from({ length: 100 }, () => elector.elect(id, nobody(), terms))
    expect(await gone).toMatchObject({ isUnheard: true })
    const elections = await Promise.all(waiting)
    expect(elections.filter(({ verdict }) => verdict === 'takenOver')).toHaveLength(1)
    for (const { seen } of elections) expect(seen?.record).toMatchObject({ fence: 2 })
    expect(elections.some(({ isUnheard }) => isUnheard)).toBe(false)
    expect(records.decisions).toBe(2)
  })

  it('elects nobody who is gone, of many who waited, and whoever comes then', async () => {
    const { elector, records } = world()
    const calls = Array.from({ length: 100 }, () => elector.elect(id, nobody(), terms, () => true))
    for (const election of await Promise.all(calls)) expect(election.isUnheard).toBe(true)
    expect(records.decisions).toBe(1)
    expect((await elector.elect(id, nobody(), terms)).verdict).toBe('takenOver')
  })

  it('has a token lead that was told so by its second call, where its first is gone', async () => {
    const { elector } = world()
    const calls = [elector.elect(id, anna, terms, () => true), elector.elect(id, anna, terms)]
    expect(await Promise.all(calls)).toMatchObject([
      { isUnheard: true },
      { verdict: 'takenOver', seen: { record: { fence: 2, identity: anna.identity } } },
    ])
  })

  it('gives the lead to the next call where that of a call without a token was asked for again by one that is gone', async () => {
    const { elector, records } = world()
    records.trouble = 'after'
    await expect(elector.elect(id, nobody(), terms)).rejects.toThrow('reply lost')
    records.trouble = 'none'
    expect(await elector.elect(id, nobody(), terms, () => true)).toMatchObject({ isUnheard: true })
    expect((await elector.elect(id, nobody(), terms)).verdict).toBe('alreadyLeader')
  })

  it('remembers no lead that was taken back, though it was seen until then', async () => {
    const { elector, records, memory } = world()
    const vacate = records.vacate.bind(records)
    records.vacate = async (...all) => {
      const { record, nowMs } = await records.read(id)
      if (record) memory.remember(id, { record, nowMs }, nowMs)
      return vacate(...all)
    }
    await elector.elect(id, nobody(), terms, () => true)
    expect(elector.recall(id, nobody())).toBeUndefined()
  })

  it('tells the queue nothing of who leads, and leaves nothing to be told', async () => {
    const { elector, records, told, expected } = world()
    await elector.elect(id, anna, terms)
    await elector.elect(id, anna, terms)
    await elector.elect(id, nobody(), terms)
    expect([told, await records.outbox(0, 10), expected]).toEqual([[], [], [60_000]])
  })

  it('has a round that was overdue shown so no more when another takes over', async () => {
    const { elector, records, told, passTime } = world()
    await elector.elect(id, anna, { deadlineMs: 1_000, leaseMs: 1_000 })
    passTime(1_000)
    await records.expire(id)
    records.acknowledge(id, 'overdue', await records.read(id))
    expect((await elector.elect(id, nobody(), terms)).verdict).toBe('takenOver')
    expect([told, await records.outbox(0, 10)]).toEqual([['r nowhere'], []])
  })

  it('keeps its word to who took over where the queue cannot be told, and leaves it to the sweeper', async () => {
    const { elector, records, trouble, passTime } = world()
    await elector.elect(id, anna, { deadlineMs: 1_000, leaseMs: 1_000 })
    passTime(1_000)
    await records.expire(id)
    records.acknowledge(id, 'overdue', await records.read(id))
    trouble.isDown = true
    expect((await elector.elect(id, nobody(), terms)).verdict).toBe('takenOver')
    expect((await records.outbox(0, 10)).map(({ step }) => step)).toEqual(['led'])
  })
})

describe('the time limit of an election', () => {
  afterEach(() => void vi.useRealTimers())

  /** Vacating a round takes so long, and each decision but the first. */
  function slowWorld({ vacateMs, decideMs }: { readonly vacateMs: number; readonly decideMs: number }) {
    vi.useFakeTimers()
    const { elector, records } = world()
    const vacate = records.vacate.bind(records)
    records.vacate = async (...all) => {
      await pause(vacateMs)
      return vacate(...all)
    }
    const decide = records.decide.bind(records)
    records.decide = async (...all) => {
      if (records.decisions > 0) await pause(decideMs)
      return decide(...all)
    }
    /** How the election ends, and after how many ms. */
    async function outcomeOf(election: Promise<Election>) {
      const beginMs = Date.now()
      const verdict = await election.then(
        ({ verdict }) => verdict,
        (error: GoneError) => error.code,
      )
      return [verdict, Date.now() - beginMs]
    }
    return { elector, records, outcomeOf }
  }

  it('holds for who waits for a decision that is being taken back', async () => {
    const { elector, outcomeOf } = slowWorld({ vacateMs: 60_000, decideMs: 0 })
    const outcomes = [
      outcomeOf(elector.elect(id, nobody(), terms, () => true)),
      outcomeOf(elector.elect(id, nobody(), terms)),
    ]
    await vi.advanceTimersByTimeAsync(60_000)
    for (const outcome of outcomes) expect(await outcome).toEqual(['STORE_UNAVAILABLE', 1_800])
  })

  it('holds for who has waited and then asks, and whose lead is taken back for the next', async () => {
    const { elector, records, outcomeOf } = slowWorld({ vacateMs: 1_000, decideMs: 1_000 })
    const gone = outcomeOf(elector.elect(id, nobody(), terms, () => true))
    const waiting = outcomeOf(elector.elect(id, anna, terms))
    await vi.advanceTimersByTimeAsync(1_750)
    expect((await records.read(id)).record?.identity).toBe('')
    // It waits for the decision for the one above, who was told to retry when that comes.
    const next = outcomeOf(elector.elect(id, nobody(), terms))
    await vi.advanceTimersByTimeAsync(1_250)
    expect(await gone).toEqual(['elected', 1_000])
    expect(await waiting).toEqual(['STORE_UNAVAILABLE', 1_800])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(await next).toEqual(['STORE_UNAVAILABLE', 1_800])
    const last = outcomeOf(elector.elect(id, nobody(), terms))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(await last).toEqual(['takenOver', 1_000])
  })

  it('leaves nobody uninformed who leads, though telling the board takes longer', async () => {
    vi.useFakeTimers()
    const { elector, records, board, passTime } = world()
    board.tell = () => pause(2_000)
    await elector.elect(id, nobody(), { ...terms, leaseMs: 1_000 })
    passTime(1_000)
    const next = elector.elect(id, anna, terms)
    await vi.advanceTimersByTimeAsync(2_000)
    expect((await next).verdict).toBe('takenOver')
    expect((await records.read(id)).record).toMatchObject({ fence: 2, identity: anna.identity })
  })
})

describe('the elector behind a gate', () => {
  function gatedWorld() {
    let nowMs = 0
    const steps: string[] = []
    const gate: Gate = {
      async pass(_, ttlMs) {
        steps.push(`pass for ${ttlMs}`)
        return { kind: 'passed', value: 'v' }
      },
      lock: () => undefined,
      async extend(_, value, ttlMs) {
        steps.push(`extend ${value} to ${ttlMs}`)
        return true
      },
      async release(_, value) {
        steps.push(`release ${value}`)
      },
    }
    const { records, board, deadlines } = world()
    const decide = records.decide.bind(records)
    records.decide = async (...args) => {
      steps.push('decide')
      return decide(...args)
    }
    const elector = new Elector({
      records,
      board,
      deadlines,
      memory: new RoundMemory(3, RETENTION_MS, () => 0),
      gate,
      log: silentLog,
      nowMs: () => {
        // Patience ends, one way or the other.
        nowMs += 100
        return nowMs
      },
    })
    return { elector, records, gate, steps }
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

  it('is given up by who leads next, where whoever took the lead back died before that', async () => {
    const { elector, records, steps } = gatedWorld()
    await elector.elect(id, anna, terms)
    await records.vacate(id, { ...anna, fence: 1 })
    steps.length = 0
    expect((await elector.elect(id, nobody(), terms)).verdict).toBe('takenOver')
    expect(steps.slice(0, 2)).toEqual(['release v', 'pass for 1000'])
    expect((await records.read(id)).record).toMatchObject({ gate: 'v', fence: 2 })
  })

  it('that nobody gives up of a round that is led by nobody is trouble, and no loss', async () => {
    const { elector, records, gate } = gatedWorld()
    await elector.elect(id, anna, terms)
    await records.vacate(id, { ...anna, fence: 1 })
    gate.pass = async () => ({ kind: 'held' })
    await expect(elector.elect(id, nobody(), terms)).rejects.toMatchObject({ code: 'GATE_NO_MAJORITY' })
    const unknown = { ...id, round: 'unknown' }
    expect((await elector.elect(unknown, nobody(), terms)).verdict).toBe('lost')
  })
})
