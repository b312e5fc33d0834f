import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { MAX_QUEUES, ROUNDS_QUEUE } from '../../src/core/rounds/job.ts'
import { BullJobQueues } from '../../src/queue/job-queues.ts'
import { QueueNames } from '../../src/queue/queue-names.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { RedisCensus } from '../../src/store/alerts/redis-census.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { expectProblem, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const NAMES = '{gone}:~queues'
const DAY_MS = 86_400_000
const JSON_TYPE = { 'content-type': 'application/json' }

const work = (queue: string) => ({
  queue,
  data: null,
  queueTerms: {},
  runTerms: {},
  submittedAtMs: 1_795_000_000_000,
  digest: '',
})

describe('a queue', () => {
  let redis: TestRedis
  let client: RedisClient
  let jobs: BullJobQueues
  let raw: Redis

  beforeAll(async () => {
    redis = await startRedis()
    raw = new Redis(redis.url)
    client = connect(redis.url, 'commands', 'test', silentLog)
    await new Promise((resolve) => client.once('ready', resolve))
    jobs = new BullJobQueues(client, DAY_MS)
  })

  afterAll(async () => {
    await jobs.stop()
    await disconnect(client)
    raw.disconnect()
    await redis.stop()
  })

  const id = { system: 'a', round: '1' }
  const keysOf = (name: string) => raw.keys(`{gone}:${name}:*`)
  const names = () => raw.zrange(NAMES, 0, '-1')
  /** As if it had last been used, and its jobs had ended, two days ago. */
  async function age(name: string): Promise<void> {
    const then = Date.now() - 2 * DAY_MS
    await raw.zadd(NAMES, then, name)
    for (const state of ['completed', 'failed'])
      for (const job of await raw.zrange(`{gone}:${name}:${state}`, 0, '-1')) {
        await raw.zadd(`{gone}:${name}:${state}`, then, job)
        await raw.hset(`{gone}:${name}:${job}`, 'finishedOn', String(then))
      }
  }
  /** Its job has ended, as BullMQ keeps that. */
  async function end(name: string): Promise<void> {
    await raw.lrem(`{gone}:${name}:wait`, 0, 'a~1')
    await raw.zadd(`{gone}:${name}:completed`, Date.now(), 'a~1')
    await raw.hset(`{gone}:${name}:a~1`, 'finishedOn', String(Date.now()))
  }

  it('is forgotten with all its keys when nobody has used it for as long as jobs are kept, and none waits', async () => {
    await jobs.add(id, work('old'))
    expect(await names()).toEqual(['old'])
    await age('old')
    expect(await jobs.forget()).toBe(0)
    await end('old')
    await raw.zadd(NAMES, Date.now() - 2 * DAY_MS, 'old')
    // Its last job has ended a moment ago.
    expect(await jobs.forget()).toBe(0)
    expect((await keysOf('old')).length).toBeGreaterThan(2)
    await age('old')
    expect(await jobs.forget()).toBe(1)
    expect([await keysOf('old'), await names()]).toEqual([[], []])
    expect(await jobs.counts()).toEqual({})
  })

  it('stays while it was used, is served, is paused, or has jobs in any state', async () => {
    const kept = ['used', 'served', 'paused', 'waiting', 'delayed', 'active']
    for (const name of kept) await jobs.add(id, work(name))
    for (const name of ['used', 'served', 'paused']) {
      await end(name)
      await age(name)
    }
    const queue = new Queue('paused', { connection: client, prefix: '{gone}' })
    await queue.pause()
    await queue.close()
    for (const [name, to] of [
      ['delayed', 'delayed'],
      ['active', 'active'],
    ] as const) {
      await raw.lrem(`{gone}:${name}:wait`, 0, 'a~1')
      if (to === 'delayed') await raw.zadd(`{gone}:${name}:delayed`, 1, 'a~1')
      else await raw.lpush(`{gone}:${name}:active`, 'a~1')
    }
    for (const name of kept) await age(name)
    const other = new QueueNames(client, DAY_MS)
    await other.note('used')
    await other.serve('served', 'never-submitted-to')
    expect(await jobs.forget()).toBe(0)
    expect((await names()).sort()).toEqual([...kept].sort())
  })

  it('is submitted to again after it was forgotten', async () => {
    const [one, two] = [new BullJobQueues(client, DAY_MS), new BullJobQueues(client, DAY_MS)]
    await one.add(id, work('again'))
    await end('again')
    await age('again')
    expect(await two.forget()).toBe(1)
    await two.add({ ...id, round: '2' }, work('again'))
    expect((await two.counts()).again).toMatchObject({ waiting: 1, completed: 0 })
    await Promise.all([one.stop(), two.stop()])
  })

  it('of an older build is known, as if it were used now', async () => {
    await raw.sadd('gone:queues', 'of-old')
    expect(await jobs.forget()).toBe(0)
    expect([await raw.zscore(NAMES, 'of-old'), await raw.exists('gone:queues')]).toEqual([
      expect.stringMatching(/^\d+$/),
      0,
    ])
  })
})

describe('3,000 workers that somebody made up', () => {
  const COUNT = 3_000
  let server: TestServer
  const get = (path: string) => send(server.url, { path })
  const submit = (worker: string) =>
    send(server.url, {
      method: 'POST',
      path: `/api/v1/submit/made-up/${worker}`,
      headers: JSON_TYPE,
      body: JSON.stringify({ worker }),
    })

  /** A slow machine may answer that it is safe to retry. */
  async function submitted(worker: string): Promise<void> {
    await vi.waitFor(async () => expect((await submit(worker)).status).toBeLessThan(300), 60_000)
  }

  beforeAll(async () => {
    server = await startTestServer()
    for (let n = 0; n < COUNT; n += 50)
      await Promise.all(Array.from({ length: 50 }, (_, m) => submitted(`w${n + m}`)))
  }, 120_000)

  afterAll(() => server.stop())

  it('are a page of the board that holds the last hundred, and any other by its address', async () => {
    const queuesAt = async (path: string) => {
      const answer = await get(path)
      expect(answer.status).toBe(200)
      return (JSON.parse(answer.text) as { queues: { name: string }[] }).queues.map(({ name }) => name)
    }
    const shown = await queuesAt('/board/api/queues')
    expect(shown.filter((name) => /^w\d/.test(name))).toHaveLength(100)
    expect(shown).toContain(ROUNDS_QUEUE)
    const first = shown.includes('w0') ? 'w1' : 'w0'
    expect(await queuesAt(`/board/api/queues?activeQueue=${first}&page=1&jobsPerPage=10`)).toContain(first)
    expect(await queuesAt('/board/api/queues?activeQueue=never-submitted')).not.toContain('never-submitted')
    expect((await get('/board/queue/nothing')).status).toBe(200)
    expect((await get(`/board/api/queues/${first}/made-up~${first}`)).status).toBe(200)
  })

  it('are 200 names and other in the metrics, with every job counted', async () => {
    const waiting = async () => {
      const { text } = await get('/metrics')
      const series = [...text.matchAll(/^gone_queue_jobs\{queue="([^"]+)",state="waiting"\} (\d+)$/gm)]
      expect(series.length).toBeLessThanOrEqual(202)
      return series.reduce((sum, [, , count]) => sum + Number(count), 0)
    }
    // Where Redis was slow, the sweeper makes the job.
    await expect.poll(waiting, { timeout: 60_000, interval: 200 }).toBe(COUNT)
  }, 90_000)
})

it('a worker beyond the most there may be is refused, and one that is known is not', async () => {
  const server = await startTestServer()
  const raw = new Redis(server.redis.url)
  const full = Array.from({ length: MAX_QUEUES }, (_, n) => [Date.now(), `w${n}`]).flat()
  await raw.zadd(NAMES, ...(full as [number, string]))
  const ask = (method: string, path: string, worker: string) => {
    const job = path.startsWith('schedules') ? { every: '1h', job: { worker } } : { worker }
    return send(server.url, {
      method,
      path: `/api/v1/${path}`,
      headers: JSON_TYPE,
      body: JSON.stringify(job),
    })
  }
  const refused = await ask('POST', 'submit/a/1', 'one-more')
  expect(expectProblem(refused, 'QUOTA_EXCEEDED')).toMatch(
    /^one-more: 10000 workers are submitted to already/,
  )
  expectProblem(await ask('PUT', 'schedules/a/b', 'one-more'), 'QUOTA_EXCEEDED')
  expect((await send(server.url, { path: '/api/v1/rounds/a/1' })).status).toBe(404)
  expect((await ask('POST', 'submit/a/1', 'w7')).status).toBe(202)
  await raw.zrem(NAMES, 'w8')
  expect((await ask('POST', 'submit/a/2', 'one-more')).status).toBe(202)
  raw.disconnect()
  await server.stop()
})

it('counts ten thousand candidates of a round and no more, so that a caller with ever new tokens fills nothing', async () => {
  const redis = await startRedis()
  const client = connect(redis.url, 'commands', 'test', silentLog)
  await new Promise((resolve) => client.once('ready', resolve))
  const census = new RedisCensus(client)
  const id = { system: 'a', round: '1' }
  const some = (from: number) => Array.from({ length: 1_000 }, (_, n) => `token-${from + n}`)
  for (let from = 0; from < 20_000; from += 1_000) await census.add(id, some(from), 60_000)
  expect(await census.count(id)).toBe(10_000)
  await disconnect(client)
  await redis.stop()
})
