import { Worker } from 'bullmq'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { BullJobsInHand } from '../../src/queue/jobs-in-hand.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { silentLog } from '../support/log.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let redis: RedisClient
let blocking: RedisClient

beforeAll(async () => {
  server = await startTestServer()
  redis = connect(server.redis.url, 'commands', 'test', silentLog)
  blocking = connect(server.redis.url, 'waiting', 'test', silentLog)
})

afterAll(async () => {
  await disconnect(redis)
  await disconnect(blocking)
})

/** Takes jobs, and runs them until it is let go. */
function take(queue: string, instance: string, concurrency: number) {
  let letGo = () => {}
  const isOver = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const settings = { connection: blocking, prefix: QUEUE_PREFIX, name: instance, concurrency }
  const worker = new Worker(queue, () => isOver, settings)
  return async () => {
    letGo()
    await worker.close()
  }
}

const instance = (id: string, ...names: readonly string[]) => ({
  id,
  region: 'eu',
  workers: (names.length > 0 ? names : ['held']).map((name) => ({ name, slots: 1 })),
})

it('asks for the jobs that are run now, and for no round that was', async () => {
  const client = createClient({ url: server.url })
  for (let n = 0; n < 100; n += 1) {
    await client.elect('hand', `old-${n}`)
    await client.submit('hand', `waits-${n}`, { worker: 'held', data: n })
  }
  const closers = [take('held', 'one', 3), take('held', 'two', 2)]
  const jobs = new BullJobsInHand(redis)
  await expect.poll(async () => (await jobs.of(instance('one'))).length).toBe(3)
  await expect.poll(async () => (await jobs.of(instance('two'))).length).toBe(2)
  const sent = vi.spyOn(redis, 'sendCommand')
  const found = await jobs.of(instance('one', 'held', 'idle'))
  // A list of each worker, and each of the five that are run.
  expect(sent).toHaveBeenCalledTimes(2 + 5)
  sent.mockRestore()
  expect(found.map(({ worker, round }) => [worker, round.system])).toEqual(Array(3).fill(['held', 'hand']))
  expect(await jobs.of(instance('three'))).toEqual([])
  for (const close of closers) await close()
  expect(await jobs.of(instance('one'))).toEqual([])
})
