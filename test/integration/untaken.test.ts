import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createClient } from '../../src/index.ts'
import { lookAtBoard } from '../support/board.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let redis: TestRedis
let server: TestServer

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis, env: { GONE_SUBMISSION_DEADLINE: '2s' } })
})

afterAll(async () => {
  await server.stop()
  await redis.stop()
})

const client = () => createClient({ url: server.url })
const stateOf = async (round: string) => (await client().round('shop', round))?.state

it('a submission that nobody takes says so in its answer, and is overdue and red by its deadline', async () => {
  const round = randomUUID()
  const worker = `nobody-${round}`
  const first = await client().submit('shop', round, { worker })
  expect(first).toMatchObject({ isFirst: true, warning: 'no-worker', round: { state: 'submitted' } })
  expect(first.round.deadlineAt).toBeDefined()
  expect(await client().submit('shop', round, { worker })).toMatchObject({ warning: 'no-worker' })
  await expect.poll(() => stateOf(round), { timeout: 30_000 }).toBe('overdue')
  const board = lookAtBoard(redis)
  await expect
    .poll(async () => (await board.job({ system: 'shop', round }))?.state, { timeout: 30_000 })
    .toBe('failed')
  await startTestWorkers(redis, { [worker]: async () => 'late' })
  await expect.poll(() => stateOf(round), { timeout: 30_000 }).toBe('completed')
  await expect
    .poll(async () => (await board.job({ system: 'shop', round }))?.state, { timeout: 30_000 })
    .toBe('completed')
  await board.stop()
}, 60_000)

it('a submission that somebody takes has no warning, and no deadline once it is taken', async () => {
  const worker = `served-${randomUUID()}`
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  await startTestWorkers(redis, { [worker]: async () => held })
  await expect
    .poll(async () => (await client().fleet.instances({ worker })).length, { timeout: 30_000 })
    .toBe(1)
  const round = randomUUID()
  const first = await client().submit('shop', round, { worker })
  expect(first.warning).toBeUndefined()
  await expect.poll(() => stateOf(round), { timeout: 30_000 }).toBe('led')
  const { deadlineAt = '' } = (await client().round('shop', round)) ?? {}
  expect(Date.parse(deadlineAt)).toBeGreaterThan(Date.now() + 86_400_000)
  letGo()
  await expect.poll(() => stateOf(round), { timeout: 30_000 }).toBe('completed')
  expect((await client().submit('shop', round, { worker: 'other' })).warning).toBeUndefined()
}, 60_000)
