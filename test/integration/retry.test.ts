import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../src/index.ts'
import { lookAtBoard } from '../support/board.ts'
import { makeKey, type TestKey } from '../support/keys.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startRedisProxy } from '../support/redis-proxy.ts'
import { send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let redis: TestRedis
let server: TestServer

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis, env: { GONE_BOARD: 'read-write' } })
})

afterAll(async () => {
  await server.stop()
  await redis.stop()
})

const client = () => createClient({ url: server.url })
const newRound = () => ['shop', randomUUID()] as const

/** A worker that fails while it is told to, and the runs that it had. */
async function moodyWorker(attempts = 2) {
  const worker = `moody-${randomUUID().slice(0, 8)}`
  const mood = { fails: true }
  const runs: { round: string; fence: number; attempt: number; data: unknown }[] = []
  await startTestWorkers(
    redis,
    {
      [worker]: async ({ data }, { round, fence, attempt }) => {
        runs.push({ round, fence, attempt, data })
        if (mood.fails) throw new Error('disk full')
        return 'mended'
      },
    },
    { attempts },
  )
  return { worker, mood, runs }
}

const state = (system: string, round: string) => async () => (await client().round(system, round))?.state
const ended = (system: string, round: string, as: string) =>
  expect.poll(state(system, round), { timeout: 30_000 }).toBe(as)

describe('opening a round again', () => {
  it('is answered as done where its command reached Redis twice, without a token too', async () => {
    const proxy = await startRedisProxy(redis.port)
    const behind = await startTestServer({ redis: { ...redis, url: proxy.url } })
    const answers: number[] = []
    // The server that is slow to connect again gives up first, and says so.
    while (answers.length < 20 && !answers.includes(200)) {
      const [system, round] = newRound()
      const leader = client()
      await leader.elect(system, round)
      await leader.fail(system, round)
      proxy.loseReplyTo(`why-${round}`)
      const path = `/api/v1/retry/${system}/${round}?reason=why-${round}`
      const { status, text } = await send(behind.url, { method: 'POST', path })
      if (status !== 200) expect([status, text]).toEqual([500, expect.stringContaining('STORE_UNAVAILABLE')])
      answers.push(status)
      expect((await client().round(system, round))?.history).toHaveLength(1)
    }
    expect(answers).toContain(200)
    await behind.stop()
    await proxy.stop()
  })

  it('runs a failed job anew, with all its attempts and its data, under a higher fence, and keeps how it ended', async () => {
    const [system, round] = newRound()
    const { worker, mood, runs } = await moodyWorker()
    await client().submit(system, round, { worker, data: { to: 'anna' } })
    await ended(system, round, 'failed')
    expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(await client().retry(system, round, { reason: 'again' })).toMatchObject({
      kind: 'opened',
      round: { job: { worker, starts: 0 }, history: [{ outcome: 'failed', reason: 'disk full' }] },
    })
    await expect.poll(() => runs.length, { timeout: 30_000 }).toBe(4)
    await ended(system, round, 'failed')
    mood.fails = false
    await client().retry(system, round)
    await ended(system, round, 'completed')
    expect(runs.map(({ attempt }) => attempt)).toEqual([1, 2, 1, 2, 1])
    expect(runs.map(({ data }) => data)).toEqual(Array(5).fill({ to: 'anna' }))
    const fences = runs.map(({ fence }) => fence)
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    const seen = await client().round(system, round)
    expect(seen).toMatchObject({
      state: 'completed',
      completion: { result: 'mended' },
      job: { starts: 1 },
      history: [
        { outcome: 'failed', reason: 'disk full', retriedBy: expect.stringMatching(/^127/) },
        { outcome: 'failed', reason: 'disk full', retriedFor: 'again' },
      ],
    })
    expect(await client().retry(system, round)).toMatchObject({ kind: 'finished' })
    expect(runs).toHaveLength(5)
  }, 60_000)

  it('lets whoever asks next lead a round that was led over HTTP, under a higher fence', async () => {
    const [system, round] = newRound()
    const first = client()
    const election = await first.elect(system, round)
    await first.fail(system, round, { reason: 'disk full' })
    expect(await client().retry(system, round)).toMatchObject({ kind: 'opened', round: { state: 'open' } })
    expect(await state(system, round)()).toBe('open')
    expect(await client().elected(system, round)).toBeUndefined()
    expect(await client().retry(system, round)).toMatchObject({ kind: 'running' })
    expect(await first.complete(system, round)).toMatchObject({ kind: 'refused' })

    const races = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const racer = client()
        return { racer, election: await racer.elect(system, round) }
      }),
    )
    const winners = races.filter((race) => race.election.leads)
    expect(winners).toHaveLength(1)
    expect(winners[0]?.election.fence).toBeGreaterThan(election.fence ?? Number.POSITIVE_INFINITY)
    expect(await winners[0]?.racer.complete(system, round)).toMatchObject({ kind: 'recorded' })
    const board = lookAtBoard(redis)
    await expect
      .poll(async () => (await board.job({ system, round }))?.state, { timeout: 30_000 })
      .toBe('completed')
    await board.stop()
  })

  it('takes an overdue round from the worker that runs it, and runs it anew', async () => {
    const [system, round] = newRound()
    const worker = `stuck-${round}`
    let runs = 0
    await startTestWorkers(redis, {
      [worker]: async (_, { signal }) => {
        runs += 1
        if (runs > 1) return 'second'
        await once(signal, 'abort')
        return 'first'
      },
    })
    await client().submit(system, round, { worker, deadline: '1s' })
    await ended(system, round, 'overdue')
    expect(await client().retry(system, round)).toMatchObject({ kind: 'opened' })
    await ended(system, round, 'completed')
    expect(runs).toBe(2)
    expect(await client().round(system, round)).toMatchObject({
      completion: { result: 'second' },
      history: [{ outcome: 'overdue' }],
    })
  }, 60_000)

  it('gives a round that was cancelled before it started its job back', async () => {
    const [system, round] = newRound()
    const { worker, mood, runs } = await moodyWorker()
    mood.fails = false
    await client().submit(system, round, { worker, data: 7, delay: '1h' })
    await client().cancel(system, round)
    expect(await client().retry(system, round)).toMatchObject({ kind: 'opened' })
    await ended(system, round, 'completed')
    expect(runs.map(({ data }) => data)).toEqual([7])
  }, 60_000)

  it('refuses what is not there, what runs, and a job that was removed', async () => {
    const [system, round] = newRound()
    expect(await client().retry(system, round)).toMatchObject({ kind: 'notThere' })
    const { worker } = await moodyWorker(1)
    await client().submit(system, round, { worker })
    await ended(system, round, 'failed')
    const board = lookAtBoard(redis, worker)
    await expect
      .poll(async () => (await board.job({ system, round }))?.state, { timeout: 30_000 })
      .toBe('failed')
    // Until the record has let go of what the queue was told, a job can be made of that.
    const admin = new Redis(redis.port)
    await expect.poll(() => admin.hexists(`gone:{${system}}:round:${round}`, 'p')).toBe(0)
    admin.disconnect()
    await (await board.job({ system, round }))?.job.remove()
    await board.stop()
    expect(await client().retry(system, round)).toMatchObject({ kind: 'jobGone' })
    expect(await state(system, round)()).toBe('failed')
  }, 60_000)
})

