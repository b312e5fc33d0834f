import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startProxy } from '../../chaos/proxy.ts'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import { AlongWorker } from '../../src/queue/along-worker.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let redis: TestRedis
let server: TestServer
let client: GoneClient

beforeEach(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis })
  client = createClient({ url: server.url })
})

afterEach(async () => {
  await server.stop()
  await redis.stop()
})

describe('an outage of Redis of 30 s', () => {
  it('is survived by a worker, which goes on by itself', async () => {
    await startTestWorkers(redis, { mailer: async () => 'done' })
    await redis.kill()
    // The outage itself.
    await sleep(30_000)
    await redis.restart()
    const put = () =>
      client.submit('mail', 'after', { worker: 'mailer' }).then(
        () => true,
        () => false,
      )
    await expect.poll(put, { timeout: 30_000 }).toBe(true)
    expect(await client.wait('mail', 'after', { timeout: '30s' })).toMatchObject({ state: 'completed' })
  }, 90_000)
})

describe('connections to Redis that are cut again and again', () => {
  it('fail no job that may be started only once, and end all others well', async () => {
    const proxy = await startProxy(redis.port)
    const work = vi.fn(async () => sleep(50 + Math.random() * 150))
    await startTestWorkers({ ...redis, url: proxy.redisUrl }, { mailer: work }, { concurrency: 20 })
    const rounds = Array.from({ length: 200 }, (_, n) => `r${n}`)
    let isOver = false
    const cutting = (async () => {
      while (!isOver) {
        await sleep(400)
        proxy.cut()
      }
    })()
    for (const [n, round] of rounds.entries()) {
      // Those with a deadline, or that may be started only once, are recorded in steps of their own.
      const terms = [{ ifExecutorDies: 'fail' as const }, { deadline: '1h' }, {}][n % 3]
      await client.submit('cut', round, { worker: 'mailer', ...terms })
      await sleep(15)
    }
    const ends = await Promise.all(rounds.map((round) => client.wait('cut', round, { timeout: '50s' })))
    isOver = true
    await cutting
    expect(ends.filter((end) => end?.state !== 'completed')).toEqual([])
    await proxy.stop()
  })
})

describe('a Redis that is full as a handler comes to its end', () => {
  it.each([
    ['along with its job', {}],
    ['by a step of its own', { deadline: '1h' }],
  ])('has that recorded %s, and has it run once', async (_, terms) => {
    const admin = new Redis(redis.port)
    let end = () => {}
    const handler = vi.fn(
      () =>
        new Promise<string>((resolve) => {
          end = () => resolve('done')
        }),
    )
    await startTestWorkers(redis, { mailer: handler })
    await client.submit('full', 'night', { worker: 'mailer', ...terms })
    await vi.waitFor(() => expect(handler).toHaveBeenCalled(), 30_000)
    await admin.config('SET', 'maxmemory', 1)
    end()
    await expect
      .poll(async () => (await client.round('full', 'night'))?.state, { timeout: 30_000 })
      .toBe('completed')
    await admin.config('SET', 'maxmemory', 0)
    expect(handler).toHaveBeenCalledTimes(1)
    admin.disconnect()
  })
})

describe('what is no end of an attempt', () => {
  it('fails no job: it is found without a lock, and run again', async () => {
    const connection = new Redis(redis.port, { maxRetriesPerRequest: null })
    const queue = new Queue('mailer', { connection })
    // As a Cluster says of a node that is away, by whatever BullMQ asks beside an attempt.
    const trouble = new Error('Too many Cluster redirections. Last error: Error: Connection is closed.')
    const run = vi.fn(async () => 'done').mockRejectedValueOnce(trouble)
    const worker = new AlongWorker('mailer', run, { connection, lockDuration: 1_000, stalledInterval: 500 })
    const told: string[] = []
    worker.on('error', ({ message }) => told.push(message))
    const job = await queue.add('night', {})
    await expect.poll(() => job.getState(), { timeout: 30_000 }).toBe('completed')
    expect(run).toHaveBeenCalledTimes(2)
    expect(told).toContain(trouble.message)
    expect((await queue.getFailed()).length).toBe(0)
    await worker.close()
    await queue.close()
    connection.disconnect()
  })
})
