import { Queue, Worker } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { WorkerContext } from '../../src/client/define-worker.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { BullRegionJobs } from '../../src/queue/region-jobs.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { pause } from '../../src/waiting.ts'
import { silentLog } from '../support/log.ts'
import { workIn } from '../support/region-work.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let server: TestServer
let client: GoneClient
let redis: RedisClient
let blocking: RedisClient
let count = 0

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  redis = connect(server.redis.url, 'commands', 'test', silentLog)
  blocking = connect(server.redis.url, 'waiting', 'test', silentLog)
  await Promise.all([redis, blocking].map((one) => new Promise((resolve) => one.once('ready', resolve))))
})

afterAll(() => Promise.all([redis, blocking].map((one) => disconnect(one))))

const named = (what: string) => {
  count += 1
  return `${what}-${count}`
}

const resultOf = async (worker: string, round: string) =>
  (await client.wait(worker, round, { timeout: '30s' }))?.completion.result

it('runs what is for a region there, however much is free elsewhere, and what is for none anywhere', async () => {
  const worker = named('placed')
  const eu = await workIn(server, 'eu', worker, 30)
  const us = await workIn(server, 'us', worker, 1, 8)
  const rounds = Array.from({ length: 20 }, (_, n) => `r${n}`)
  for (const round of rounds) await client.submit(worker, round, { worker, region: 'eu' })
  for (const round of rounds) expect(await resultOf(worker, round)).toBe('eu')
  expect(us.ran).toEqual([])
  expect(eu.most()).toBe(1)
  expect(await client.round(worker, 'r0')).toMatchObject({ job: { worker, region: 'eu' } })
  await client.submit(worker, 'none', { worker })
  expect(['eu', 'us']).toContain(await resultOf(worker, 'none'))
  // Nobody is there: it is anybody's at once.
  await client.submit(worker, 'asia', { worker, region: 'asia' })
  expect(['eu', 'us']).toContain(await resultOf(worker, 'asia'))
})

it('leaves no key of a region where jobs were only looked for', async () => {
  const worker = named('sought')
  const regions = Array.from({ length: 20 }, (_, n) => `r-${n}`)
  for (const region of regions) await client.submit(worker, region, { worker, region })
  for (const region of regions)
    expect(await client.cancel(worker, region)).toMatchObject({ kind: 'cancelled' })
  for (const region of regions) expect(await client.retry(worker, region)).toMatchObject({ kind: 'opened' })
  for (const region of regions)
    expect(await client.cancel(worker, region)).toMatchObject({ kind: 'cancelled' })
  expect(await redis.keys(`{gone}:${worker}~*`)).toEqual([])
})

it('keeps to the slots of a worker over both of its queues, and starves neither', async () => {
  const worker = named('slots')
  const eu = await workIn(server, 'eu', worker, 20, 2)
  const rounds = Array.from({ length: 40 }, (_, n) => `r${n}`)
  await Promise.all(
    rounds.map((round, n) => client.submit(worker, round, { worker, ...(n % 2 === 0 && { region: 'eu' }) })),
  )
  for (const round of rounds) expect(await resultOf(worker, round)).toBe('eu')
  expect(eu.most()).toBe(2)
  expect(new Set(eu.ran).size).toBe(40)
  expect(eu.ran).toHaveLength(40)
})

it('has an unregistered one take nothing of either, and tries again there what failed there', async () => {
  const worker = named('retried')
  const us = await workIn(server, 'us', worker, 1)
  let tries = 0
  const flaky = async () => {
    tries += 1
    if (tries < 3) throw new Error('not yet')
    return 'eu'
  }
  const env = { GONE_REGION: 'eu', GONE_HOST_LABEL: 'flaky' }
  await startTestWorkers(server.redis, { [worker]: flaky }, { env })
  await expect.poll(() => client.fleet.instances({ worker, region: 'eu' })).toHaveLength(1)
  await pause(1_200)
  await client.submit(worker, 'a', { worker, region: 'eu' })
  expect(await resultOf(worker, 'a')).toBe('eu')
  expect([tries, us.ran]).toEqual([3, []])
  const select = { worker, region: 'eu' }
  await client.fleet.order({ do: 'unregister', select, count: 1 })
  await expect.poll(() => client.fleet.instances({ ...select, state: 'unregistered' })).toHaveLength(1)
  await pause(1_200)
  await client.submit(worker, 'b', { worker, region: 'eu' })
  expect(await resultOf(worker, 'b')).toBe('us')
})

it('finds a job for a region where it is: it is looked at, cancelled, and opened again', async () => {
  const worker = named('found')
  await workIn(server, 'eu', worker, 3_000)
  await client.submit(worker, 'first', { worker, region: 'eu' })
  await client.submit(worker, 'second', { worker, region: 'eu', data: { n: 2 } })
  const look = async () => (await fetch(`${server.url}/api/v1/rounds/${worker}/second/job`)).json()
  expect(await look()).toMatchObject({ worker, state: 'waiting', data: { n: 2 } })
  await client.cancel(worker, 'second', { reason: 'not needed' })
  expect(await look()).toMatchObject({ code: 'JOB_GONE' })
  await client.retry(worker, 'second', { reason: 'needed' })
  expect(await look()).toMatchObject({ state: 'waiting', data: { n: 2 } })
  const [one] = await client.fleet.instances({ worker })
  expect((await client.fleet.instance(one?.id ?? ''))?.jobs).toMatchObject([{ worker, round: 'first' }])
  expect(await resultOf(worker, 'second')).toBe('eu')
})

