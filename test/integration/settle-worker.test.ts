import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tokenIdentity } from '../../src/core/candidate.ts'
import type { Records } from '../../src/core/ports.ts'
import { roundKey } from '../../src/core/round.ts'
import { BullRoundQueue } from '../../src/queue/round-queue.ts'
import { SettleWorker } from '../../src/queue/settle-worker.ts'
import { RedisRecords } from '../../src/records/redis-records.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const DAY_MS = 86_400_000

let redis: TestRedis
let clients: RedisClient[]

beforeAll(async () => {
  redis = await startRedis()
  clients = (['commands', 'waiting'] as const).map((kind) => connect(redis.url, kind, kind, silentLog))
  await Promise.all(clients.map((client) => new Promise((resolve) => client.once('ready', resolve))))
})

afterAll(async () => {
  await Promise.all(clients.map(disconnect))
  await redis.stop()
})

describe('a round whose job is looked at before its deadline', () => {
  it('is shown as completed, also where it was completed between the look and the putting off', async () => {
    const [commands, waiting] = clients as [RedisClient, RedisClient]
    const real = new RedisRecords(commands, DAY_MS)
    const queue = new BullRoundQueue(commands)
    const id = { system: 'settle', round: 'between' }
    const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
    // What a completer does, in the middle of the worker's look.
    const expire: Records['expire'] = async (asked) => {
      const ruling = await real.expire(asked)
      if (ruling.verdict === 'pending') {
        await real.complete(id, anna, { outcome: 'completed', detail: '' }, { deadlineMs: 60_000 })
        await queue.close(id)
      }
      return ruling
    }
    const records = new Proxy<Records>(real, {
      get: (target, name) => {
        const member = name === 'expire' ? expire : Reflect.get(target, name)
        return typeof member === 'function' ? member.bind(target) : member
      },
    })
    const worker = new SettleWorker({
      client: waiting,
      records,
      queue,
      log: silentLog,
      jobRetentionMs: DAY_MS,
      jobRetentionCount: 100,
    })
    await queue.open(id, await real.decide(id, anna, { deadlineMs: 60_000 }))
    // As a server does whose clock is fast: the job is taken before its deadline.
    await (await queue.queue.getJob(roundKey(id)))?.promote()
    worker.start()
    try {
      await expect.poll(() => queue.queue.getJobState(roundKey(id)), { timeout: 5_000 }).toBe('completed')
    } finally {
      await worker.stop()
      await queue.stop()
    }
  })
})
