import { randomUUID } from 'node:crypto'
import { Queue, Worker } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AlertNews } from '../../src/core/alerts/alert.ts'
import type { AlertQueue } from '../../src/core/alerts/alert-ports.ts'
import { alertNewsJson } from '../../src/core/alerts/alert-wire.ts'
import { ALERTS_QUEUE, type Submission, type SubmissionRecord } from '../../src/core/rounds/job.ts'
import { type RoundId, roundKey } from '../../src/core/rounds/round.ts'
import type { JobQueues } from '../../src/core/rounds/round-ports.ts'
import type { ScheduleId } from '../../src/core/schedules/schedule.ts'
import type { Wakes } from '../../src/core/schedules/schedule-ports.ts'
import { BullAlertQueue } from '../../src/queue/alert-queue.ts'
import { bullmq } from '../../src/queue/bullmq.ts'
import { BullJobQueues } from '../../src/queue/job-queues.ts'
import { MemoryAlertQueue } from '../../src/queue/memory-alert-queue.ts'
import { MemoryJobQueues } from '../../src/queue/memory-job-queues.ts'
import { MemoryWakes } from '../../src/queue/memory-wakes.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { WakeQueue } from '../../src/queue/wake-queue.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

interface World {
  readonly jobs: JobQueues
  readonly wakes: Wakes
  readonly alerts: AlertQueue
  /** The data of the round's job; undefined if its queue has none. */
  dataOf(id: RoundId, queue: string): Promise<unknown>
  /** A worker takes the round's job, the only one there, and is busy with it. */
  take(id: RoundId, queue: string): Promise<void>
  /** What is to be told, as it is told. */
  waitingAlerts(): Promise<readonly object[]>
  stop?(): Promise<void>
}

let redis: TestRedis
let client: RedisClient
let waiting: RedisClient

beforeAll(async () => {
  redis = await startRedis()
  client = connect(redis.url, 'commands', 'test', silentLog)
  waiting = connect(redis.url, 'waiting', 'test-worker', silentLog)
  await Promise.all([client, waiting].map((one) => new Promise((resolve) => one.once('ready', resolve))))
})

afterAll(async () => {
  await Promise.all([client, waiting].map(disconnect))
  await redis.stop()
})

function inMemory(): World {
  const [jobs, wakes, alerts] = [new MemoryJobQueues(), new MemoryWakes(), new MemoryAlertQueue()]
  return {
    jobs,
    wakes,
    alerts,
    dataOf: async (id, queue) => jobs.job(id, queue)?.data,
    async take(id, queue) {
      const job = jobs.job(id, queue)
      if (job) job.isActive = true
    },
    waitingAlerts: async () => alerts.waiting.map(alertNewsJson),
  }
}

async function inBullMQ(): Promise<World> {
  await client.flushall()
  const [jobs, wakes, alerts] = [
    new BullJobQueues(client, 3_600_000),
    new WakeQueue(client),
    new BullAlertQueue(client),
  ]
  const closers = [jobs, wakes, alerts].map((queue) => () => queue.stop())
  const open = (name: string) => {
    const queue = new Queue(name, { connection: client, prefix: QUEUE_PREFIX })
    closers.push(() => queue.close())
    return queue
  }
  return {
    jobs,
    wakes,
    alerts,
    dataOf: async (id, queue) => (await open(queue).getJob(roundKey(id)))?.data,
    async take(_, queue) {
      const worker = new Worker(queue, undefined, { connection: waiting, prefix: QUEUE_PREFIX })
      closers.push(() => worker.close())
      await worker.getNextJob('token')
    },
    waitingAlerts: async () =>
      (await open(ALERTS_QUEUE).getJobs(['waiting'], 0, -1, true)).map(({ data }) => data),
    stop: async () => void (await Promise.all(closers.map((close) => close()))),
  }
}

const worlds: Record<string, () => World | Promise<World>> = { 'in memory': inMemory, 'in BullMQ': inBullMQ }

