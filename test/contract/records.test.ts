import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { callIdentity, tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { JOB_IDENTITY, submissionDigest } from '../../src/core/rounds/job.ts'
import type { RoundId } from '../../src/core/rounds/round.ts'
import type { Gate, GateLock, HistoryMark, Records, RoundNews } from '../../src/core/rounds/round-ports.ts'
import { MemoryGate } from '../../src/gate/memory-gate.ts'
import { RedlockGate } from '../../src/gate/redlock-gate.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { RedisNews } from '../../src/store/redis-news.ts'
import { anyIdentifier } from '../support/identifiers.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

interface World {
  readonly records: Records
  readonly news: RoundNews
  /** One whose only node is the records' store. */
  readonly gate: Gate
  passTime(ms: number): Promise<void>
}

let redis: TestRedis
let client: RedisClient
let subscriber: RedisClient

beforeAll(async () => {
  redis = await startRedis()
  client = connect(redis.url, 'commands', 'test', silentLog)
  subscriber = connect(redis.url, 'waiting', 'test-news', silentLog)
  await new Promise((resolve) => client.once('ready', resolve))
})

afterAll(async () => {
  await Promise.all([client, subscriber].map(disconnect))
  await redis.stop()
})

const worlds: Record<string, () => World> = {
  'in memory': () => {
    let nowMs = 1_000_000
    const records = new MemoryRecords(() => nowMs)
    return {
      records,
      news: records,
      gate: new MemoryGate(() => nowMs, records.locks),
      async passTime(ms) {
        nowMs += ms
      },
    }
  },
  'in Redis': () => ({
    records: new RedisRecords(client, 86_400_000),
    news: new RedisNews(subscriber),
    gate: new RedlockGate([client], silentLog, true),
    // The lease runs on Redis' own clock, which only real time moves.
    passTime: (ms) => sleep(ms + 2),
  }),
}

const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const bert = { address: '10.0.0.2:2', identity: tokenIdentity('bert') }
const caller = () => ({ address: '10.0.0.3:3', identity: callIdentity(randomUUID().slice(0, 8)) })
const terms = { deadlineMs: 60_000 }
const leased = { ...terms, leaseMs: 500 }
const done = { outcome: 'completed', detail: '' } as const
const gaveUp = { outcome: 'failed', detail: 'disk full' } as const

describe.each(Object.entries(worlds))('records %s that a gate is kept with', (_, makeWorld) => {
  const job = { address: 'worker', identity: JOB_IDENTITY }
  let world: World
  let id: RoundId
  beforeEach(async () => {
    world = makeWorld()
    id = { system: randomUUID(), round: 'r' }
    await submit()
  })
  const submit = (runTerms = {}) =>
    world.records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms })
  const lockFor = (ttlMs = 60_000) => world.gate.lock(id, ttlMs) as GateLock
  const start = (lock: GateLock, maxStarts = 9) => world.records.start(id, job, terms, maxStarts, { lock })
  const passes = async () => (await world.gate.pass(id, 60_000)).kind

  it('pass it as they start a job, and give it up as they finish it', async () => {
    const lock = lockFor()
    expect(await start(lock)).toMatchObject({ verdict: 'started', fence: 1, nth: 1 })
    expect(await passes()).toBe('held')
    expect(await world.records.finish(id, { ...job, fence: 1 }, done, lock)).toEqual({ verdict: 'recorded' })
    expect(await passes()).toBe('passed')
  })

  it('start one of many at once, each under a value of its own', async () => {
    const locks = Array.from({ length: 10 }, () => lockFor())
    expect(new Set(locks.map(({ value }) => value)).size).toBe(10)
    const verdicts = (await Promise.all(locks.map((lock) => start(lock)))).map(({ verdict }) => verdict)
    expect(verdicts.sort()).toEqual([...Array(9).fill('held'), 'started'])
    expect((await world.records.read(id)).record).toMatchObject({ fence: 1, starts: 1 })
  })

  it('do not start a job while another has passed the gate, and take nothing from it', async () => {
    const pass = await world.gate.pass(id, 60_000)
    const lock = lockFor()
    expect(await start(lock)).toEqual({ verdict: 'held' })
    expect((await world.records.read(id)).record).toBeUndefined()
    await world.records.finish(id, { ...job, fence: 1 }, done, lock)
    expect(await passes()).toBe('held')
    await world.gate.release(id, pass.kind === 'passed' ? pass.value : '')
    expect(await passes()).toBe('passed')
  })

  it('let it be extended and given back by its value, as one that was passed by itself', async () => {
    const lock = lockFor()
    await start(lock)
    expect(await world.gate.extend(id, 'another value', 60_000)).toBe(false)
    expect(await world.gate.extend(id, lock.value, 120_000)).toBe(true)
    await world.passTime(20)
    expect(await start(lockFor())).toEqual({ verdict: 'held' })
    await world.gate.release(id, lock.value)
    expect(await start(lockFor())).toMatchObject({ verdict: 'started', fence: 2, nth: 2 })
  })

  it('hold it for no longer than was asked', async () => {
    await start(lockFor(80))
    await world.passTime(80)
    expect(await start(lockFor())).toMatchObject({ verdict: 'started', fence: 2 })
  })

  it('tell the same start again to a client that has lost the answer, and count it once', async () => {
    const lock = lockFor()
    const first = await start(lock, 1)
    expect(await start(lock, 1)).toEqual(first)
    expect((await world.records.read(id)).record).toMatchObject({ fence: 1, starts: 1 })
  })

  it('say that it is held, and not that a job was started too often, while its executor lives', async () => {
    await start(lockFor(), 1)
    expect(await start(lockFor(), 1)).toEqual({ verdict: 'held' })
  })

  it('hold nothing for a job that is not started: it has ended, another leads it, it is early or spent', async () => {
    const outcomes: string[] = []
    const look = async (lead: (lock: GateLock) => Promise<unknown>) => {
      id = { system: id.system, round: randomUUID() }
      await lead(lockFor(1))
      await world.passTime(1)
      outcomes.push((await start(lockFor(), 1)).verdict)
      expect(await passes()).toBe('passed')
    }
    await look(() => world.records.complete(id, anna, done, terms))
    await look(() => world.records.decide(id, anna, terms))
    await look((lock) => start(lock))
    await look(() =>
      world.records.submit(id, { queue: 'mailer', data: 1, queueTerms: { delayMs: 60_000 }, runTerms: {} }),
    )
    expect(outcomes).toEqual(['finished', 'lost', 'spent', 'early'])
  })

  it('say at once that a round has ended, whoever holds its gate', async () => {
    await world.gate.pass(id, 60_000)
    await world.records.complete(id, anna, done, terms)
    expect((await start(lockFor())).verdict).toBe('finished')
  })
})

