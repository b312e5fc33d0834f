import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { callIdentity, tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { JOB_IDENTITY } from '../../src/core/rounds/job.ts'
import type { RoundId } from '../../src/core/rounds/round.ts'
import type { Records, RoundNews, Sighting } from '../../src/core/rounds/round-ports.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { RedisNews } from '../../src/store/redis-news.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

interface World {
  readonly records: Records
  readonly news: RoundNews
  passTime(ms: number): Promise<void>
  /** Sets the clock back, as the record of this round sees it. */
  setBack(id: RoundId, ms: number): Promise<void>
}

let redis: TestRedis
let client: RedisClient
let subscriber: RedisClient
let news: RedisNews

beforeAll(async () => {
  redis = await startRedis()
  client = connect(redis.url, 'commands', 'test', silentLog)
  subscriber = connect(redis.url, 'waiting', 'test-news', silentLog)
  news = new RedisNews(subscriber)
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
      async setBack(_id, ms) {
        nowMs -= ms
      },
    }
  },
  'in Redis': () => ({
    records: new RedisRecords(client, 86_400_000),
    news,
    passTime: (ms) => sleep(ms + 2),
    setBack: async ({ system, round }, ms) => {
      await client.hincrby(`gone:{${system}}:round:${encodeURIComponent(round)}`, 'e', ms)
    },
  }),
}

const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const bert = { address: '10.0.0.2:2', identity: tokenIdentity('bert') }
const caller = () => ({ address: '10.0.0.3:3', identity: callIdentity(randomUUID().slice(0, 8)) })
const job = { address: 'mailer@w:1', identity: JOB_IDENTITY }
const terms = { deadlineMs: 60_000 }
const done = { outcome: 'completed', detail: '' } as const
const gaveUp = { outcome: 'failed', detail: 'disk full' } as const
const work = { queue: 'mailer', data: { to: 'anna' }, queueTerms: {}, runTerms: {} }
const OPS = '10.9.9.9:9'

