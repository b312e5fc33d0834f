import { beforeAll, expect, it } from 'vitest'
import { regionQueue } from '../../src/core/rounds/job.ts'
import { BullJobQueues } from '../../src/queue/job-queues.ts'
import { BullRegionJobs } from '../../src/queue/region-jobs.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { startRedisClient } from '../support/redis-client.ts'

let client: RedisClient
const id = { system: 'shop', round: 'night' }
const key = (queue: string) => `{gone}:${queue}:shop~night`

beforeAll(async () => {
  client = await startRedisClient()
})

/** A job of the round in the region's queue, and one in the worker's own, of submissions of these times. */
async function two(worker: string, inRegionMs: number, ownMs: number): Promise<void> {
  const job = { digest: '', data: null, queueTerms: {}, runTerms: {} }
  const jobs = new BullJobQueues(client, 3_600_000)
  const from = regionQueue(worker, 'eu')
  await jobs.add(id, { ...job, queue: from, submittedAtMs: inRegionMs, notBeforeMs: inRegionMs + 60_000 })
  await jobs.add(id, { ...job, queue: worker, submittedAtMs: ownMs })
  await jobs.stop()
}

it('of an earlier submission make room for that of a later one, where they are moved on', async () => {
  await two('mailer', 1_000, 2_000)
  await new BullRegionJobs(client).moveOn('mailer', 'eu')
  expect(await client.hget(key('mailer'), 'timestamp')).toBe('2000')
  expect(await client.lrange('{gone}:mailer:wait', 0, -1)).toEqual(['shop~night'])
  expect(await client.exists(key('mailer~eu'))).toBe(0)
})

it('take the place of that of an earlier one, and wait where they were while somebody runs it', async () => {
  await two('printer', 2_000, 1_000)
  await client.set(`${key('printer')}:lock`, 'somebody')
  await new BullRegionJobs(client).moveOn('printer', 'eu')
  expect(await client.hget(key('printer'), 'timestamp')).toBe('1000')
  const delayed = await client.zscore('{gone}:printer~eu:delayed', 'shop~night')
  expect(Number(delayed)).toBeGreaterThan(0)
  await client.del(`${key('printer')}:lock`)
  await new BullRegionJobs(client).moveOn('printer', 'eu')
  expect(await client.hget(key('printer'), 'timestamp')).toBe('2000')
  expect(await client.zscore('{gone}:printer:delayed', 'shop~night')).toBe(delayed)
  expect(await client.lrange('{gone}:printer:wait', 0, -1)).toEqual([])
})