describe('records in Redis', () => {
  it('count a start once that was given back to a build before, and then to this one', async () => {
    const records = new RedisRecords(client, 86_400_000)
    const job = { address: 'worker', identity: JOB_IDENTITY }
    const id = { system: randomUUID(), round: 'r' }
    await records.submit(id, {
      queue: 'mailer',
      data: 1,
      queueTerms: {},
      runTerms: { ifExecutorDies: 'fail' },
    })
    await records.start(id, job, terms, 9)
    const key = `gone:{${id.system}}:round:r`
    await client.hset(key, { v: 1, E: JSON.stringify([{ k: 'b', t: Date.now(), f: '1' }]) })
    await records.giveBack(id, 1)
    expect(await records.start(id, job, terms, 9)).toMatchObject({ verdict: 'started', fence: 2, nth: 1 })
    expect((await records.start(id, job, terms, 9)).verdict).toBe('spent')
  })
})

describe.each(Object.entries(worlds))('the name of a leader %s', (_, makeWorld) => {
  const named = { ...anna, name: 'pod-7 of eu-a' }
  const id = { system: randomUUID(), round: '' }
  let world: World
  beforeEach(() => {
    world = makeWorld()
    id.round = randomUUID()
  })
  const nameNow = async () => (await world.records.read(id)).record?.leaderName

  it.each([
    ['a round', terms],
    ['a leased round', leased],
  ])('is kept of %s, and the first one where it asks again', async (_what, asked) => {
    const ruling = await world.records.decide(id, named, asked)
    expect(ruling.record.leaderName).toBe('pod-7 of eu-a')
    await world.records.decide(id, { ...named, name: 'another' }, asked)
    await world.records.decide(id, anna, asked)
    expect(await nameNow()).toBe('pod-7 of eu-a')
  })

  it('stays with a finished round, and is none where none was said', async () => {
    await world.records.decide(id, named, terms)
    await world.records.complete(id, anna, done, terms)
    expect(await nameNow()).toBe('pod-7 of eu-a')
    const other = { ...id, round: randomUUID() }
    expect((await world.records.decide(other, bert, terms)).record).not.toHaveProperty('leaderName')
  })

  it('goes with its leader: when another takes over, and when the decision is taken back', async () => {
    await world.records.decide(id, named, { ...terms, leaseMs: 20 })
    await world.passTime(25)
    expect((await world.records.decide(id, bert, leased)).verdict).toBe('takenOver')
    expect(await nameNow()).toBeUndefined()
    const other = { ...id, round: randomUUID() }
    const { record } = await world.records.decide(other, named, terms)
    await world.records.vacate(other, record)
    expect((await world.records.read(other)).record?.leaderName).toBeUndefined()
  })
})

describe.each(Object.entries(worlds))('the record of a call %s', (_, makeWorld) => {
  const call = (giveUpMs: number) => ({
    queue: 'upcase',
    data: 1,
    queueTerms: {},
    runTerms: { call: { giveUpMs, keptMs: 3_600_000 } },
  })
  const job = { address: 'upcase@host:1', identity: '#job' }
  const longest = { deadlineMs: 604_800_000 }
  const newCall = () => ({ system: randomUUID(), round: `call.${randomUUID()}` })

  it('is in no history and has no deadline, and says in how long it is given up', async () => {
    const { records } = makeWorld()
    const id = newCall()
    await records.submit(id, call(60_000), 600_000)
    const started = await records.start(id, job, longest, 25)
    expect(started).toMatchObject({ verdict: 'started', nth: 1 })
    const { giveUpInMs = 0, fence } = started as { giveUpInMs?: number; fence: number }
    expect(giveUpInMs).toBeGreaterThan(50_000)
    expect(giveUpInMs).toBeLessThanOrEqual(60_000)
    await records.finish(id, { ...job, fence }, { outcome: 'completed', detail: '1' })
    expect((await records.history({ system: id.system, limit: 10 })).rounds).toEqual([])
    expect((await records.read(id)).record?.completion).toMatchObject({ outcome: 'completed', detail: '1' })
  })

  it('lets nobody start it once its time is over, and then it can be ended', async () => {
    const world = makeWorld()
    const { records } = world
    const id = newCall()
    await records.submit(id, call(20))
    await world.passTime(25)
    expect(await records.start(id, job, longest, 25)).toEqual({ verdict: 'late', fence: 0 })
    await records.finish(id, { ...job, fence: 0 }, { outcome: 'failed', detail: 'late' })
    expect((await records.start(id, job, longest, 25)).verdict).toBe('finished')
    expect((await records.history({ system: id.system, limit: 10 })).rounds).toEqual([])
    const left = await records.outbox(0, 1_000)
    expect(left.filter((entry) => entry.id.system === id.system).map(({ step }) => step)).toEqual([
      'submitted',
    ])
  })
})