describe.each(Object.entries(worlds))('records %s', (_, makeWorld) => {
  let world: World
  let records: Records
  let id: RoundId

  beforeEach(() => {
    world = makeWorld()
    records = world.records
    id = { system: `s-${randomUUID().slice(0, 8)}`, round: '08:15' }
  })

  const outbox = async () =>
    (await records.outbox(0, 1_000)).filter((entry) => entry.id.system === id.system).map(({ step }) => step)

  async function submitted(runTerms: object = {}) {
    const seen = await records.submit(id, { ...work, runTerms })
    const { submission } = seen
    records.acknowledge(id, 'submitted', seen)
    if (records instanceof RedisRecords) await records.flush()
    return { submittedAtMs: submission?.submittedAtMs ?? 0, job: { data: work.data, queueTerms: {} } }
  }

  async function started() {
    const ruling = await records.start(id, job, terms, 9)
    if (ruling.verdict !== 'started') throw new Error(ruling.verdict)
    return ruling.fence
  }

  describe('a cancellation', () => {
    it('ends a round whoever leads it, and refuses what its leader reports then', async () => {
      await records.decide(id, anna, terms)
      const ruling = await records.cancel(id, OPS, 'not needed', {})
      expect(ruling).toMatchObject({
        verdict: 'cancelled',
        record: {
          leader: anna.address,
          completion: { outcome: 'failed', by: OPS, detail: 'not needed' },
        },
      })
      expect(await records.complete(id, anna, done, terms)).toMatchObject({ verdict: 'refused' })
      expect(await records.complete(id, anna, gaveUp, terms)).toMatchObject({ verdict: 'refused' })
      expect(await records.renew(id, anna)).toMatchObject({ verdict: 'finished' })
      expect(await records.decide(id, anna, terms)).toMatchObject({ verdict: 'lost' })
      expect(await outbox()).toContain('finished')
    })

    it('ends a round that is led without a token, or whose leader was never told', async () => {
      await records.decide(id, caller(), terms)
      expect(await records.cancel(id, OPS, 'x', {})).toMatchObject({ verdict: 'cancelled' })
      const other = { ...id, round: 'vacant' }
      const { record } = await records.decide(other, anna, terms)
      await records.vacate(other, record)
      expect(await records.cancel(other, OPS, 'x', {})).toMatchObject({
        verdict: 'cancelled',
        record: { completion: { outcome: 'failed' } },
      })
      expect(await records.decide(other, anna, terms)).toMatchObject({ verdict: 'lost' })
    })

    it('ends a submitted round that no worker has started, which none then starts', async () => {
      const seen = await submitted()
      expect(await records.cancel(id, OPS, 'x', seen)).toMatchObject({
        verdict: 'cancelled',
        submission: { queue: 'mailer' },
      })
      expect(await records.start(id, job, terms, 9)).toMatchObject({ verdict: 'finished' })
    })

    it('ends a round that a worker runs, whose report is refused under any fence', async () => {
      const seen = await submitted()
      const fence = await started()
      await records.cancel(id, OPS, 'x', seen)
      expect(await records.finish(id, { ...job, fence }, done)).toMatchObject({ verdict: 'refused' })
      expect(await records.finish(id, { ...job, fence }, gaveUp)).toMatchObject({ verdict: 'refused' })
    })

    it('is answered alike when it is repeated, and keeps the first reason', async () => {
      await records.decide(id, anna, terms)
      await records.cancel(id, OPS, 'first', {})
      expect(await records.cancel(id, '10.0.0.8:8', 'second', {})).toMatchObject({
        verdict: 'alreadyCancelled',
        record: { completion: { by: OPS, detail: 'first' } },
      })
    })

    it.each([done, gaveUp])('changes nothing of a round that has ended by itself', async (end) => {
      await records.decide(id, anna, terms)
      const { record } = await records.complete(id, anna, end, terms)
      expect(await records.cancel(id, OPS, 'x', {})).toMatchObject({ verdict: 'ended', record })
      expect((await records.read(id)).record).toEqual(record)
    })

    it('does nothing where there is no round, or another submission than was seen', async () => {
      expect(await records.cancel(id, OPS, 'x', {})).toEqual({ verdict: 'another' })
      const seen = await submitted()
      expect(await records.cancel(id, OPS, 'x', {})).toEqual({ verdict: 'another' })
      const other = { ...seen, submittedAtMs: seen.submittedAtMs - 1 }
      expect(await records.cancel(id, OPS, 'x', other)).toEqual({ verdict: 'another' })
      expect((await records.read(id)).record).toBeUndefined()
    })

    it('is one, of many that are asked for while the leader reports', async () => {
      await records.decide(id, anna, terms)
      const rulings = await Promise.all([
        ...Array.from({ length: 20 }, () => records.cancel(id, OPS, 'x', {})),
        records.complete(id, anna, done, terms),
        ...Array.from({ length: 20 }, () => records.cancel(id, OPS, 'x', {})),
      ])
      const first = rulings.filter(({ verdict }) => ['cancelled', 'recorded'].includes(verdict))
      expect(first).toHaveLength(1)
    })

    it('is news to who waits for the end', async () => {
      const onFinished = vi.fn()
      const leave = await world.news.listen(id, onFinished)
      await records.decide(id, anna, terms)
      await records.cancel(id, OPS, 'x', {})
      await expect.poll(() => onFinished.mock.calls.length, { timeout: 30_000 }).toBe(1)
      leave()
    })
  })

  describe('a retry', () => {
    const order = { by: 'ops', reason: 'mended', deadlineMs: 60_000 }

    it('lets whoever asks next lead a failed round, under a higher fence, and keeps how it had ended', async () => {
      const { record } = await records.decide(id, anna, terms)
      await records.complete(id, anna, gaveUp, terms)
      const opened = await records.retry(id, order, {})
      expect(opened).toMatchObject({
        verdict: 'opened',
        record: { identity: '' },
        history: [
          {
            outcome: 'failed',
            leader: anna.address,
            fence: record.fence,
            by: anna.address,
            reason: 'disk full',
            retriedBy: 'ops',
            retriedFor: 'mended',
          },
        ],
      })
      expect('record' in opened && opened.record?.completion).toBeUndefined()
      const again = await records.decide(id, bert, terms)
      expect(again).toMatchObject({ verdict: 'takenOver', record: { leader: bert.address } })
      expect(again.record.fence).toBeGreaterThan(record.fence)
      expect(await records.decide(id, anna, terms)).toMatchObject({ verdict: 'lost' })
      const { record: completed, history } = await records.complete(id, bert, done, terms)
      expect([completed.completion?.outcome, history?.length]).toEqual(['completed', 1])
    })

    it('refuses what the leader of before reports, by token or fence, until it leads again', async () => {
      const { record } = await records.decide(id, anna, { deadlineMs: 1 })
      await world.passTime(5)
      await records.retry(id, order, {})
      const { fence } = record
      for (const report of [done, gaveUp]) {
        expect(await records.complete(id, anna, report, terms)).toMatchObject({ verdict: 'refused' })
        expect(await records.complete(id, { ...anna, fence }, report, terms)).toMatchObject({
          verdict: 'refused',
        })
      }
      expect(await records.renew(id, anna)).toMatchObject({ verdict: 'superseded' })
      const again = await records.decide(id, anna, terms)
      expect(again.record.fence).toBeGreaterThan(fence)
      expect(await records.complete(id, { ...anna, fence }, done, terms)).toMatchObject({
        verdict: 'refused',
      })
      expect(await records.complete(id, anna, done, terms)).toMatchObject({ verdict: 'recorded' })
    })

    it('refuses what any leader of before reports by its token, also where another took over or led since', async () => {
      const leased = { ...terms, leaseMs: 100 }
      const carl = { address: '10.0.0.4:4', identity: tokenIdentity('carl') }
      const takenOver = async (by: typeof anna) => {
        await world.passTime(100)
        expect(await records.decide(id, by, leased)).toMatchObject({ verdict: 'takenOver' })
      }
      const refused = async (...former: (typeof anna)[]) => {
        for (const one of former)
          expect(await records.complete(id, one, done, terms)).toMatchObject({ verdict: 'refused' })
      }
      await records.decide(id, anna, leased)
      await takenOver(bert)
      await records.complete(id, bert, gaveUp, terms)
      await records.retry(id, order, {})
      await refused(anna, bert)
      await records.decide(id, carl, leased)
      await records.complete(id, carl, gaveUp, terms)
      await records.retry(id, order, {})
      await refused(anna, bert, carl)
      // Whoever has not led it reports what nobody leads, and who leads it again what is his.
      await records.decide(id, anna, terms)
      await refused(bert, carl)
      expect(await records.complete(id, anna, done, terms)).toMatchObject({ verdict: 'recorded' })
    })

    it('refuses what the leader of before reports by its token also where the next one leads without one', async () => {
      await records.decide(id, anna, terms)
      await records.complete(id, anna, gaveUp, terms)
      await records.retry(id, order, {})
      const { record } = await records.decide(id, caller(), terms)
      for (const report of [done, gaveUp])
        expect(await records.complete(id, anna, report, terms)).toMatchObject({ verdict: 'refused' })
      expect((await records.read(id)).record).toMatchObject({ fence: record.fence, leader: record.leader })
      expect(await records.complete(id, bert, done, terms)).toMatchObject({ verdict: 'recorded' })
    })

    it('remembers so many of its former leaders, and grows no further', async () => {
      const leaders = Array.from({ length: 14 }, (_, n) => ({
        address: '10.0.0.5:5',
        identity: tokenIdentity(`n-${n}`),
      }))
      for (const one of leaders) {
        await records.decide(id, one, terms)
        await records.complete(id, one, gaveUp, terms)
        await records.retry(id, order, {})
      }
      const { reopened } = (await records.read(id)).record ?? {}
      expect(reopened?.former).toEqual(
        leaders
          .slice(-11)
          .reverse()
          .map(({ identity }) => identity),
      )
    })

    it('remembers each former leader once, the last first, whoever led twice or without a token', async () => {
      const leased = { ...terms, leaseMs: 100 }
      const carl = { address: '10.0.0.4:4', identity: tokenIdentity('carl') }
      const former = async () => (await records.read(id)).record?.reopened?.former
      const opened = async () => {
        expect(await records.cancel(id, OPS, 'x', {})).toMatchObject({ verdict: 'cancelled' })
        await records.retry(id, order, {})
      }
      for (const one of [anna, bert, anna]) {
        await records.decide(id, one, leased)
        await world.passTime(100)
      }
      await opened()
      expect(await former()).toEqual([anna, bert].map(({ identity }) => identity))
      await records.decide(id, caller(), terms)
      await opened()
      expect(await former()).toEqual([anna, bert].map(({ identity }) => identity))
      await records.decide(id, bert, leased)
      await world.passTime(100)
      await records.decide(id, carl, terms)
      await opened()
      expect(await former()).toEqual([carl, bert, anna].map(({ identity }) => identity))
    })

    it('lets whoever asks next lead also while the clock is behind what it was', async () => {
      await records.decide(id, anna, terms)
      await records.complete(id, anna, gaveUp, terms)
      await records.retry(id, order, {})
      await world.setBack(id, 50_000)
      expect(await records.decide(id, bert, terms)).toMatchObject({ verdict: 'takenOver' })
      expect(await records.decide(id, anna, terms)).toMatchObject({ verdict: 'lost' })
    })

    it('makes the job of a failed round startable again, as if never started, and that of before not', async () => {
      const seen = await submitted()
      const fence = await started()
      await records.finish(id, { ...job, fence }, gaveUp)
      expect(await outbox()).toEqual([])
      const opened = await records.retry(id, order, seen)
      expect(opened).toMatchObject({
        verdict: 'opened',
        record: { starts: 0 },
        submission: { queue: 'mailer', pending: seen.job },
        history: [{ outcome: 'failed', fence, by: job.address, reason: 'disk full' }],
      })
      expect(await outbox()).toEqual(['submitted'])
      const madeForMs = ('submission' in opened && opened.submission?.submittedAtMs) || 0
      expect(madeForMs).toBeGreaterThan(seen.submittedAtMs)
      expect(await records.start(id, job, terms, 9, { madeForMs: seen.submittedAtMs })).toEqual({
        verdict: 'another',
      })
      const start = await records.start(id, job, terms, 9, { madeForMs })
      expect(start).toMatchObject({ verdict: 'started', nth: 1 })
      expect(start.verdict === 'started' && start.fence).toBeGreaterThan(fence)
      expect(await records.finish(id, { ...job, fence }, done)).toMatchObject({ verdict: 'refused' })
    })

    it('keeps what its queue is to be told, and the data, where what came before is acknowledged late, and twice', async () => {
      const first = await records.submit(id, work)
      const entry = (await records.outbox(0, 1_000)).find((one) => one.id.system === id.system)
      const fence = await started()
      await records.finish(id, { ...job, fence }, gaveUp)
      await world.passTime(5)
      await records.retry(id, order, { submittedAtMs: first.submission?.submittedAtMs ?? 0 })
      const acknowledge = async (seen: Sighting) => {
        for (let times = 0; times < 2; times += 1) {
          records.acknowledge(id, 'submitted', seen)
          if (records instanceof RedisRecords) await records.flush()
          if (entry) await records.acknowledgeEntries([{ entry, seen }])
        }
      }
      await acknowledge(first)
      const second = await records.read(id)
      expect([await outbox(), second.submission?.pending?.data]).toEqual([['submitted'], work.data])
      await acknowledge(second)
      expect([await outbox(), (await records.read(id)).submission?.pending]).toEqual([[], undefined])
    })

    it('has its next end told, where the one before is acknowledged late', async () => {
      const { record } = await records.decide(id, anna, terms)
      const first = await records.complete(id, { ...anna, fence: record.fence }, gaveUp, terms)
      await world.passTime(5)
      await records.retry(id, order, {})
      await records.decide(id, bert, terms)
      const second = await records.complete(id, bert, gaveUp, terms)
      const acknowledge = async (seen: Sighting) => {
        records.acknowledge(id, 'finished', seen)
        if (records instanceof RedisRecords) await records.flush()
        return outbox()
      }
      expect(await acknowledge(first)).toContain('finished')
      expect(await acknowledge(second)).not.toContain('finished')
    })

    it('refuses what a worker reports that still ran it, also before it is started again', async () => {
      const seen = await submitted({ deadlineMs: 1_000 })
      const fence = await started()
      await world.passTime(1_000)
      expect(await records.expire(id)).toMatchObject({ verdict: 'overdue' })
      expect(await records.retry(id, order, seen)).toMatchObject({
        verdict: 'opened',
        history: [{ outcome: 'overdue', leader: job.address, fence }],
      })
      await records.giveBack(id, fence)
      expect(await records.finish(id, { ...job, fence }, done)).toMatchObject({ verdict: 'refused' })
      expect((await outbox()).sort()).toEqual(['led', 'submitted'])
      expect(await records.expire(id)).toMatchObject({ verdict: 'pending' })
    })

    it('opens what no worker has started by its deadline', async () => {
      const seen = await submitted({ deadlineMs: 1_000 })
      expect(await records.retry(id, order, seen)).toMatchObject({ verdict: 'running' })
      await world.passTime(1_000)
      expect(await records.retry(id, order, seen)).toMatchObject({
        verdict: 'opened',
        history: [{ outcome: 'overdue' }],
      })
      expect(await records.start(id, job, terms, 9)).toMatchObject({ verdict: 'started', nth: 1 })
    })

    it('opens a cancelled round with what its job did, which is not in its queue any more', async () => {
      const seen = await submitted()
      expect(await records.kept(id)).toBeUndefined()
      await records.cancel(id, OPS, 'not needed', seen)
      expect(await records.kept(id)).toEqual(seen.job)
      const { submittedAtMs } = seen
      expect(await records.retry(id, order, { submittedAtMs })).toMatchObject({
        verdict: 'opened',
        submission: { pending: seen.job },
        history: [{ outcome: 'failed', reason: 'not needed', by: OPS }],
      })
      expect(await records.kept(id)).toBeUndefined()
      expect(await records.start(id, job, terms, 9)).toMatchObject({ verdict: 'started', nth: 1 })
    })

    it('is refused where a round is completed, has not ended, or what its job does is not known', async () => {
      await records.decide(id, anna, terms)
      expect(await records.retry(id, order, {})).toMatchObject({ verdict: 'running' })
      await records.complete(id, anna, done, terms)
      const before = await records.read(id)
      expect(await records.retry(id, order, {})).toMatchObject({ verdict: 'completed' })
      expect((await records.read(id)).record).toEqual(before.record)
      expect(await records.retry({ ...id, round: 'none' }, order, {})).toEqual({ verdict: 'another' })

      id = { ...id, round: 'job' }
      const { submittedAtMs } = await submitted()
      const fence = await started()
      await records.finish(id, { ...job, fence }, gaveUp)
      expect(await records.retry(id, order, { submittedAtMs })).toMatchObject({ verdict: 'jobGone' })
      expect(await records.retry(id, order, {})).toEqual({ verdict: 'another' })
      expect((await records.read(id)).record?.completion).toBeDefined()
    })

    it('answers who asks again as at first, while the round runs, and nobody else', async () => {
      const mine = { ...order, identity: tokenIdentity('ops') }
      await records.decide(id, anna, terms)
      await records.complete(id, anna, gaveUp, terms)
      await records.retry(id, mine, {})
      expect(await records.retry(id, mine, {})).toMatchObject({ verdict: 'opened' })
      await records.decide(id, bert, terms)
      expect(await records.retry(id, mine, {})).toMatchObject({ verdict: 'opened' })
      expect((await records.read(id)).history).toHaveLength(1)
      expect((await records.read(id)).record?.leader).toBe(bert.address)
      const other = { ...order, identity: tokenIdentity('other') }
      expect(await records.retry(id, other, {})).toMatchObject({ verdict: 'running' })
      expect(await records.retry(id, order, {})).toMatchObject({ verdict: 'running' })
    })

    it('is one where it reaches them twice, also if the round has failed again in between', async () => {
      const mine = { ...order, identity: tokenIdentity('ops') }
      const seen = await submitted()
      const first = await started()
      await records.finish(id, { ...job, fence: first }, gaveUp)
      const asked = { ...mine, fence: first }
      expect(await records.retry(id, asked, seen)).toMatchObject({ verdict: 'opened' })
      await records.finish(id, { ...job, fence: await started() }, gaveUp)
      const { record, submission, history } = await records.read(id)
      expect(await records.retry(id, asked, seen)).toMatchObject({ verdict: 'opened', record, history })
      // Asked for anew, by the same token too, it is opened again.
      const now = { ...seen, submittedAtMs: submission?.submittedAtMs ?? 0 }
      const again = await records.retry(id, { ...mine, fence: record?.fence ?? 0 }, now)
      expect('history' in again && again.history).toHaveLength(2)
      await records.finish(id, { ...job, fence: await started() }, done)
      expect(await records.retry(id, { ...mine, fence: record?.fence ?? 0 }, now)).toMatchObject({
        verdict: 'another',
      })
    })

    it('is one, of many that are asked for', async () => {
      const seen = await submitted()
      await records.finish(id, { ...job, fence: await started() }, gaveUp)
      const rulings = await Promise.all(Array.from({ length: 30 }, () => records.retry(id, order, seen)))
      expect(rulings.filter(({ verdict }) => verdict === 'opened')).toHaveLength(1)
      expect((await records.read(id)).history).toHaveLength(1)
    })

    it('lets a submitted round be led over HTTP, and then shows no starts', async () => {
      const seen = await submitted()
      await records.finish(id, { ...job, fence: await started() }, gaveUp)
      await records.retry(id, order, seen)
      const { record } = await records.decide(id, anna, terms)
      expect(record.starts).toBeUndefined()
      expect(await records.complete(id, anna, done, terms)).toMatchObject({ verdict: 'recorded' })
      expect(await outbox()).toContain('finished')
    })

    it('keeps the newest ten ends, with reasons of bounded length', async () => {
      const reason = 'ä'.repeat(900)
      for (let times = 0; times < 12; times += 1) {
        const { record } = await records.decide(id, anna, terms)
        await records.complete(id, anna, { outcome: 'failed', detail: `${record.fence} ${reason}` }, terms)
        await records.retry(id, { ...order, reason }, {})
      }
      const { history = [] } = await records.read(id)
      expect(history).toHaveLength(10)
      expect(history.map(({ fence = 0 }) => fence)).toEqual(
        [...history.map(({ fence = 0 }) => fence)].sort((a, b) => b - a),
      )
      for (const end of history) {
        expect(end.reason).toMatch(new RegExp(`^${end.fence} ä+$`))
        expect(end.retriedFor).toMatch(/^ä+$/)
        expect(Buffer.byteLength(end.reason ?? '')).toBeLessThanOrEqual(500)
      }
    })

    it('lists the round once, with the history that it has', async () => {
      await records.decide(id, anna, terms)
      await records.complete(id, anna, gaveUp, terms)
      await records.retry(id, order, {})
      const { rounds } = await records.history({ system: id.system, limit: 10 })
      expect(rounds).toMatchObject([{ id, history: [{ outcome: 'failed' }] }])
      await records.decide(id, bert, terms)
      expect((await records.history({ system: id.system, limit: 10 })).rounds).toHaveLength(1)
    })

    it('leaves a round that is overdue in no index of such', async () => {
      await records.decide(id, anna, { deadlineMs: 1 })
      await world.passTime(5)
      const before = await records.overdueCount()
      await records.expire(id)
      expect(await records.overdueCount()).toBe(before + 1)
      await records.retry(id, order, {})
      expect(await records.overdueCount()).toBe(before)
    })
  })

  describe('a submission that sets no deadline', () => {
    const submit = (queueTerms: object = {}, untakenMs = 500) =>
      records.submit(id, { ...work, queueTerms }, untakenMs)
    const due = async () => (await records.due(1_000)).due.filter(({ system }) => system === id.system)

    it('is overdue, and to be shown, where no worker has started it in time', async () => {
      const seen = await submit()
      expect(seen.submission?.untakenMs).toBe(500)
      records.acknowledge(id, 'submitted', seen)
      if (records instanceof RedisRecords) await records.flush()
      expect(await records.expire(id)).toMatchObject({ verdict: 'pending' })
      await world.passTime(500)
      expect(await due()).toEqual([id])
      expect(await records.expire(id)).toEqual({ verdict: 'notStarted' })
      expect(await outbox()).toEqual(['overdue'])
      expect((await records.read(id)).submission?.runTerms.deadlineMs).toBe(500)
      const fence = await started()
      await records.finish(id, { ...job, fence }, done)
      expect(await outbox()).toContain('finished')
    })

    it('has as long as it likes once a worker has started it, and ends in its own queue alone', async () => {
      records.acknowledge(id, 'submitted', await submit())
      if (records instanceof RedisRecords) await records.flush()
      const fence = await started()
      await world.passTime(500)
      expect(await records.expire(id)).toMatchObject({ verdict: 'pending' })
      await records.finish(id, { ...job, fence }, done)
      expect(await outbox()).toEqual([])
    })

    it('is counted from when it may be started', async () => {
      const { submission } = await submit({ delayMs: 60_000 })
      expect(submission?.untakenMs).toBe(60_500)
      await world.passTime(500)
      expect(await records.expire(id)).toMatchObject({ verdict: 'pending' })
    })

    it('waits for ever where there is no such deadline, and is opened again with a new one where there is', async () => {
      await submit({}, 0)
      await world.passTime(500)
      expect(await records.expire(id)).toEqual({ verdict: 'notLed' })
      id = { ...id, round: 'again' }
      const { submission } = await submit()
      await world.passTime(500)
      const seen = { submittedAtMs: submission?.submittedAtMs ?? 0 }
      const order = { by: 'ops', deadlineMs: 500 }
      expect(await records.retry(id, order, seen)).toMatchObject({ verdict: 'opened' })
      await world.passTime(500)
      expect(await due()).toEqual([id])
      expect(await records.expire(id)).toMatchObject({ verdict: 'overdue' })
    })
  })
})
