import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type fibonacci from '../../examples/workers/fibonacci.ts'
import type sleeper from '../../examples/workers/sleeper.ts'
import type upcase from '../../examples/workers/upcase.ts'
import { createClient, type GoneClient } from '../../src/index.ts'
import { builtPath } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startServeProcess, startWorkProcess } from '../support/serve-process.ts'

type Running = Awaited<ReturnType<typeof startWorkProcess>>

let redis: TestRedis
let server: Running
let workers: Running[]
let client: GoneClient

beforeAll(async () => {
  redis = await startRedis()
  server = await startServeProcess({ REDIS_URL: redis.url })
  workers = await Promise.all([startWorkers(), startWorkers()])
  client = createClient({ url: server.url })
})

afterAll(async () => {
  for (const work of workers) await work.kill()
  await server.stop()
  await redis.stop()
})

const startWorkers = () => startWorkProcess(builtPath('examples/workers'), { REDIS_URL: redis.url })
const fault = (data: object) =>
  client.submit('faults', randomUUID(), { worker: 'sleeper', data }).then(({ round }) => round.round)
const endOf = (round: string) => client.wait<typeof sleeper>('faults', round, { timeout: '50s' })

describe('the examples of workers', () => {
  it('upcase answers a call', async () => {
    expect(await client.call<typeof upcase>('upcase', { text: 'hello' })).toBe('HELLO')
    await expect(client.call('upcase', {})).rejects.toMatchObject({
      code: 'CALL_FAILED',
      message: 'upcase: data.text: expected a text',
    })
  })

  it('fibonacci answers by calling itself, five deep', async () => {
    expect(await client.call<typeof fibonacci>('fibonacci', 6, { timeout: '30s' })).toBe(8)
    await expect(client.call('fibonacci', 8, { timeout: '30s' })).rejects.toMatchObject({
      code: 'CALL_FAILED',
      message: expect.stringContaining('5 may'),
    })
  })

  it('sleeper sleeps, fails as it is told, and only at the first start', async () => {
    expect(await endOf(await fault({ ms: 1 }))).toMatchObject({
      state: 'completed',
      completion: { result: { slept: 1 } },
    })
    const failed = await endOf(await fault({ ms: 1, fault: 'fail' }))
    expect(failed).toMatchObject({ state: 'completed', job: { starts: 2 } })
    expect(await endOf(await fault({ fault: 'nonsense' }))).toMatchObject({
      state: 'failed',
      job: { starts: 1 },
    })
  })

  it('sleeper kills its process, and another runs the round under a higher fence', async () => {
    const end = await endOf(await fault({ ms: 1, fault: 'kill' }))
    expect(end).toMatchObject({ state: 'completed', job: { starts: 2 } })
    const dead = workers.filter(({ isAlive }) => !isAlive)
    expect(dead).toHaveLength(1)
    expect(end?.completion.result?.pid).not.toBe(dead[0]?.pid)
  })
}, 120_000)