describe.each(Object.entries(worlds))('records %s', (_, makeWorld) => {
  let world: World
  let records: Records
  let system: string
  let id: RoundId

  beforeEach(() => {
    world = makeWorld()
    records = world.records
    system = `s-${randomUUID().slice(0, 8)}`
    id = { system, round: '08:15' }
  })

  afterEach(async () => {
    if (records instanceof RedisRecords) await records.flush()
  })

  it('elect one of a hundred candidates who ask at once, and tell all others who', async () => {
    const rulings = await Promise.all(Array.from({ length: 100 }, () => records.decide(id, caller(), terms)))
    expect(rulings.filter((r) => r.verdict === 'elected')).toHaveLength(1)
    expect(rulings.filter((r) => r.verdict === 'lost')).toHaveLength(99)
    expect(new Set(rulings.map((r) => r.record.identity)).size).toBe(1)
  })

  it('keep the leader and its fence when the winner asks again', async () => {
    const first = await records.decide(id, anna, terms)
    const again = await records.decide(id, { ...anna, address: '10.9.9.9:9' }, terms)
    expect(first).toMatchObject({ verdict: 'elected', record: { leader: '10.0.0.1:1', fence: 1 } })
    expect(again).toMatchObject({ verdict: 'alreadyLeader', record: { leader: '10.0.0.1:1', fence: 1 } })
  })

  it('give each leadership of a system a higher fence, and count each system alone', async () => {
    await records.decide(id, anna, terms)
    const second = await records.decide({ system, round: 'next' }, anna, terms)
    const other = await records.decide({ system: `${system}-other`, round: 'next' }, anna, terms)
    expect(second.record.fence).toBe(2)
    expect(other.record.fence).toBe(1)
  })

  it('read what was decided, and nothing where nothing was', async () => {
    expect((await records.read(id)).record).toBeUndefined()
    const { record } = await records.decide(id, anna, leased, 'gate-value')
    expect((await records.read(id)).record).toEqual(record)
    expect(record).toEqual({
      leader: anna.address,
      identity: anna.identity,
      fence: 1,
      electedAtMs: record.electedAtMs,
      deadlineMs: 60_000,
      lease: { ms: 500, expiresAtMs: record.electedAtMs + 500 },
      gate: 'gate-value',
    })
  })

  it('let another take over once the lease has ended, under a higher fence, and not before', async () => {
    await records.decide(id, anna, leased)
    expect((await records.decide(id, bert, leased)).verdict).toBe('lost')
    await world.passTime(500)
    const taken = await records.decide(id, bert, leased)
    expect(taken).toMatchObject({ verdict: 'takenOver', record: { leader: bert.address, fence: 2 } })
    expect(taken.previous).toEqual({ leader: anna.address, fence: 1 })
    expect((await records.decide(id, anna, leased)).verdict).toBe('lost')
  })

  it('let one of many take over', async () => {
    await records.decide(id, anna, leased)
    await world.passTime(500)
    const rulings = await Promise.all(Array.from({ length: 50 }, () => records.decide(id, caller(), leased)))
    expect(rulings.filter((r) => r.verdict === 'takenOver')).toHaveLength(1)
    expect(rulings.filter((r) => r.verdict === 'lost')).toHaveLength(49)
  })

  it('never let anybody take over a round without a lease or a finished one', async () => {
    await records.decide(id, anna, terms)
    const finished = { system, round: 'finished' }
    await records.decide(finished, anna, leased)
    await records.complete(finished, anna, done, terms)
    await world.passTime(500)
    expect((await records.decide(id, bert, leased)).verdict).toBe('lost')
    expect((await records.decide(finished, bert, leased)).verdict).toBe('lost')
  })

  it('tell nobody that a finished round is to be led, its own leader included', async () => {
    for (const report of [done, gaveUp]) {
      const one = { system, round: report.outcome }
      await records.decide(one, anna, leased)
      const { record } = await records.complete(one, anna, report, terms)
      expect(await records.decide(one, anna, leased)).toMatchObject({ verdict: 'lost', record })
      expect(await records.decide(one, bert, terms)).toMatchObject({ verdict: 'lost', record })
    }
  })

  it('extend the lease of a leader that renews or asks again, and of nobody else', async () => {
    await records.decide(id, anna, leased)
    await world.passTime(300)
    expect((await records.renew(id, anna)).verdict).toBe('renewed')
    await world.passTime(300)
    expect((await records.decide(id, anna, terms)).verdict).toBe('alreadyLeader')
    await world.passTime(300)
    expect((await records.decide(id, bert, leased)).verdict).toBe('lost')
    expect((await records.renew(id, bert)).verdict).toBe('superseded')
    expect((await records.renew(id, { ...bert, fence: 1 }, 10_000)).verdict).toBe('renewed')
    await world.passTime(600)
    expect((await records.decide(id, bert, leased)).verdict).toBe('lost')
  })

  it('never move the end of a lease in by a renewal, which others remember', async () => {
    const { record } = await records.decide(id, anna, { ...terms, leaseMs: 1_000 })
    const endMs = record.electedAtMs + 1_000
    const shortened = await records.renew(id, anna, 100)
    expect(shortened).toMatchObject({
      verdict: 'renewed',
      record: { lease: { ms: 100, expiresAtMs: endMs } },
    })
    expect((await records.decide(id, anna, leased)).record.lease).toEqual({ ms: 100, expiresAtMs: endMs })
    await world.passTime(300)
    expect((await records.decide(id, bert, leased)).verdict).toBe('lost')
    await world.passTime(700)
    expect((await records.decide(id, bert, leased)).verdict).toBe('takenOver')
  })

  it('give no lease beyond its own to a leadership that comes after a longer one', async () => {
    await records.decide(id, anna, { ...terms, leaseMs: 300 })
    await world.passTime(300)
    const { record } = await records.decide(id, bert, { ...terms, leaseMs: 200 })
    expect(record.lease).toEqual({ ms: 200, expiresAtMs: record.electedAtMs + 200 })
  })

  describe('a start behind a gate elsewhere', () => {
    it('is the same where it is asked again behind the same, and else another', async () => {
      const job = { address: 'worker', identity: JOB_IDENTITY }
      const runTerms = { ifExecutorDies: 'fail' } as const
      await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms })
      const first = await records.start(id, job, terms, 9, { pass: 'one' })
      expect(first).toMatchObject({ verdict: 'started', fence: 1, nth: 1 })
      expect(await records.start(id, job, terms, 9, { pass: 'one' })).toEqual(first)
      expect((await records.read(id)).record).toMatchObject({ fence: 1, starts: 1 })
      expect((await records.start(id, job, terms, 9, { pass: 'two' })).verdict).toBe('spent')
    })
  })

  describe('a start of a job that was taken over HTTP', () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    const start = (hold: string, fence = 1) =>
      records.start(id, job, terms, 9, { hold }).then((ruling) => {
        if (ruling.verdict === 'started') expect(ruling).toMatchObject({ fence, nth: 1 })
        return ruling.verdict
      })

    it('is the same where it is asked again for this turn of the job, and else another', async () => {
      const runTerms = { ifExecutorDies: 'fail' } as const
      await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms })
      expect(await start('one 30000 {"turn":1}')).toBe('started')
      expect(await start('one 30000 {"turn":1}')).toBe('started')
      expect(await start('one 1000 {"turn":1,"attempts":3,"region":"eu"}')).toBe('started')
      expect((await records.read(id)).record).toMatchObject({ fence: 1, starts: 1 })
      expect(await start('one 30000 {"turn":2}')).toBe('spent')
      expect(await start('one 30000 {"turn":11}')).toBe('spent')
      expect(await start('two 30000 {"turn":1}')).toBe('spent')
      expect(await start('')).toBe('spent')
    })

    it('is another where it was given back, or the round was opened again', async () => {
      await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: { deadlineMs: 300 } })
      expect(await start('one 30000 {"turn":1}')).toBe('started')
      await records.giveBack(id, 1)
      expect(await start('one 30000 {"turn":2}', 2)).toBe('started')
      await world.passTime(300)
      const { submission } = await records.read(id)
      const seen = { submittedAtMs: submission?.submittedAtMs ?? 0, job: { data: 1, queueTerms: {} } }
      await records.retry(id, { by: 'ops', deadlineMs: 60_000 }, seen)
      expect(await start('one 30000 {"turn":2}', 4)).toBe('started')
    })
  })

  describe('a decision that nobody was told of', () => {
    const nobody = caller()

    it('is taken back: whoever asks next leads, on terms and under a fence of its own', async () => {
      await records.decide(id, nobody, { ...terms, leaseMs: 60_000 }, 'gate-value')
      expect(await records.vacate(id, { ...nobody, fence: 1 })).toBe(true)
      // Who leads next gives it up.
      expect((await records.read(id)).record).toMatchObject({ gate: 'gate-value' })
      expect(await records.vacate(id, { ...nobody, fence: 1 })).toBe(false)
      const rulings = await Promise.all(Array.from({ length: 9 }, () => records.decide(id, caller(), terms)))
      const next = rulings.filter(({ verdict }) => verdict === 'takenOver')
      expect(next).toMatchObject([{ record: { fence: 2 }, previous: { leader: nobody.address, fence: 1 } }])
      expect(next[0]?.record).not.toHaveProperty('lease')
      expect(next[0]?.record).not.toHaveProperty('gate')
      expect(rulings.filter(({ verdict }) => verdict === 'lost')).toHaveLength(8)
    })

    it('is its own again when the same candidate asks, under a higher fence', async () => {
      await records.decide(id, anna, leased)
      expect(await records.vacate(id, { ...anna, fence: 1 })).toBe(true)
      expect(await records.decide(id, anna, leased)).toMatchObject({
        verdict: 'takenOver',
        record: { fence: 2, lease: { ms: 500 } },
      })
    })

    it('is overdue at its deadline where nobody asks', async () => {
      await records.decide(id, nobody, { deadlineMs: 300 })
      await records.vacate(id, { ...nobody, fence: 1 })
      await world.passTime(300)
      expect((await records.expire(id)).verdict).toBe('overdue')
    })

    it('proves nothing: who shows its fence neither renews nor is the leader that reports', async () => {
      await records.decide(id, nobody, leased)
      await records.vacate(id, { ...nobody, fence: 1 })
      expect((await records.renew(id, { ...bert, fence: 1 })).verdict).toBe('superseded')
      const ruling = await records.complete(id, bert, done, terms)
      expect(ruling).toMatchObject({ verdict: 'recorded', record: { leader: bert.address, fence: 2 } })
      expect((await records.decide(id, anna, terms)).verdict).toBe('lost')
    })

    it('does not keep the job of its round from being started', async () => {
      const job = { address: 'worker', identity: JOB_IDENTITY }
      await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: {} })
      await records.decide(id, nobody, leased)
      await records.vacate(id, { ...nobody, fence: 1 })
      expect(await records.start(id, job, terms, 9)).toMatchObject({ verdict: 'started', fence: 2 })
      const { record } = await records.read(id)
      expect(record).toMatchObject({ leader: 'worker', starts: 1 })
      expect(record).not.toHaveProperty('lease')
    })

    it.each([
      ['whose leader has asked again', () => records.decide(id, anna, terms)],
      ['whose leader has renewed', () => records.renew(id, anna)],
      ['that is finished', () => records.complete(id, anna, done, terms)],
    ])('is not taken back of a round %s', async (_, act) => {
      await records.decide(id, anna, terms)
      await act()
      expect(await records.vacate(id, { ...anna, fence: 1 })).toBe(false)
      expect((await records.read(id)).record?.identity).toBe(anna.identity)
    })

    it('is not taken back by another, or of another leadership', async () => {
      expect(await records.vacate(id, { ...anna, fence: 1 })).toBe(false)
      await records.decide(id, anna, terms)
      expect(await records.vacate(id, { ...bert, fence: 1 })).toBe(false)
      expect(await records.vacate(id, { ...anna, fence: 2 })).toBe(false)
    })
  })

  it('give no lease to a round that was led without one', async () => {
    await records.decide(id, anna, terms)
    const renewed = await records.renew(id, anna, 1_000)
    expect(renewed.verdict).toBe('renewed')
    expect((await records.read(id)).record?.lease).toBeUndefined()
  })

  it('tell a late leader that it is superseded or that the round is finished', async () => {
    expect((await records.renew(id, anna)).verdict).toBe('notLed')
    await records.decide(id, anna, leased)
    await world.passTime(500)
    await records.decide(id, bert, leased)
    expect((await records.renew(id, anna)).verdict).toBe('superseded')
    await records.complete(id, bert, done, terms)
    expect((await records.renew(id, bert)).verdict).toBe('finished')
  })

  it('record one completion, and answer the leader that repeats it as at first', async () => {
    await records.decide(id, anna, terms)
    const first = await records.complete(
      id,
      { ...anna, address: '10.0.0.1:99' },
      { ...done, detail: '{"rows":42}' },
      terms,
    )
    expect(first.verdict).toBe('recorded')
    expect(first.record.completion).toEqual({
      outcome: 'completed',
      by: '10.0.0.1:99',
      atMs: first.nowMs,
      detail: '{"rows":42}',
    })
    expect((await records.complete(id, anna, done, terms)).verdict).toBe('alreadyRecorded')
    expect((await records.complete(id, { ...caller(), fence: 1 }, done, terms)).verdict).toBe(
      'alreadyRecorded',
    )
    expect((await records.complete(id, anna, gaveUp, terms)).verdict).toBe('refused')
    expect((await records.read(id)).record).toEqual(first.record)
  })

  it('record one of fifty reports on a round led without a token', async () => {
    await records.decide(id, caller(), terms)
    const rulings = await Promise.all(
      Array.from({ length: 50 }, () => records.complete(id, caller(), done, terms)),
    )
    expect(rulings.filter((r) => r.verdict === 'recorded')).toHaveLength(1)
    expect(rulings.filter((r) => r.verdict === 'refused')).toHaveLength(49)
  })

  it('answer the very call that was resent as at first', async () => {
    await records.decide(id, caller(), terms)
    const call = caller()
    expect((await records.complete(id, call, done, terms)).verdict).toBe('recorded')
    expect((await records.complete(id, call, done, terms)).verdict).toBe('alreadyRecorded')
  })

  it('refuse strangers and late leaders on a round led with a token', async () => {
    await records.decide(id, anna, leased)
    expect((await records.complete(id, bert, done, terms)).verdict).toBe('refused')
    expect((await records.complete(id, caller(), gaveUp, terms)).verdict).toBe('refused')
    await world.passTime(500)
    await records.decide(id, bert, leased)
    expect((await records.complete(id, anna, done, terms)).verdict).toBe('refused')
    expect((await records.complete(id, { ...anna, fence: 1 }, done, terms)).verdict).toBe('refused')
    expect((await records.complete(id, bert, gaveUp, terms)).record.completion).toMatchObject(gaveUp)
  })

  it('let a round that nobody led be led and completed in one step', async () => {
    const ruling = await records.complete(id, anna, done, terms)
    expect(ruling).toMatchObject({ verdict: 'recorded', record: { leader: anna.address, fence: 1 } })
    expect((await records.decide(id, bert, terms)).verdict).toBe('lost')
  })

  it('judge a deadline: pending, overdue, finished, or not led', async () => {
    expect((await records.expire(id)).verdict).toBe('notLed')
    await records.decide(id, anna, { deadlineMs: 300 })
    expect((await records.expire(id)).verdict).toBe('pending')
    await world.passTime(300)
    const before = await records.overdueCount()
    expect((await records.expire(id)).verdict).toBe('overdue')
    expect(await records.overdueCount()).toBe(before + 1)
    await records.complete(id, anna, done, terms)
    expect((await records.expire(id)).verdict).toBe('finished')
    expect(await records.overdueCount()).toBe(before)
  })

  it('find what is due, once, and say when the next deadline comes', async () => {
    const dueHere = async () => {
      const { due } = await records.due(1_000)
      return due.filter((one) => one.system === system).map(({ round }) => round)
    }
    const of = (round: string) => ({ system, round })
    const submit = (round: string, deadlineMs: number) =>
      records.submit(of(round), { queue: 'mailer', data: 1, queueTerms: {}, runTerms: { deadlineMs } })
    await records.decide(of('later'), anna, terms)
    await submit('later-submitted', terms.deadlineMs)
    await records.decide(of('taken'), anna, { deadlineMs: 100, leaseMs: 100 })
    await records.decide(of('ended'), anna, { deadlineMs: 100 })
    await records.complete(of('ended'), anna, done, terms)
    const { nextInMs } = await records.due(1_000)
    expect(nextInMs).toSatisfy((ms: number) => ms > 0 && ms <= terms.deadlineMs)

    await world.passTime(100)
    expect((await records.decide(of('taken'), bert, terms)).verdict).toBe('takenOver')
    expect(await dueHere()).toEqual([])
    await records.decide(of('led'), anna, { deadlineMs: 100 })
    await submit('submitted', 100)
    await world.passTime(100)
    expect((await dueHere()).sort()).toEqual(['led', 'submitted'])
    expect((await records.due(1)).due).toHaveLength(1)
    for (const round of ['led', 'submitted']) await records.expire(of(round))
    expect(await dueHere()).toEqual([])
  })

  it('judge the deadline of a job that no worker has started, or too late', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    const open = { system, round: 'open' }
    await records.submit(open, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: {} })
    await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: { deadlineMs: 300 } })
    expect(await records.expire(open)).toEqual({ verdict: 'notLed' })
    const early = await records.expire(id)
    expect(early).toEqual({ verdict: 'pending', restMs: expect.any(Number) })
    expect(early.verdict === 'pending' && early.restMs).toSatisfy((ms) => ms > 0 && ms <= 300)
    await world.passTime(300)
    const before = await records.overdueCount()
    expect(await records.expire(id)).toEqual({ verdict: 'notStarted' })
    expect(await records.overdueCount()).toBe(before + 1)
    expect((await records.start(id, job, terms, 9)).verdict).toBe('started')
    expect(await records.overdueCount()).toBe(before + 1)
    await records.finish(id, { ...job, fence: 1 }, done)
    expect(await records.overdueCount()).toBe(before)
  })

  it('take a submitted round that is led over HTTP out of the overdue ones', async () => {
    await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: { deadlineMs: 300 } })
    await world.passTime(300)
    const before = await records.overdueCount()
    await records.expire(id)
    expect((await records.decide(id, anna, terms)).verdict).toBe('elected')
    expect(await records.overdueCount()).toBe(before)
  })

  it('take a round that is taken over out of the overdue ones', async () => {
    await records.decide(id, anna, { deadlineMs: 300, leaseMs: 300 })
    await world.passTime(300)
    const before = await records.overdueCount()
    await records.expire(id)
    await records.decide(id, bert, terms)
    expect(await records.overdueCount()).toBe(before)
    expect((await records.expire(id)).verdict).toBe('pending')
  })

  it('list the history newest first, page by page, each round once', async () => {
    for (let n = 0; n < 25; n += 1) await records.decide({ system, round: `r${n}` }, anna, terms)
    const seen: string[] = []
    let after: HistoryMark | undefined
    for (let page = 0; page < 10; page += 1) {
      const { rounds, next } = await records.history({ system, limit: 4, ...(after && { after }) })
      seen.push(...rounds.map(({ id: { round } }) => round))
      const times = rounds.map(({ mark }) => mark.atMs)
      expect(times).toEqual([...times].sort((a, b) => b - a))
      after = next
      if (!next) break
    }
    expect(after).toBeUndefined()
    expect([...seen].sort()).toEqual(Array.from({ length: 25 }, (_, n) => `r${n}`).sort())
  })

  it('tell which rounds of a system came in a time, by when they first did', async () => {
    const { nowMs } = await records.read(id)
    await records.submit(
      { system, round: 'submitted' },
      { queue: 'q', data: 1, queueTerms: {}, runTerms: {} },
    )
    await world.passTime(5)
    await records.decide({ system, round: 'led' }, anna, terms)
    await records.decide({ system: `${system}-other`, round: 'led' }, anna, terms)
    await world.passTime(20)
    const { nowMs: betweenMs } = await records.read(id)
    await records.decide({ system, round: 'later' }, anna, terms)
    const came = async (fromMs: number, untilMs: number, limit = 10) =>
      (await records.came({ system, fromMs, untilMs, limit })).map((one) => one.id.round)
    expect(await came(nowMs, betweenMs)).toEqual(['submitted', 'led'])
    expect(await came(nowMs, betweenMs, 1)).toEqual(['submitted'])
    expect(await came(betweenMs, betweenMs + 60_000)).toEqual(['later'])
    expect(await came(0, nowMs)).toEqual([])
    const [submitted, led] = await records.came({ system, fromMs: nowMs, untilMs: betweenMs, limit: 10 })
    expect(submitted).toMatchObject({ submission: { queue: 'q' } })
    expect(submitted?.record).toBeUndefined()
    expect(led?.record).toMatchObject({ leader: anna.address, electedAtMs: led?.cameAtMs })
  })

  it('list the history of all systems together', async () => {
    const others = [`${system}-1`, `${system}-2`, `${system}-3`]
    for (const other of others) {
      await records.decide({ system: other, round: 'r' }, anna, terms)
      await world.passTime(1)
    }
    const { rounds } = await records.history({ limit: 3 })
    expect(rounds.map((r) => r.id.system)).toEqual(others.reverse())
  })

  it('keep what the queue must hear in the outbox until it is acknowledged', async () => {
    const ofRound = async () =>
      (await records.outbox(0, 1_000)).filter(
        (entry) => entry.id.system === system && entry.id.round === id.round,
      )
    await records.decide(id, anna, { deadlineMs: 300, leaseMs: 300 })
    expect(await ofRound()).toEqual([])
    await world.passTime(300)
    await records.expire(id)
    await records.expire(id)
    expect((await ofRound()).map(({ step }) => step)).toEqual(['overdue'])
    await records.decide(id, bert, terms)
    await records.complete(id, bert, done, terms)
    expect((await ofRound()).map(({ step }) => step).sort()).toEqual(['finished', 'led'])
    records.acknowledge(id, 'led', await records.read(id))
    if (records instanceof RedisRecords) await records.flush()
    const [finished, ...rest] = await ofRound()
    expect(rest).toEqual([])
    if (finished) await records.acknowledgeEntries([{ entry: finished, seen: await records.read(id) }])
    expect(await ofRound()).toEqual([])
    expect((await records.outbox(60_000, 1_000)).length).toBe(0)
  })

  it('give each system a share of what is found in the outboxes', async () => {
    const submit = (of: string, round: string) =>
      records.submit({ system: of, round }, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: {} })
    const [full, small] = [`${system}-full`, `${system}-small`]
    for (let n = 0; n < 400; n += 1) await submit(full, `r${n}`)
    await submit(small, 'r')
    const found = await records.outbox(0, 1_000)
    expect(found.filter((entry) => entry.id.system === full)).toHaveLength(400)
    const few = await records.outbox(0, 350)
    expect(few.filter((entry) => entry.id.system === small)).toHaveLength(1)
    for (const entry of found)
      if ([full, small].includes(entry.id.system))
        await records.acknowledgeEntries([{ entry, seen: await records.read(entry.id) }])
  })

  it('submit a round once, and keep the first data until the queue has it', async () => {
    const submission = {
      queue: 'mailer',
      data: { to: 'anna', n: 1 },
      queueTerms: { attempts: 3 },
      runTerms: { timeoutMs: 5 },
    }
    const rulings = await Promise.all(
      Array.from({ length: 20 }, () => records.submit(id, { ...submission, data: { n: 1, to: 'anna' } })),
    )
    expect(rulings.filter((r) => r.verdict === 'submitted')).toHaveLength(1)
    const other = await records.submit(id, { ...submission, data: { to: 'bert' } })
    expect(other).toMatchObject({
      verdict: 'duplicate',
      submission: { queue: 'mailer', runTerms: { timeoutMs: 5 } },
    })
    // By those that were the same; the other was refused.
    expect(other.submission?.repeats).toBe(19)
    expect(other.submission?.pending).toEqual({ data: { to: 'anna', n: 1 }, queueTerms: { attempts: 3 } })
    expect(other.submission?.digest).toBe(submissionDigest(submission))
    expect(other.submission?.digest).not.toBe(submissionDigest({ ...submission, data: { to: 'bert' } }))

    records.acknowledge(id, 'submitted', other)
    if (records instanceof RedisRecords) await records.flush()
    expect((await records.read(id)).submission).toEqual({ ...other.submission, pending: undefined })
    expect((await records.outbox(0, 1_000)).filter((entry) => entry.id.system === system)).toEqual([])
  })

  it('tells of the submission whatever is asked of its round', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    await records.submit(id, {
      queue: 'mailer',
      data: null,
      queueTerms: {},
      runTerms: { deadlineMs: 60_000 },
    })
    const submission = { queue: 'mailer', runTerms: { deadlineMs: 60_000 } }
    expect(await records.decide(id, anna, leased)).toMatchObject({ verdict: 'elected', submission })
    expect(await records.decide(id, anna, leased)).toMatchObject({ verdict: 'alreadyLeader', submission })
    expect(await records.decide(id, bert, terms)).toMatchObject({ verdict: 'lost', submission })
    expect(await records.start(id, job, terms, 5)).toMatchObject({ verdict: 'lost', submission })
    expect(await records.renew(id, anna)).toMatchObject({ verdict: 'renewed', submission })
    await world.passTime(500)
    expect(await records.decide(id, bert, terms)).toMatchObject({ verdict: 'takenOver', submission })
    const stranger = { ...anna, fence: 1 }
    expect(await records.complete(id, stranger, done, terms)).toMatchObject({
      verdict: 'refused',
      submission,
    })
    expect(await records.finish(id, stranger, done)).toMatchObject({ verdict: 'refused', submission })
    expect(await records.complete(id, bert, done, terms)).toMatchObject({ verdict: 'recorded', submission })
    expect(await records.expire(id)).toMatchObject({ verdict: 'finished', submission })
  })

  it('do not submit a round that is led or finished', async () => {
    await records.decide(id, anna, terms)
    const ruling = await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: {} })
    expect(ruling.verdict).toBe('duplicate')
    expect(ruling.submission).toBeUndefined()
  })

  it('start a submitted job under a higher fence each time, until it has ended', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: {} })
    expect(await records.start(id, job, terms, 9)).toMatchObject({
      verdict: 'started',
      fence: 1,
    })
    expect((await records.decide(id, anna, terms)).verdict).toBe('lost')
    expect(await records.start(id, job, terms, 9)).toMatchObject({
      verdict: 'started',
      fence: 2,
    })
    expect((await records.complete(id, { ...job, fence: 1 }, done, terms)).verdict).toBe('refused')
    expect((await records.complete(id, { ...job, fence: 2 }, done, terms)).verdict).toBe('recorded')
    expect((await records.start(id, job, terms, 9)).verdict).toBe('finished')
    expect((await records.read(id)).submission?.queue).toBe('mailer')
  })

  it('finish a round for its job as complete does, under the current fence only', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: {} })
    await records.start(id, job, terms, 9)
    await records.start(id, job, terms, 9)
    const late = await records.finish(id, { ...job, fence: 1 }, gaveUp)
    expect(late).toMatchObject({ verdict: 'refused', record: { fence: 2 } })
    expect(await records.finish(id, { ...job, fence: 2 }, done)).toEqual({ verdict: 'recorded' })
    expect(await records.finish(id, { ...job, fence: 2 }, done)).toEqual({ verdict: 'alreadyRecorded' })
    expect(await records.finish(id, { ...job, fence: 2 }, gaveUp)).toMatchObject({
      verdict: 'refused',
      record: { completion: { ...done, by: 'worker' } },
    })
  })

  it('tell what has become of a round on the way to its end, each once', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    const told = async (one = id) =>
      (await records.read(one)).events?.map(({ atMs, ...event }) => {
        expect(atMs).toBeGreaterThan(0)
        return event
      })
    await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: {} })
    await records.start(id, job, terms, 9)
    expect(await told()).toBeUndefined()
    await records.noteFailure(id, 1, 'connect ECONNREFUSED')
    await records.noteFailure(id, 7, 'of no start')
    await records.start(id, job, terms, 9)
    await records.start(id, job, terms, 9)
    await records.giveBack(id, 3)
    await records.start(id, job, terms, 9)
    await records.finish(id, { ...job, fence: 2 }, done)
    await records.finish(id, { ...job, fence: 4 }, gaveUp)
    await records.noteFailure(id, 4, 'after its end')
    const events = [
      { kind: 'failed', fence: 1, reason: 'connect ECONNREFUSED' },
      { kind: 'started', by: 'worker', fence: 1 },
      { kind: 'started', by: 'worker', fence: 2 },
      { kind: 'givenBack', fence: 3 },
      { kind: 'started', by: 'worker', fence: 3 },
      { kind: 'refused', by: 'worker', fence: 2, outcome: 'completed' },
    ]
    expect(await told()).toEqual(events)
    const { submission } = await records.read(id)
    const seen = { submittedAtMs: submission?.submittedAtMs ?? 0, job: { data: 1, queueTerms: {} } }
    await records.retry(id, { by: 'ops', deadlineMs: 60_000 }, seen)
    expect(await told()).toEqual([
      ...events,
      { kind: 'submitted', by: 'mailer' },
      { kind: 'started', by: 'worker', fence: 4 },
    ])

    const led = { system, round: 'led' }
    await records.decide(led, { ...anna, name: 'anna-1' }, leased)
    await world.passTime(500)
    await records.decide(led, bert, leased)
    expect(await told(led)).toEqual([{ kind: 'led', by: 'anna-1', fence: expect.any(Number) }])
    for (let n = 0; n < 9; n += 1) await records.complete(led, { ...anna, fence: 1 }, done, terms)
    const refused = { kind: 'refused', by: anna.address, fence: 1, outcome: 'completed' }
    expect((await told(led))?.slice(1)).toEqual(Array.from({ length: 5 }, () => refused))

    const often = { system, round: 'often' }
    for (let n = 0; n < 40; n += 1) await records.start(often, job, terms, 99)
    const all = (await told(often)) ?? []
    const last = (await records.read(often)).record?.fence ?? 0
    expect(all.map(({ fence }) => fence)).toEqual(Array.from({ length: 30 }, (_, n) => last - 30 + n))
  })

  it('leave the end of a job in the outbox only where its deadline is watched', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY, fence: 1 }
    const watched = { system: `${system}-watched`, round: 'r' }
    for (const [one, runTerms] of [
      [id, {}],
      [watched, { deadlineMs: 60_000 }],
    ] as const) {
      await records.submit(one, { queue: 'mailer', data: 1, queueTerms: {}, runTerms })
      expect(await records.start(one, job, terms, 9)).toEqual({
        verdict: 'started',
        fence: 1,
        runTerms,
        nth: 1,
      })
      await records.finish(one, job, done)
    }
    const entries = await records.outbox(0, 1_000)
    const finished = entries.filter(
      ({ step, id: { system: name } }) => step === 'finished' && name.startsWith(system),
    )
    expect(finished.map((entry) => entry.id)).toEqual([watched])
  })

  it('list a submitted round once, also after it was started or led', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    const other = { system, round: 'led' }
    for (const one of [id, other]) {
      await records.submit(one, { queue: 'mailer', data: 1, queueTerms: {}, runTerms: {} })
    }
    const listed = async () => (await records.history({ system, limit: 9 })).rounds.map((round) => round.id)
    expect(await listed()).toEqual([other, id])
    await records.start(id, job, terms, 9)
    await records.start(id, job, terms, 9)
    await records.decide(other, anna, terms)
    expect(await listed()).toEqual([other, id])
  })

  it('start a job no more often than it may be, and not at all where another leads', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    expect((await records.start(id, job, terms, 1)).verdict).toBe('started')
    expect((await records.start(id, job, terms, 1)).verdict).toBe('spent')
    const led = { system, round: 'led' }
    await records.decide(led, anna, terms)
    expect((await records.start(led, job, terms, 9)).verdict).toBe('lost')
  })

  it('start a job only for the submission that it was made of', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    const { submission } = await records.submit(id, {
      queue: 'mailer',
      data: 1,
      queueTerms: {},
      runTerms: {},
    })
    const madeForMs = submission?.submittedAtMs ?? 0
    expect(await records.start(id, job, terms, 9, { madeForMs: madeForMs - 1 })).toEqual({
      verdict: 'another',
    })
    expect(await records.start({ system, round: 'gone' }, job, terms, 9, { madeForMs })).toEqual({
      verdict: 'another',
    })
    expect(await records.start(id, job, terms, 9, { madeForMs })).toMatchObject({
      verdict: 'started',
      fence: 1,
    })
    expect(await records.start(id, job, terms, 9)).toMatchObject({ verdict: 'started', fence: 2 })
  })

  it('start a job no earlier than was asked, by their own clock', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    const submit = async (round: string, queueTerms: { delayMs?: number; atMs?: number }) => {
      const one = { system, round }
      const { nowMs, submission } = await records.submit(one, {
        queue: 'mailer',
        data: 1,
        queueTerms,
        runTerms: {},
      })
      return { one, afterMs: (submission?.notBeforeMs ?? nowMs) - nowMs }
    }
    const { one, afterMs } = await submit('delayed', { delayMs: 60_000 })
    expect(afterMs).toBe(60_000)
    const early = await records.start(one, job, terms, 9)
    expect(early).toMatchObject({ verdict: 'early' })
    expect((early as { restMs: number }).restMs).toBeGreaterThan(50_000)
    const { nowMs } = await records.read(id)
    expect((await submit('at', { atMs: nowMs + 60_000 })).afterMs).toBeGreaterThan(50_000)
    const past = await submit('past', { atMs: nowMs - 60_000 })
    expect(past.afterMs).toBe(0)
    expect((await records.start(past.one, job, terms, 9)).verdict).toBe('started')
  })

  it('do not count a start that was given back, once, by who has its fence', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    for (let fence = 1; fence <= 5; fence += 1) {
      expect(await records.start(id, job, terms, 1)).toMatchObject({ verdict: 'started', fence, nth: 1 })
      expect((await records.start(id, job, terms, 1)).verdict).toBe('spent')
      await records.giveBack(id, fence - 1)
      expect((await records.start(id, job, terms, 1)).verdict).toBe('spent')
      await records.giveBack(id, fence)
    }
    expect((await records.read(id)).record?.starts).toBe(5)
    const ended = await records.start(id, job, terms, 1)
    await records.finish(id, { ...job, fence: 6 }, done)
    await records.giveBack(id, 6)
    expect([ended.verdict, (await records.start(id, job, terms, 1)).verdict]).toEqual(['started', 'finished'])
  })

  it('count a start that was given back once, however often that is said', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY }
    const runTerms = { ifExecutorDies: 'fail' } as const
    await records.submit(id, { queue: 'mailer', data: 1, queueTerms: {}, runTerms })
    await records.start(id, job, terms, 9)
    for (let n = 0; n < 3; n += 1) await records.giveBack(id, 1)
    expect(await records.start(id, job, terms, 9)).toMatchObject({ verdict: 'started', fence: 2, nth: 1 })
    await records.giveBack(id, 1)
    expect((await records.start(id, job, terms, 9)).verdict).toBe('spent')
    const { events = [] } = await records.read(id)
    expect(events.filter(({ kind }) => kind === 'givenBack')).toHaveLength(1)
  })

  it('tell who listens that a round is finished', async () => {
    await records.decide(id, anna, terms)
    const heard: string[] = []
    const news = new Promise<void>((resolve) => {
      void world.news.listen(id, () => {
        heard.push('a')
        resolve()
      })
    })
    const leave = await world.news.listen(id, () => heard.push('b'))
    await world.news.listen({ system, round: 'other' }, () => heard.push('other'))
    leave()
    await records.complete(id, anna, done, terms)
    await news
    expect(heard).toEqual(['a'])
  })

  it('keep every allowed name apart from every other', async () => {
    const name = fc.tuple(anyIdentifier, anyIdentifier)
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(name, { minLength: 2, maxLength: 8, selector: String }),
        async (pairs) => {
          const ids = pairs.map(([a, b]) => ({ system: `${system}${a}`.slice(0, 60), round: b }))
          const fresh = ids.filter(
            (one, index) => ids.findIndex((o) => o.system === one.system && o.round === one.round) === index,
          )
          for (const one of fresh) {
            const before = await records.read(one)
            if (before.record) continue
            expect((await records.decide(one, anna, terms)).verdict).toBe('elected')
            expect((await records.complete(one, anna, done, terms)).verdict).toBe('recorded')
          }
        },
      ),
      { numRuns: 30 },
    )
  })
})

