import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../src/index.ts'
import { lookAtBoard } from '../support/board.ts'
import { makeKey, type TestKey } from '../support/keys.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let redis: TestRedis
let server: TestServer

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis })
})

afterAll(async () => {
  await server.stop()
  await redis.stop()
})

const client = () => createClient({ url: server.url })
const newRound = () => ['shop', randomUUID()] as const

describe('cancelling', () => {
  it('ends a waiting round as failed, says who and why, and takes its job out of the queue', async () => {
    const [system, round] = newRound()
    await client().submit(system, round, { worker: 'nobody', data: 1 })
    const answer = await client().cancel(system, round, { reason: 'not needed' })
    expect(answer).toMatchObject({
      kind: 'cancelled',
      round: {
        state: 'failed',
        completion: {
          outcome: 'failed',
          by: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
          reason: expect.stringMatching(/^cancelled by 127\.0\.0\.1:\d+: not needed$/),
        },
        job: { worker: 'nobody', starts: 0 },
      },
    })
    expect(await client().cancel(system, round)).toEqual(answer)
    const board = lookAtBoard(redis, 'nobody')
    expect(await board.job({ system, round })).toBeUndefined()
    await board.stop()
  })

  it('aborts a handler that runs, within 4 s, and refuses what it reports', async () => {
    const [system, round] = newRound()
    const signals: AbortSignal[] = []
    const worker = `slow-${round}`
    await startTestWorkers(redis, {
      [worker]: async (_, { signal }) => {
        signals.push(signal)
        await once(signal, 'abort')
        return 'done all the same'
      },
    })
    await client().submit(system, round, { worker })
    await expect.poll(() => signals.length, { timeout: 30_000 }).toBe(1)
    await client().cancel(system, round, { reason: 'too slow' })
    await expect.poll(() => String(signals[0]?.reason), { timeout: 30_000 }).toContain('too slow')
    const board = lookAtBoard(redis, worker)
    await expect
      .poll(async () => (await board.job({ system, round }))?.state, { timeout: 30_000 })
      .toBe('failed')
    await board.stop()
    expect(await client().round(system, round)).toMatchObject({
      state: 'failed',
      completion: { reason: expect.stringContaining('too slow') },
      job: { starts: 1 },
    })
  })

  it('ends a round that is led over HTTP: its leader is told when it renews or reports', async () => {
    const [system, round] = newRound()
    const leader = client()
    const election = await leader.elect(system, round, { lease: '1m' })
    expect(election.leads).toBe(true)
    expect(await client().cancel(system, round)).toMatchObject({ kind: 'cancelled' })
    expect(await leader.renew(system, round)).toMatchObject({ kind: 'finished' })
    expect(await leader.complete(system, round)).toMatchObject({ kind: 'refused' })
    expect(await leader.elect(system, round)).toMatchObject({ leads: false, state: 'failed' })
  })

  it('leaves a round with an end of its own, and says which; and there may be none', async () => {
    const [system, round] = newRound()
    expect(await client().cancel(system, round)).toMatchObject({ kind: 'notThere' })
    await client().complete(system, round)
    expect(await client().cancel(system, round)).toMatchObject({
      kind: 'finished',
      detail: expect.stringMatching(/: completed by 127/),
    })
    expect((await client().round(system, round))?.state).toBe('completed')
  })

  it('takes the reason from the body or the query, and refuses two that differ', async () => {
    const post = (round: string, query: string, body?: object) =>
      send(server.url, {
        method: 'POST',
        path: `/api/v1/cancel/shop/${round}${query}`,
        ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
      })
    const [system, round] = newRound()
    await client().elect(system, round)
    expect((await post(round, '?reason=a', { reason: 'b' })).status).toBe(400)
    expect((await post(round, '', { reason: 7 })).status).toBe(400)
    expect((await post(round, `?reason=${'x'.repeat(1_001)}`)).status).toBe(400)
    expect((await post(round, '?reason=a')).status).toBe(200)
  })
})

it('needs a key that may submit for what was submitted, and one that may elect for the rest', async () => {
  const own = await startRedis()
  const [elector, submitter, reader, other] = await Promise.all([
    makeKey(own, { actions: ['elect'] }),
    makeKey(own, { actions: ['submit'] }),
    makeKey(own, { actions: ['read'] }),
    makeKey(own, { actions: ['elect', 'submit'], systems: ['other'] }),
  ])
  const guarded = await startTestServer({ redis: own })
  const post = async (path: string, { headers }: TestKey) =>
    (await send(guarded.url, { method: 'POST', path: `/api/v1/${path}`, headers })).status
  expect(await post('submit/shop/job', submitter)).toBe(202)
  expect(await post('elect/shop/led', elector)).toBe(202)
  for (const key of [reader, other]) {
    expect(await post('cancel/shop/job', key)).toBe(403)
    expect(await post('cancel/shop/led', key)).toBe(403)
  }
  expect(await post('cancel/shop/job', elector)).toBe(403)
  expect(await post('cancel/shop/led', submitter)).toBe(403)
  expect(await post('cancel/shop/job', submitter)).toBe(200)
  expect(await post('cancel/shop/led', elector)).toBe(200)
  await guarded.stop()
  await own.stop()
})
