import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { callIdentity, tokenIdentity } from '../../src/core/candidate.ts'
import { JOB_IDENTITY, submissionDigest } from '../../src/core/job.ts'
import type { HistoryMark, Records, RoundNews } from '../../src/core/ports.ts'
import type { RoundId } from '../../src/core/round.ts'
import { MemoryRecords } from '../../src/records/memory-records.ts'
import { RedisRecords } from '../../src/records/redis-records.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { RedisNews } from '../../src/redis/redis-news.ts'
import { anyIdentifier } from '../support/identifiers.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

interface World {
  readonly records: Records
  readonly news: RoundNews
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
      async passTime(ms) {
        nowMs += ms
      },
    }
  },
  'in Redis': () => ({
    records: new RedisRecords(client, 86_400_000),
    news: new RedisNews(subscriber),
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
    await records.decide(id, anna, terms)
    expect(await ofRound()).toHaveLength(1)
    await records.complete(id, anna, done, terms)
    expect(await ofRound()).toHaveLength(2)
    records.acknowledge(id, 'led')
    if (records instanceof RedisRecords) await records.flush()
    const [finished, ...rest] = await ofRound()
    expect(rest).toEqual([])
    if (finished) await records.acknowledgeEntry(finished)
    expect(await ofRound()).toEqual([])
    expect((await records.outbox(60_000, 1_000)).length).toBe(0)
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
    expect(other.submission?.pending).toEqual({ data: { to: 'anna', n: 1 }, queueTerms: { attempts: 3 } })
    expect(other.submission?.digest).toBe(submissionDigest(submission))
    expect(other.submission?.digest).not.toBe(submissionDigest({ ...submission, data: { to: 'bert' } }))

    records.acknowledge(id, 'submitted')
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

  it('leave the end of a job in the outbox only where its deadline is watched', async () => {
    const job = { address: 'worker', identity: JOB_IDENTITY, fence: 1 }
    const watched = { system: `${system}-watched`, round: 'r' }
    for (const [one, runTerms] of [
      [id, {}],
      [watched, { deadlineMs: 60_000 }],
    ] as const) {
      await records.submit(one, { queue: 'mailer', data: 1, queueTerms: {}, runTerms })
      expect(await records.start(one, job, terms, 9)).toEqual({ verdict: 'started', fence: 1, runTerms })
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