it.each([
  ['in 1970', 0],
  ['a month ahead', Date.now() + 30 * 86_400_000],
])(
  'records in Redis keep the systems of others where the clock of their server is %s',
  async (_, wrongMs) => {
    const retentionMs = 86_400_000
    const [other, own] = [`right-${randomUUID()}`, `wrong-${randomUUID()}`]
    await new RedisRecords(client, retentionMs).decide({ system: other, round: 'r' }, anna, terms)
    const clock = vi.spyOn(Date, 'now').mockReturnValue(wrongMs)
    try {
      await new RedisRecords(client, retentionMs).decide({ system: own, round: 'r' }, anna, terms)
    } finally {
      clock.mockRestore()
    }
    await new RedisRecords(client, retentionMs).decide({ system: other, round: 'r2' }, anna, terms)
    const { rounds } = await new RedisRecords(client, retentionMs).history({ limit: 1_000 })
    const systems = new Set(rounds.map(({ id }) => id.system))
    expect([systems.has(other), systems.has(own)]).toEqual([true, true])
    const [scores, [seconds]] = [await client.zmscore('gone:systems', other, own), await client.time()]
    for (const score of scores) expect(Math.abs(Number(score) - Number(seconds) * 1_000)).toBeLessThan(60_000)
  },
)

it('records in Redis list a round on top also where the clock has gone back', async () => {
  const system = `clock-${randomUUID()}`
  const anHourAheadMs = Date.now() + 3_600_000
  await client.xadd(`gone:{${system}}:history`, `${anHourAheadMs}-0`, 'r', 'earlier', 'f', '0')
  const records = new RedisRecords(client, 86_400_000)
  await records.submit({ system, round: 'earlier' }, { queue: 'q', data: 1, queueTerms: {}, runTerms: {} })
  const { record } = await records.decide({ system, round: 'now' }, anna, terms)
  expect(record.electedAtMs).toBeLessThan(anHourAheadMs)
  const { rounds } = await records.history({ system, limit: 1 })
  expect(rounds).toMatchObject([{ id: { round: 'now' }, mark: { atMs: anHourAheadMs } }])
})
