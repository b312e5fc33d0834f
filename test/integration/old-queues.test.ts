import { Queue, Worker } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import { BullJobQueues } from '../../src/queue/job-queues.ts'
import { OldQueues } from '../../src/queue/old-queues.ts'
import { prefixOf, QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { runCli } from '../support/cli.ts'
import { keysOnNodes, startCluster, type TestCluster } from '../support/cluster.ts'
import { silentLog } from '../support/log.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

const SEEN = { timeout: 60_000, interval: 200 }

let cluster: TestCluster
let server: TestServer
let client: GoneClient
let redis: RedisClient
let blocking: RedisClient
const queues: Queue[] = []

beforeAll(async () => {
  cluster = await startCluster()
  server = await startTestServer({ redis: cluster.redis })
  // Many are submitted at once, also where the machine is busy.
  client = createClient({ url: server.url, timeoutMs: 60_000 })
  redis = await ready('commands')
  blocking = await ready('waiting')
}, 60_000)

afterAll(async () => {
  await Promise.all(queues.map((queue) => queue.close()))
  await Promise.all([redis, blocking].map((one) => disconnect(one)))
  await server.stop()
  await cluster.stop()
})

async function ready(kind: 'commands' | 'waiting'): Promise<RedisClient> {
  const made = connect(cluster.redis.url, kind, 'test', silentLog)
  await new Promise((resolve) => made.once('ready', resolve))
  return made
}

function queueOf(name: string, prefix: string): Queue {
  const queue = new Queue(name, { connection: redis, prefix })
  queues.push(queue)
  return queue
}

const oldQueue = (name: string) => queueOf(name, QUEUE_PREFIX)
const newQueue = (name: string) => queueOf(name, prefixOf(name, redis))
const leftOf = async (name: string) => (await keysOnNodes(cluster, `{gone}:${name}:*`)).flat()
const adopt = (...options: string[]) =>
  runCli(['queues', 'adopt', ...options], { REDIS_URL: cluster.redis.url })
const warning = async () =>
  ((await (await fetch(`${server.url}/readyz`)).json()) as { warning?: string }).warning

/** Submits a round, and puts its job where an older build would have. */
async function submitAsOlder(worker: string, rounds: readonly string[], more: object = {}): Promise<void> {
  const [from, to] = [newQueue(worker), oldQueue(worker)]
  await Promise.all(
    rounds.map(async (round) => {
      await client.submit('s', round, { worker, data: { round }, ...more })
      const jobId = `s~${round}`
      await expect.poll(() => from.getJob(jobId)).toBeTruthy()
      const job = await from.getJob(jobId)
      await from.remove(jobId)
      const { delay, timestamp, opts } = job ?? { delay: 0, timestamp: 0, opts: {} }
      await to.add('s', { round }, { ...opts, jobId, timestamp, delay: delay ?? 0 })
    }),
  )
}

it('are found, said, and moved as they are, but for what somebody runs there', async () => {
  const old = oldQueue('mail')
  const waiting = Array.from({ length: 22 }, (_, n) => `w${n}`)
  await submitAsOlder('mail', ['run', 'dead', 'ended'])
  const taker = new Worker('mail', null, {
    connection: blocking,
    prefix: QUEUE_PREFIX,
    lockDuration: 600_000,
  })
  const [run, , ended] = [
    await taker.getNextJob('t1'),
    await taker.getNextJob('t2'),
    await taker.getNextJob('t3'),
  ]
  await redis.del(`{gone}:mail:${(await old.getActive())[1]?.id}:lock`)
  await ended?.log('said before')
  await ended?.moveToCompleted('done', 't3', false)
  for (const round of waiting) await submitAsOlder('mail', [round])
  await submitAsOlder('mail', ['late'], { delay: '1h' })
  await submitAsOlder('mail', ['first'], { priority: 3 })
  await old.pause()

  const dry = await adopt('--dry-run', '--json')
  expect([dry.code, JSON.parse(dry.stdout)]).toEqual([
    1,
    { moved: 0, left: 27, queues: [{ name: 'mail', moved: 0, left: { pending: 24, active: 2, ended: 1 } }] },
  ])
  const said =
    /^26 jobs are where older builds kept queues in a Cluster \(26 of mail\), which only .* "gone queues adopt" moves them/
  const second = await startTestServer({ redis: cluster.redis })
  await expect
    .poll(async () => (await (await fetch(`${second.url}/readyz`)).json()) as object, SEEN)
    .toEqual({ status: 'ready', warning: expect.stringMatching(said) as string })
  await second.stop()
  const doctor = await runCli(['doctor'], { REDIS_URL: cluster.redis.url })
  expect(doctor.code).toBe(1)
  expect(doctor.stdout.replace(/\s+/g, ' ')).toMatch(/wrong queues 26 jobs are where older builds/)

  const moved = await adopt()
  expect([moved.code, moved.stdout]).toEqual([
    1,
    'mail: 26 moved; 1 left that workers of an older build run: stop those, and say this again\n',
  ])
  const found = newQueue('mail')
  expect(await found.getJobCounts()).toMatchObject({
    waiting: 23,
    delayed: 1,
    prioritized: 1,
    completed: 1,
    active: 0,
  })
  expect(await found.isPaused()).toBe(true)
  const order = (await found.getWaiting()).map(({ id }) => id?.slice(2))
  expect(order).toEqual([expect.stringMatching(/^(run|dead|ended)$/), ...waiting])
  expect((await found.getJobLogs(ended?.id ?? '')).logs).toEqual(['said before'])
  expect(await redis.lrange('{gone}:mail:active', 0, -1)).toEqual([run?.id])

  await run?.moveToCompleted('done', 't1', false)
  expect((await adopt('--json')).code).toBe(0)
  await taker.close()
  expect((await adopt()).stdout).toBe('nothing is left where older builds kept queues\n')
  expect(await leftOf('mail')).toEqual([])
  expect(await found.getCompletedCount()).toBe(2)
  await expect.poll(warning, SEEN).toBeUndefined()
}, 120_000)

it('are moved by whoever goes on where another was cut off, each is run once, and none is lost', async () => {
  const rounds = Array.from({ length: 120 }, (_, n) => `c${n}`)
  for (let n = 0; n < rounds.length; n += 10) await submitAsOlder('cut', rounds.slice(n, n + 10))
  const ran: string[] = []
  await startTestWorkers(cluster.redis, { cut: ({ id }) => void ran.push(id) })
  let cuts = 0
  for (let isDone = false; !isDone; ) {
    const own = await ready('commands')
    const cut = setTimeout(() => own.disconnect(), 2 + 8 * cuts)
    isDone = await new OldQueues(own)
      .adopt('cut', () => undefined)
      .then(
        (left) => left === undefined,
        () => false,
      )
    clearTimeout(cut)
    await disconnect(own)
    if (!isDone) cuts += 1
  }
  expect(cuts).toBeGreaterThan(3)
  for (const round of rounds)
    expect(await client.wait('s', round, { timeout: '60s' })).toMatchObject({ state: 'completed' })
  expect(ran).toHaveLength(rounds.length)
  expect(new Set(ran).size).toBe(rounds.length)
  expect(await leftOf('cut')).toEqual([])
}, 120_000)

it('are moved from a worker that has died, however many others run there', async () => {
  const rounds = Array.from({ length: 25 }, (_, n) => `busy-${n}`)
  await submitAsOlder('busy', rounds)
  const taker = new Worker('busy', null, {
    connection: blocking,
    prefix: QUEUE_PREFIX,
    lockDuration: 600_000,
  })
  const taken = []
  while (taken.length < rounds.length) taken.push(await taker.getNextJob('t'))
  await redis.del(`{gone}:busy:${taken[0]?.id}:lock`)
  expect(await adopt()).toMatchObject({ code: 1, stdout: expect.stringContaining('1 moved') as string })
  expect((await newQueue('busy').getWaiting()).map(({ id }) => id)).toEqual([taken[0]?.id])
  expect(await oldQueue('busy').getActiveCount()).toBe(24)
  await redis.del(...taken.map((job) => `{gone}:busy:${job?.id}:lock`))
  expect((await adopt()).code).toBe(0)
  expect(await newQueue('busy').getWaitingCount()).toBe(25)
  await taker.close()
}, 120_000)

it('keep a round from starting twice where an older server and this one were both told of it', async () => {
  await submitAsOlder('twice', ['a'])
  const twin = await oldQueue('twice').getJob('s~a')
  const ran: string[] = []
  await startTestWorkers(cluster.redis, { twice: ({ id }) => void ran.push(id) })
  await newQueue('twice').add('s', {}, { ...twin?.opts, jobId: 's~a', timestamp: twin?.timestamp ?? 0 })
  expect(await client.wait('s', 'a', { timeout: '60s' })).toMatchObject({ state: 'completed' })
  // As if that job were gone by now.
  await expect.poll(() => newQueue('twice').getJobState('s~a'), SEEN).toBe('completed')
  await newQueue('twice').remove('s~a')
  expect((await adopt()).stdout).toContain('twice: 1 moved')
  await expect.poll(() => newQueue('twice').getJobState('s~a'), SEEN).toBe('completed')
  expect(ran).toEqual(['s~a'])
})

it('keep the name of their queue listed, however long nobody has used it, until they are moved', async () => {
  const names = () => redis.zrange('{gone}:~queues', 0, '-1')
  await oldQueue('kept').add('s', {}, { jobId: 's~k' })
  await newQueue('empty').waitUntilReady()
  await newQueue('empty').add('s', {}, { jobId: 's~e' })
  await newQueue('empty').remove('s~e')
  await redis.zadd('{gone}:~queues', 1, 'kept', 1, 'empty')
  const jobs = new BullJobQueues(redis, 86_400_000)
  await jobs.forget()
  expect(await names()).not.toContain('empty')
  expect((await keysOnNodes(cluster, '{gone:empty}:*')).flat()).toEqual([])
  expect(await names()).toContain('kept')
  expect((await adopt()).stdout).toBe('kept: 1 moved\n')
  expect(await newQueue('kept').getWaitingCount()).toBe(1)
  await newQueue('kept').remove('s~k')
  await jobs.forget()
  expect(await names()).not.toContain('kept')
  await jobs.stop()
})

it('of schedules are removed, for they are made anew; of one server there are none', async () => {
  const wakes = oldQueue('alarms')
  await wakes.upsertJobScheduler('s~nightly', { pattern: '0 2 * * *' }, { name: 's~nightly' })
  expect((await leftOf('alarms')).length).toBeGreaterThan(2)
  expect((await adopt()).code).toBe(0)
  expect(await leftOf('alarms')).toEqual([])
  const none = await runCli(['queues', 'adopt'], { REDIS_URL: 'redis://127.0.0.1:1' })
  expect([none.code, none.stdout]).toEqual([
    0,
    'nothing to move: Redis is no Cluster, and queues are where they were\n',
  ])
})