it('places what a schedule brings and what a call asks, also of a handler', async () => {
  const worker = named('placed-too')
  const eu = await workIn(server, 'eu', worker, 1)
  await workIn(server, 'us', worker, 1, 8)
  const job = { worker, region: 'eu', data: null }
  const { schedule } = await client.schedules.put(worker, 'nightly', { cron: '0 2 1 1 *', job })
  expect(schedule.job).toMatchObject({ worker, region: 'eu' })
  for (let n = 0; n < 5; n += 1) {
    const { round } = await client.schedules.trigger(worker, 'nightly')
    expect(await resultOf(worker, round)).toBe('eu')
    expect(await client.call(worker, n, { region: 'eu' })).toBe('eu')
  }
  expect(eu.ran).toHaveLength(10)
  const caller = named('caller')
  const ask = (_: unknown, { call }: WorkerContext) => call(worker, null, { region: 'eu' })
  await startTestWorkers(server.redis, { [caller]: ask })
  await expect.poll(() => client.fleet.instances({ worker: caller })).toHaveLength(1)
  const answers = [1, 2, 3, 4, 5].map((n) => client.call(caller, n, { queue: true }))
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 5 }, () => 'eu'))
})

it('gives those who take over HTTP what is for their region first, and keeps it for them where they say so', async () => {
  const worker = named('taken')
  const pulse = (regional: boolean) =>
    client.fleet.pulse({ id: worker, host: 'a', region: 'eu', regional, workers: [{ name: worker }] })
  await pulse(true)
  await pause(1_200)
  await client.submit(worker, 'anyones', { worker })
  await client.submit(worker, 'theirs', { worker, region: 'eu', attempts: 2, data: 1 })
  expect(await client.take(worker, { region: 'us' })).toMatchObject({ round: 'anyones' })
  expect(await client.take(worker)).toBeUndefined()
  const token = named('token')
  const first = await client.take(worker, { region: 'eu', token })
  expect(first).toMatchObject({ round: 'theirs', worker, data: 1 })
  expect(await client.take(worker, { region: 'eu', token })).toMatchObject({ fence: first?.fence })
  expect(await first?.renew()).toMatchObject({ kind: 'renewed' })
  expect(await first?.giveBack()).toBe(true)
  const again = await client.take(worker, { region: 'eu', wait: '10s' })
  await again?.fail('once')
  const last = await client.take(worker, { region: 'eu', wait: '20s' })
  expect(last).toMatchObject({ attempt: 2 })
  await last?.complete('eu')
  expect(await resultOf(worker, 'theirs')).toBe('eu')
  const taken = new Queue(`${worker}~eu`, { connection: redis, prefix: QUEUE_PREFIX })
  expect(await taken.getJobCounts()).toMatchObject({ completed: 1, active: 0 })
  await taken.close()
  // It takes what is for none alone: so what is for its region is anybody's.
  await pulse(false)
  await pause(1_200)
  await client.submit(worker, 'others', { worker, region: 'eu' })
  expect(await client.take(worker)).toMatchObject({ round: 'others' })
  const nowhere = { id: worker, host: 'a', regional: true, workers: [{ name: worker }] }
  await expect(client.fleet.pulse(nowhere)).rejects.toMatchObject({ code: 'INVALID_BODY' })
})

it('refuses a region that none can have', async () => {
  const answer = await fetch(`${server.url}/api/v1/submit/refused/a`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ region: 'eu/1' }),
  })
  expect(await answer.json()).toMatchObject({
    code: 'INVALID_BODY',
    detail: expect.stringContaining('region'),
  })
})

it('moves jobs on as they are: those that wait, are delayed, go first, or are in a dead hand; not those that are run', async () => {
  const worker = named('moved')
  const settings = { connection: redis, prefix: QUEUE_PREFIX }
  const [there, here] = [new Queue(`${worker}~eu`, settings), new Queue(worker, settings)]
  for (const jobId of ['s~run', 's~dead', 's~a', 's~b'])
    await there.add('s', { of: jobId }, { jobId, attempts: 5 })
  const [run, dead] = [`run:1`, `dead:1`]
  // As a worker has them: one whose lock is gone, and one that is at it.
  const taker = new Worker(`${worker}~eu`, null, { ...settings, connection: blocking })
  for (const token of [run, dead]) await taker.getNextJob(token)
  await redis.del(`${QUEUE_PREFIX}:${worker}~eu:s~dead:lock`)
  await there.add('s', {}, { jobId: 's~late', delay: 3_600_000 })
  await there.add('s', {}, { jobId: 's~first', priority: 3 })
  const failed = await there.getJob('s~a')
  await failed?.log('tried in eu')
  await redis.hset(`${QUEUE_PREFIX}:${worker}~eu:s~a`, 'atm', 2)
  // It is there already: told twice, because an answer was lost.
  const twin = await there.getJob('s~b')
  await here.add('s', {}, { jobId: 's~b', timestamp: twin?.timestamp ?? 0 })

  const jobs = new BullRegionJobs(redis)
  expect(await jobs.moveOn(worker, 'eu')).toBe(4)
  expect(await jobs.moveOn(worker, 'eu')).toBe(0)
  expect(await there.getJobCounts()).toMatchObject({ active: 1, waiting: 0, delayed: 0, prioritized: 0 })
  expect(await here.getJobCounts()).toMatchObject({ active: 0, waiting: 3, delayed: 1, prioritized: 1 })
  const moved = await here.getJob('s~a')
  expect([moved?.attemptsMade, moved?.opts.attempts, moved?.data]).toEqual([2, 5, { of: 's~a' }])
  expect((await here.getJobLogs('s~a')).logs).toEqual(['tried in eu'])
  // Somebody who waits is woken, and is handed the one that was begun before the others.
  const waiting = new Worker(worker, null, { ...settings, connection: blocking })
  expect((await waiting.getNextJob('token:1'))?.id).toBe('s~dead')
  for (const one of [taker, waiting, there, here]) await one.close()
})