describe('the board', () => {
  const press = (path: string) =>
    send(server.url, { method: 'PUT', path: `/board/api/queues/${path}`, headers: { origin: server.url } })

  it('runs a failed job again by its Retry button, and refuses what is completed', async () => {
    const [system, round] = newRound()
    const { worker, mood, runs } = await moodyWorker(1)
    await client().submit(system, round, { worker })
    await ended(system, round, 'failed')
    const board = lookAtBoard(redis, worker)
    const shown = (as: string) =>
      expect.poll(async () => (await board.job({ system, round }))?.state, { timeout: 30_000 }).toBe(as)
    await shown('failed')
    mood.fails = false
    expect((await press(`${worker}/${system}~${round}/retry`)).status).toBe(204)
    await ended(system, round, 'completed')
    await shown('completed')
    expect(runs).toHaveLength(2)
    expect(await client().round(system, round)).toMatchObject({
      history: [{ outcome: 'failed', retriedBy: expect.stringMatching(/^127/), retriedFor: 'on the board' }],
    })
    const refused = await press(`${worker}/${system}~${round}/retry`)
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('completed by')])
    await board.stop()
    expect(runs).toHaveLength(2)
  }, 60_000)

  it('runs all failed jobs of a queue again by Retry all, and leaves out what cannot be', async () => {
    const { worker, mood, runs } = await moodyWorker(1)
    const rounds = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const [system, round] = newRound()
        await client().submit(system, round, { worker })
        await ended(system, round, 'failed')
        return { system, round }
      }),
    )
    const board = lookAtBoard(redis, worker)
    for (const id of rounds)
      await expect.poll(async () => (await board.job(id))?.state, { timeout: 30_000 }).toBe('failed')
    await board.stop()
    mood.fails = false
    expect((await press(`${worker}/retry/failed`)).status).toBe(200)
    for (const { system, round } of rounds) await ended(system, round, 'completed')
    expect(runs).toHaveLength(10)
  }, 60_000)

  it('refuses a key whose share of queued bytes the job would exceed', async () => {
    const own = await startRedis()
    const small = await makeKey(own, { actions: ['admin'], shares: { queuedBytes: 600 } })
    const usual = await makeKey(own, { actions: ['admin'] })
    const guarded = await startTestServer({ redis: own, env: { GONE_BOARD: 'read-write' } })
    await startTestWorkers(own, { moody: () => Promise.reject(new Error('disk full')) }, { attempts: 1 })
    const submission = { worker: 'moody', data: 'x'.repeat(1_000) }
    await createClient({ url: guarded.url, key: usual.text }).submit('shop', 'large', submission)
    const board = lookAtBoard(own, 'moody')
    await expect
      .poll(async () => (await board.job({ system: 'shop', round: 'large' }))?.state, { timeout: 30_000 })
      .toBe('failed')
    const retry = async ({ headers }: TestKey, what = 'shop~large/retry') => {
      const path = `/board/api/queues/moody/${what}`
      return send(guarded.url, { method: 'PUT', path, headers: { ...headers, origin: guarded.url } })
    }
    const ofAll = await retry(small, 'retry/failed')
    expect([ofAll.status, ofAll.text]).toEqual([429, expect.stringContaining('its share of')])
    expect([(await retry(small)).status, (await retry(usual)).status]).toEqual([429, 204])
    await board.stop()
    await guarded.stop()
    await own.stop()
  }, 60_000)

  it('runs jobs again for whoever has logged in, and says who that was', async () => {
    const own = await startRedis()
    const key = await makeKey(own, { actions: ['admin'] })
    const guarded = await startTestServer({ redis: own, env: { GONE_BOARD: 'read-write' } })
    const asked = createClient({ url: guarded.url, key: key.text })
    await startTestWorkers(own, { moody: () => Promise.reject(new Error('disk full')) }, { attempts: 1 })
    const ask = (method: string, path: string, headers: Record<string, string>, body = '') =>
      send(guarded.url, { method, path, headers: { origin: guarded.url, ...headers }, body })
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const cookie =
      (await ask('POST', '/login', form, `key=${key.text}`)).headers['set-cookie']?.[0]?.split(';')[0] ?? ''
    const board = lookAtBoard(own, 'moody')
    for (const [path, status] of [
      ['shop~1/retry', 204],
      ['retry/failed', 200],
    ] as const) {
      await asked.submit('shop', '1', { worker: 'moody' })
      await expect
        .poll(async () => (await asked.round('shop', '1'))?.state, { timeout: 30_000 })
        .toBe('failed')
      await expect
        .poll(async () => (await board.job({ system: 'shop', round: '1' }))?.state, { timeout: 30_000 })
        .toBe('failed')
      const before = (await asked.round('shop', '1'))?.history?.length ?? 0
      expect((await ask('PUT', `/board/api/queues/moody/${path}`, { cookie })).status).toBe(status)
      const history = (await asked.round('shop', '1'))?.history
      expect(history).toHaveLength(before + 1)
      expect(history?.at(-1)).toMatchObject({ retriedBy: key.id, retriedFor: 'on the board' })
    }
    await board.stop()
    await guarded.stop()
    await own.stop()
  }, 60_000)

  it('opens a round that was led over HTTP by the Retry button of its job', async () => {
    const [system, round] = newRound()
    await client().fail(system, round, { reason: 'disk full' })
    const board = lookAtBoard(redis)
    await expect
      .poll(async () => (await board.job({ system, round }))?.state, { timeout: 30_000 })
      .toBe('failed')
    expect((await press(`rounds/${system}~${round}/retry`)).status).toBe(204)
    expect(await state(system, round)()).toBe('open')
    expect(await client().elect(system, round)).toMatchObject({ leads: true })
    await board.stop()
  }, 60_000)
})

it('needs a key that may submit for what was submitted, to its worker, and one that may elect for the rest', async () => {
  const own = await startRedis()
  const [elector, submitter, reader, others] = await Promise.all([
    makeKey(own, { actions: ['elect'] }),
    makeKey(own, { actions: ['submit'] }),
    makeKey(own, { actions: ['read'] }),
    makeKey(own, { actions: ['submit'], workers: ['others'] }),
  ])
  const guarded = await startTestServer({ redis: own })
  const post = async (path: string, { headers }: TestKey) =>
    (await send(guarded.url, { method: 'POST', path: `/api/v1/${path}`, headers })).status
  expect(await post('submit/shop/job', submitter)).toBe(202)
  expect(await post('cancel/shop/job', others)).toBe(403)
  expect(await post('cancel/shop/job', submitter)).toBe(200)
  expect(await post('fail/shop/led', elector)).toBe(200)
  for (const key of [reader, elector, others]) expect(await post('retry/shop/job', key)).toBe(403)
  for (const key of [reader, submitter]) expect(await post('retry/shop/led', key)).toBe(403)
  expect(await post('retry/shop/job', submitter)).toBe(200)
  expect(await post('retry/shop/led', elector)).toBe(200)
  await guarded.stop()
  await own.stop()
})