describe.each(Object.entries(worlds))('queues %s', (_, makeWorld) => {
  let world: World

  beforeEach(async () => {
    world = await makeWorld()
  })

  afterEach(async () => {
    vi.restoreAllMocks()
    await world.stop?.()
  })

  describe('of jobs', () => {
    let id: RoundId
    const work = (over: Partial<Submission & SubmissionRecord> = {}) => ({
      queue: 'mailer',
      data: { n: 1 },
      queueTerms: {},
      runTerms: {},
      submittedAtMs: Date.parse('2026-11-22T08:00:00Z'),
      digest: '',
      ...over,
    })

    beforeEach(() => {
      id = { system: 'shop', round: randomUUID() }
    })

    it('are none at first', async () => {
      expect(await world.jobs.counts()).toEqual({})
    })

    it('have one job a round, with the data that came first, whoever adds it how often', async () => {
      await world.jobs.add(id, work())
      await Promise.all(Array.from({ length: 10 }, () => world.jobs.add(id, work({ data: { n: 2 } }))))
      expect(await world.dataOf(id, 'mailer')).toEqual({ n: 1 })
      expect((await world.jobs.counts()).mailer).toMatchObject({ waiting: 1, active: 0 })
    })

    it('have the job of the latest submission of a round, unless a worker has that of an earlier one', async () => {
      const later = work({ submittedAtMs: Date.parse('2026-12-22T08:00:00Z'), data: { n: 2 } })
      await world.jobs.add(id, work())
      await world.jobs.add(id, later)
      expect(await world.dataOf(id, 'mailer')).toEqual({ n: 2 })
      expect((await world.jobs.counts()).mailer).toMatchObject({ waiting: 1 })
      await world.take(id, 'mailer')
      const latest = work({ submittedAtMs: Date.parse('2027-01-22T08:00:00Z') })
      await expect(world.jobs.add(id, latest)).rejects.toThrow('is being run in mailer')
      expect(await world.dataOf(id, 'mailer')).toEqual({ n: 2 })
    })

    it('keep that of a later submission where somebody who was held up adds, hastens or takes out that of an earlier one', async () => {
      const later = work({ submittedAtMs: Date.parse('2026-12-22T08:00:00Z'), data: { n: 2 } })
      await world.jobs.add(id, later)
      await expect(world.jobs.add(id, work())).rejects.toThrow('a later submission is in mailer')
      await world.jobs.remove(id, work())
      await world.jobs.hasten(id, work())
      expect(await world.dataOf(id, 'mailer')).toEqual({ n: 2 })
    })

    it('take any JSON for data, also none', async () => {
      for (const data of [null, 0, '', [1, { a: null }], undefined]) {
        const one = { ...id, round: `${id.round} ${JSON.stringify(data)}` }
        await world.jobs.add(one, work({ data }))
        expect(await world.dataOf(one, 'mailer')).toEqual(data ?? null)
      }
    })

    it('keep rounds of names that are escaped apart', async () => {
      const ids = ['a~b', 'a%7Eb', 'a:b', 'wait', '123'].map((round) => ({ system: 'shop', round }))
      for (const [n, one] of ids.entries()) await world.jobs.add(one, work({ data: n }))
      expect(await Promise.all(ids.map((one) => world.dataOf(one, 'mailer')))).toEqual([0, 1, 2, 3, 4])
    })

    it('are counted by queue and state', async () => {
      const rounds = ['now', 'later', 'first'].map((round) => ({ system: 'shop', round }))
      const more = [{}, { notBeforeMs: Date.now() + 60_000 }, { queueTerms: { priority: 1 } }]
      for (const [n, one] of rounds.entries()) await world.jobs.add(one, work(more[n]))
      await world.jobs.add(id, work({ queue: 'printer' }))
      expect(await world.jobs.counts()).toMatchObject({
        mailer: { waiting: 1, delayed: 1, prioritized: 1, active: 0, completed: 0, failed: 0 },
        printer: { waiting: 1, delayed: 0 },
      })
    })

    it('keep the job of a later submission that comes while somebody takes that of an earlier one out', async () => {
      const later = work({ submittedAtMs: Date.parse('2026-12-22T08:00:00Z'), data: { n: 2 } })
      // In memory nothing comes between a look and what is done then.
      if (!(world.jobs instanceof BullJobQueues)) return
      await world.jobs.add(id, work())
      const getJob = bullmq.Queue.prototype.getJob
      vi.spyOn(bullmq.Queue.prototype, 'getJob').mockImplementationOnce(async function (this: Queue, jobId) {
        const seen = await getJob.call(this, jobId)
        await world.jobs.add(id, later)
        return seen
      })
      await world.jobs.remove(id, work())
      expect(await world.dataOf(id, 'mailer')).toEqual({ n: 2 })
      expect((await world.jobs.counts()).mailer).toMatchObject({ waiting: 1 })
    })

    it('take a job out wherever it waits, with its log, and say so as BullMQ does', async () => {
      const more = [{}, { notBeforeMs: Date.now() + 60_000 }, { queueTerms: { priority: 1 } }]
      for (const [n, one] of more.entries()) await world.jobs.add({ ...id, round: `r${n}` }, work(one))
      for (const [n, one] of more.entries()) await world.jobs.remove({ ...id, round: `r${n}` }, work(one))
      expect(Object.values((await world.jobs.counts()).mailer ?? {}).every((count) => count === 0)).toBe(true)
      if (!(world.jobs instanceof BullJobQueues)) return
      expect(await client.keys(`{gone}:mailer:shop~*`)).toEqual([])
      const events = await client.xrange('{gone}:mailer:events', '-', '+')
      const removed = events.map(([, fields]) => fields).filter((fields) => fields.includes('removed'))
      expect(removed).toEqual(
        ['wait', 'delayed', 'prioritized'].map((prev, n) => [
          'event',
          'removed',
          'jobId',
          `shop~r${n}`,
          'prev',
          prev,
        ]),
      )
    })

    it('let a job be taken out, twice too, unless a worker has it', async () => {
      await world.jobs.add(id, work())
      await world.jobs.remove(id, work({ queue: 'printer' }))
      await world.jobs.remove({ ...id, round: 'other' }, work())
      expect(await world.dataOf(id, 'mailer')).toEqual({ n: 1 })
      await world.jobs.remove(id, work())
      await world.jobs.remove(id, work())
      expect(await world.dataOf(id, 'mailer')).toBeUndefined()

      await world.jobs.add(id, work({ data: 'taken' }))
      await world.take(id, 'mailer')
      await world.jobs.remove(id, work())
      expect(await world.dataOf(id, 'mailer')).toBe('taken')
      expect((await world.jobs.counts()).mailer).toMatchObject({ waiting: 0, active: 1 })
    })
  })

  describe('of alarms', () => {
    const nowMs = Date.now()
    const [tick, tock]: ScheduleId[] = ['tick', 'tock:~ %'].map((name) => ({ system: 'shop', name }))
    const both = [tick, tock] as ScheduleId[]
    const wake = (id: ScheduleId | undefined, inMs = 60_000) => ({ id: id as ScheduleId, atMs: nowMs + inMs })

    it('miss those that were never set, in the order that is asked for', async () => {
      expect(await world.wakes.missing(both)).toEqual(both)
      expect(await world.wakes.missing([])).toEqual([])
      await world.wakes.set(wake(tick), nowMs)
      expect(await world.wakes.missing(both)).toEqual([tock])
    })

    it('keep one a schedule, which can be set anew', async () => {
      await world.wakes.set(wake(tick), nowMs)
      await world.wakes.set(wake(tick, 120_000), nowMs)
      await world.wakes.set(wake(tick, 30_000), nowMs)
      expect(await world.wakes.missing(both)).toEqual([tock])
      await world.wakes.remove(tick as ScheduleId)
      expect(await world.wakes.missing(both)).toEqual(both)
    })

    it('are removed where there are any, and that can be done twice', async () => {
      for (const id of both) await world.wakes.set(wake(id), nowMs)
      await world.wakes.remove(tock as ScheduleId)
      await world.wakes.remove(tock as ScheduleId)
      expect(await world.wakes.missing(both)).toEqual([tock])
    })
  })

  describe('of alerts', () => {
    const news = (id: string, event: AlertNews['event'], count = 1): AlertNews => ({
      event,
      alert: {
        id,
        system: 'shop',
        name: 'nightly',
        kind: 'missed',
        state: event === 'opened' ? 'open' : 'resolved',
        openedAtMs: 1_795_000_000_000,
        updatedAtMs: 1_795_000_000_000,
        count,
        firstSlot: '2026-11-22T08:00:00.000Z',
        lastSlot: '2026-11-22T08:00:00.000Z',
        detail: 'never came',
      },
    })

    it('have each piece of news once, as it was first told, and both ends of an alert', async () => {
      await world.alerts.add(news('1', 'opened'))
      await world.alerts.add(news('1', 'opened', 7))
      await world.alerts.add(news('1', 'resolved'))
      await world.alerts.add(news('2', 'opened'))
      const told = [news('1', 'opened'), news('1', 'resolved'), news('2', 'opened')]
      expect(await world.waitingAlerts()).toEqual(told.map(alertNewsJson))
    })
  })
})
