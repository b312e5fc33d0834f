import { once } from 'node:events'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { SubmitOptions } from '../../src/client/submit.ts'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { RedlockGate } from '../../src/gate/redlock-gate.ts'
import { BullJobTakes } from '../../src/queue/job-takes.ts'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { Taker } from '../../src/service/rounds/taker.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { pause } from '../../src/waiting.ts'
import { makeKey } from '../support/keys.ts'
import { silentLog } from '../support/log.ts'
import { notedRounds } from '../support/noted-rounds.ts'
import { startRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let server: TestServer
let other: TestServer
let client: GoneClient
let elsewhere: GoneClient
let count = 0

beforeAll(async () => {
  server = await startTestServer()
  other = await startTestServer({ redis: server.redis })
  client = createClient({ url: server.url })
  elsewhere = createClient({ url: other.url })
})

afterAll(() => other.stop())

/** A worker that is of this test alone, with one job. */
async function submitted(options: SubmitOptions = {}) {
  count += 1
  const worker = `py-${count}`
  await client.submit('taken', worker, { ...options, worker, data: { n: count } })
  return worker
}

async function taken(worker: string, options: Parameters<GoneClient['take']>[1] = {}, from = client) {
  const job = await from.take(worker, { wait: '20s', ...options })
  if (job === undefined) throw new Error(`no job of ${worker}`)
  return job
}

/** What hands out jobs in a server, which may come to nothing as it records a start. */
async function takerApart(dies?: 'before' | 'after') {
  const redis = connect(server.redis.url, 'commands', 'test', silentLog)
  const client = connect(server.redis.url, 'commands', 'test-takes', silentLog)
  await Promise.all([redis, client].map((one) => once(one, 'ready')))
  const records = new RedisRecords(redis, 86_400_000)
  const start = records.start.bind(records)
  if (dies)
    records.start = async (...asked) => {
      if (dies === 'after') await start(...asked)
      throw new Error('died')
    }
  const takes = new BullJobTakes({
    client,
    jobRetentionMs: 60_000,
    jobRetentionCount: 100,
    jobLogLines: 10,
    serve: async () => undefined,
  })
  const taker = new Taker({
    records,
    takes,
    rounds: notedRounds().rounds,
    gate: new RedlockGate([redis], silentLog, true),
    tally: { waited: () => undefined, ended: () => undefined },
    usual: async () => ({}),
    log: silentLog,
    nowMs: () => performance.now(),
  })
  return { taker, takes, client, stop: () => Promise.all([redis, client].map(disconnect)) }
}

async function statesOf(worker: string) {
  const { hostname, port } = new URL(server.redis.url)
  const connection = { host: hostname, port: Number(port) }
  const queue = new Queue(worker, { connection, prefix: '{gone}' })
  const { waiting, active, delayed, completed, failed } = await queue.getJobCounts()
  await queue.close()
  return { waiting, active, delayed, completed, failed }
}

const NONE = { waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 }

describe('a job that is taken over HTTP', () => {
  it('is led by who took it, and completed with its fence through any server', async () => {
    const worker = await submitted({ timeout: '10m' })
    const job = await taken(worker, { lease: '20s' })
    expect(job).toMatchObject({ system: 'taken', round: worker, worker, data: { n: count }, attempt: 1 })
    expect(job).toMatchObject({ lease: '20s', timeout: '10m' })
    expect(await client.round('taken', worker)).toMatchObject({
      state: 'led',
      fence: job.fence,
      leader: expect.stringMatching(`^${worker}@127.0.0.1:`),
    })
    expect(await client.take(worker)).toBeUndefined()
    expect(await elsewhere.renew('taken', worker, { fence: job.fence })).toMatchObject({ kind: 'renewed' })
    const end = await elsewhere.complete('taken', worker, { fence: job.fence, result: { ok: true } })
    expect(end).toMatchObject({ kind: 'recorded', round: { state: 'completed' } })
    // A repeated report is answered as the first.
    expect(await job.complete({ ok: true })).toMatchObject({ kind: 'recorded' })
    expect(await statesOf(worker)).toEqual({ ...NONE, completed: 1 })
    expect(await client.wait('taken', worker)).toMatchObject({ completion: { result: { ok: true } } })
  })

  it('is waited for, and a wait that ends empty is 204', async () => {
    expect(await client.take('py-none', { wait: '50ms' })).toBeUndefined()
    count += 1
    const worker = `py-${count}`
    const taking = taken(worker)
    await client.submit('taken', worker, { worker })
    expect(await taking).toMatchObject({ round: worker, data: null })
  })

  it('goes to one of many who wait for it', async () => {
    count += 1
    const worker = `py-${count}`
    const all = Array.from({ length: 10 }, (_, n) =>
      (n % 2 ? client : elsewhere).take(worker, { wait: '3s' }),
    )
    await client.submit('taken', worker, { worker })
    expect((await Promise.all(all)).filter((job) => job !== undefined)).toHaveLength(1)
  })

  it('is tried again with backoff until its attempts are spent, then failed', async () => {
    const worker = await submitted({ attempts: 2, backoff: { type: 'fixed', delay: '10ms' } })
    const first = await taken(worker)
    await first.fail('once')
    const second = await taken(worker, {}, elsewhere)
    expect(second.attempt).toBe(2)
    expect(second.fence).toBeGreaterThan(first.fence)
    expect(await first.complete()).toMatchObject({ kind: 'refused' })
    expect(await second.fail('twice')).toMatchObject({ kind: 'recorded', round: { state: 'failed' } })
    expect(await statesOf(worker)).toEqual({ ...NONE, failed: 1 })
    expect(await client.round('taken', worker)).toMatchObject({ completion: { reason: 'twice' } })
  })

  it('that has failed and is said to once more, because that was not heard, has failed once', async () => {
    for (const attempts of [2, 3]) {
      const worker = await submitted({ attempts, backoff: { type: 'fixed', delay: '300ms' } })
      const first = await taken(worker)
      const told = [await first.fail('once'), await first.fail('once')]
      expect(told).toMatchObject([{ kind: 'recorded' }, { kind: 'recorded', round: { state: 'led' } }])
      const round = await client.round('taken', worker)
      expect(round?.events?.filter(({ what }) => what === 'failed')).toHaveLength(1)
      const second = await taken(worker, {}, elsewhere)
      expect(second.attempt).toBe(2)
      expect(await second.complete()).toMatchObject({ kind: 'recorded', round: { state: 'completed' } })
    }
  })

  it('that fails for good has no further attempt', async () => {
    const worker = await submitted({ attempts: 5 })
    const job = await taken(worker)
    expect(await job.fail('never', { final: true })).toMatchObject({ round: { state: 'failed' } })
    expect(await statesOf(worker)).toEqual({ ...NONE, failed: 1 })
  })

  it('is given back unspent, and taken by another at once', async () => {
    const worker = await submitted({ ifExecutorDies: 'fail' })
    const job = await taken(worker)
    expect(await job.giveBack()).toBe(true)
    const next = await taken(worker, {}, elsewhere)
    expect(next).toMatchObject({ attempt: 1 })
    expect(next.fence).toBeGreaterThan(job.fence)
    expect(await job.giveBack()).toBe(false)
    expect(await next.complete()).toMatchObject({ kind: 'recorded' })
  })

  it('is given back once where that is said again, and started no more often than it may be', async () => {
    const worker = await submitted({ ifExecutorDies: 'fail' })
    const job = await taken(worker)
    expect([await job.giveBack(), await job.giveBack(), await job.giveBack()]).toEqual([true, true, true])
    // It dies.
    await taken(worker, { lease: '1s' }, elsewhere)
    expect(await client.take(worker, { wait: '10s' })).toBeUndefined()
    expect(await client.round('taken', worker)).toMatchObject({
      state: 'failed',
      completion: { reason: expect.stringContaining('started only once') },
    })
  })

  it('is followed once its lease has ended in silence, and the late report is refused', async () => {
    const worker = await submitted()
    const silent = await taken(worker, { lease: '1s' })
    const next = await taken(worker, {}, elsewhere)
    expect(next).toMatchObject({ attempt: 1, data: silent.data })
    expect(next.fence).toBeGreaterThan(silent.fence)
    expect(await silent.renew()).toMatchObject({ kind: 'superseded' })
    expect(await silent.fail('late')).toMatchObject({ kind: 'refused' })
    expect(await silent.complete('late')).toMatchObject({ kind: 'refused' })
    expect(await silent.giveBack()).toBe(false)
    expect(await next.complete('in time')).toMatchObject({ kind: 'recorded' })
    expect(await statesOf(worker)).toEqual({ ...NONE, completed: 1 })
  })

  it('waits again once its lease has ended in silence, where nobody else asks for one', async () => {
    const worker = await submitted()
    await taken(worker, { lease: '1s' })
    expect(await statesOf(worker)).toEqual({ ...NONE, active: 1 })
    await expect.poll(() => statesOf(worker), { interval: 500 }).toEqual({ ...NONE, waiting: 1 })
    const next = await taken(worker)
    expect(await next.complete()).toMatchObject({ kind: 'recorded' })
  })

  it('stays with who renews it', async () => {
    const worker = await submitted()
    const job = await taken(worker, { lease: '3s' })
    const stealing = elsewhere.take(worker, { wait: '8s' })
    for (let n = 0; n < 20; n += 1) {
      await pause(350) // longer than the lease in all
      expect(await job.renew()).toMatchObject({ kind: 'renewed' })
    }
    expect(await stealing).toBeUndefined()
    expect(await job.complete()).toMatchObject({ kind: 'recorded' })
  })

  it('that may be started once is failed when its executor dies', async () => {
    const worker = await submitted({ ifExecutorDies: 'fail' })
    await taken(worker, { lease: '1s' })
    expect(await client.take(worker, { wait: '5s' })).toBeUndefined()
    expect(await client.round('taken', worker)).toMatchObject({
      state: 'failed',
      completion: { reason: expect.stringContaining('started only once') },
    })
  })

  it('has failed an attempt when its time is up', async () => {
    const worker = await submitted({ timeout: '200ms' })
    const job = await taken(worker)
    await pause(300) // its time
    expect(await job.renew()).toMatchObject({
      kind: 'superseded',
      detail: expect.stringContaining('longer than'),
    })
    expect(await client.round('taken', worker)).toMatchObject({ state: 'failed' })
  })

  it('is answered again to the token whose answer was lost', async () => {
    const worker = await submitted()
    const job = await taken(worker, { token: 'one' })
    expect(await taken(worker, { token: 'one' }, elsewhere)).toMatchObject({
      fence: job.fence,
      data: job.data,
    })
    expect(await client.take(worker, { token: 'two' })).toBeUndefined()
    await job.complete()
    expect(await client.take(worker, { token: 'one' })).toBeUndefined()
  })

  it('is one, and the same, for all calls of a token that wait for one', async () => {
    count += 1
    const worker = `py-${count}`
    const calls = Array.from({ length: 6 }, (_, n) =>
      taken(worker, { token: 'alone' }, n % 2 ? client : elsewhere),
    )
    for (const round of ['a', 'b', 'c'])
      await client.submit(worker, round, { worker, ifExecutorDies: 'fail' })
    const [first, ...others] = await Promise.all(calls)
    for (const { round, fence } of others)
      expect({ round, fence }).toMatchObject({ round: first?.round, fence: first?.fence })
    await expect.poll(() => statesOf(worker), { timeout: 30_000 }).toEqual({ ...NONE, waiting: 2, active: 1 })
    expect(await first?.complete()).toMatchObject({ kind: 'recorded' })
    for (let n = 0; n < 2; n += 1)
      expect(await (await taken(worker)).complete()).toMatchObject({ kind: 'recorded' })
  })

  it.each(['before', 'after'] as const)(
    'is answered to the token that asks again where the server died %s its start was recorded',
    async (when) => {
      const worker = await submitted({ ifExecutorDies: 'fail' })
      const dying = await takerApart(when)
      const who = { address: '10.0.0.1:1', identity: tokenIdentity('once-more') }
      const terms = { leaseMs: 30_000, waitMs: 0 }
      await expect(dying.taker.take(worker, who, terms, new AbortController().signal)).rejects.toThrow('died')
      await dying.stop()
      const job = await taken(worker, { token: 'once-more' }, elsewhere)
      expect(job).toMatchObject({ round: worker, attempt: 1 })
      expect(await job.complete()).toMatchObject({ kind: 'recorded', round: { state: 'completed' } })
    },
  )

  it('is the answer of all calls of its token that wait, at whichever server, where there is no other job', async () => {
    count += 1
    const worker = `py-${count}`
    const calls = [client, elsewhere, client, elsewhere].map((from) =>
      taken(worker, { token: worker, wait: '50s' }, from),
    )
    await client.submit('taken', worker, { worker, ifExecutorDies: 'fail' })
    const fences = (await Promise.all(calls)).map(({ fence }) => fence)
    expect(new Set(fences).size).toBe(1)
  })

  it('is looked for in Redis for all tokens that wait at once', async () => {
    const { taker, client: commands, stop } = await takerApart()
    const looks = vi.spyOn(commands, 'mget')
    const ends = new AbortController()
    const calls = Array.from({ length: 100 }, (_, n) => {
      const who = { address: '10.0.0.1:1', identity: `of-${n}` }
      return taker.take('py-none', who, { leaseMs: 30_000, waitMs: 60_000 }, ends.signal)
    })
    const sizes = () => looks.mock.calls.map(([keys]) => (keys as unknown as string[]).length)
    await expect.poll(() => sizes().length, { timeout: 50_000 }).toBeGreaterThan(102)
    // One for each as it came, and then some for all.
    expect(sizes().slice(0, 100)).toEqual(Array.from({ length: 100 }, () => 1))
    expect(new Set(sizes().slice(100))).toEqual(new Set([100]))
    ends.abort()
    expect((await Promise.all(calls)).filter((job) => job !== undefined)).toEqual([])
    await stop()
  })

  it('is answered to its token again, or goes back because the first call was gone, and never both', async () => {
    const { taker, stop } = await takerApart()
    const terms = { leaseMs: 30_000, waitMs: 20_000 }
    for (const order of ['told', 'back', 'together', 'together', 'together']) {
      const worker = await submitted({ ifExecutorDies: 'fail' })
      const who = { address: '10.0.0.1:1', identity: tokenIdentity(worker) }
      const first = await taker.take(worker, who, terms, new AbortController().signal)
      if (first === undefined) throw new Error(`no job of ${worker}`)
      const askAgain = () => elsewhere.take(worker, { token: worker })
      const again = order === 'told' ? await askAgain() : undefined
      const [, last] = await Promise.all([
        taker.takeBack(first),
        order === 'together' ? askAgain() : undefined,
      ])
      const told = again ?? last ?? (await taken(worker))
      expect(told.fence === first.fence || order !== 'told').toBe(true)
      expect(await told.complete()).toMatchObject({ kind: 'recorded', round: { state: 'completed' } })
      expect(await client.take(worker)).toBeUndefined()
    }
    await stop()
  })

  it('is not answered again once it was given back, also where the server died before its queue knew', async () => {
    const worker = await submitted({ ifExecutorDies: 'fail' })
    const { taker, takes, stop } = await takerApart()
    const who = { address: '10.0.0.1:1', identity: tokenIdentity(worker) }
    const terms = { leaseMs: 3_000, waitMs: 20_000 }
    const first = await taker.take(worker, who, terms, new AbortController().signal)
    if (first === undefined) throw new Error(`no job of ${worker}`)
    takes.end = () => Promise.reject(new Error('died'))
    await expect(taker.giveBack(first.id, first.fence)).rejects.toThrow('died')
    await stop()
    const next = await taken(worker, { token: worker, lease: '1s' }, elsewhere)
    expect(next.fence).toBeGreaterThan(first.fence)
    // It dies.
    expect(await client.take(worker, { wait: '10s' })).toBeUndefined()
    expect(await client.round('taken', worker)).toMatchObject({
      state: 'failed',
      completion: { reason: expect.stringContaining('started only once') },
    })
  })

  it('goes back where its taker has gone before it was told', async () => {
    count += 1
    const worker = `py-${count}`
    const leaving = new AbortController()
    const gone = fetch(`${server.url}/api/v1/take/${worker}?wait=20s`, {
      method: 'POST',
      signal: leaving.signal,
    })
    const submitting = client.submit('taken', worker, { worker, ifExecutorDies: 'fail' })
    leaving.abort()
    await gone.catch(() => undefined)
    await submitting
    expect(await (await taken(worker)).complete()).toMatchObject({ kind: 'recorded' })
  })

  it('is cancelled for its executor at the next renewal', async () => {
    const worker = await submitted()
    const job = await taken(worker)
    await client.fail('taken', worker, { fence: job.fence, reason: 'by another hand', final: true })
    expect(await job.renew()).toMatchObject({ kind: 'finished' })
  })

  it.each(['complete', 'fail', 'giveBack'] as const)(
    'whose round is cancelled ends with what its executor reports then: %s',
    async (report) => {
      const worker = await submitted({ attempts: 3 })
      const job = await taken(worker)
      await elsewhere.cancel('taken', worker, { reason: 'not needed' })
      await (report === 'complete'
        ? job.complete()
        : report === 'fail'
          ? job.fail('too late')
          : job.giveBack())
      expect(await statesOf(worker)).toEqual({ ...NONE, failed: 1 })
      expect(await client.wait('taken', worker)).toMatchObject({ state: 'failed' })
    },
  )

  it('is run by a worker process as well, each job once', async () => {
    count += 1
    const worker = `py-${count}`
    const seen: string[] = []
    await startTestWorkers(server.redis, { [worker]: async ({ id }) => void seen.push(id) })
    const rounds = Array.from({ length: 40 }, (_, n) => `both-${n}`)
    await Promise.all(rounds.map((round) => client.submit('shared', round, { worker })))
    for (;;) {
      const job = await client.take(worker)
      if (job === undefined) break
      seen.push(`shared~${job.round}`)
      await job.complete()
    }
    for (const round of rounds)
      expect(await client.wait('shared', round)).toMatchObject({ state: 'completed' })
    expect(seen.sort()).toEqual(rounds.map((round) => `shared~${round}`).sort())
  })
})

describe('a key that permits work', () => {
  it('takes jobs of its workers and reports on them, and on nothing else', async () => {
    const redis = await startRedis()
    const key = await makeKey(redis, { actions: ['work'], systems: ['none'], workers: ['py-*'] })
    const all = await makeKey(redis, { actions: ['admin'] })
    const keyed = await startTestServer({ redis, env: { GONE_KEYS: 'required' } })
    const py = createClient({ url: keyed.url, key: key.text })
    const boss = createClient({ url: keyed.url, key: all.text })
    try {
      const job: SubmitOptions = { worker: 'py-1', attempts: 3, backoff: { type: 'fixed', delay: '1ms' } }
      await boss.submit('keyed', 'a', job)
      const refused = { code: 'FORBIDDEN', message: expect.stringContaining('work for the worker go-1') }
      await expect(py.take('go-1')).rejects.toMatchObject(refused)
      const first = await taken('py-1', {}, py)
      expect(await first.renew()).toMatchObject({ kind: 'renewed' })
      expect(await first.fail('once')).toMatchObject({ kind: 'recorded' })
      expect(await (await taken('py-1', {}, py)).giveBack()).toBe(true)
      expect(await (await taken('py-1', {}, py)).complete()).toMatchObject({ kind: 'recorded' })
      const led = await boss.elect('keyed', 'b')
      const forbidden = { code: 'FORBIDDEN' }
      await expect(py.complete('keyed', 'b', { fence: led.fence ?? 0 })).rejects.toMatchObject(forbidden)
      await expect(py.fail('keyed', 'b', { fence: led.fence ?? 0 })).rejects.toMatchObject(forbidden)
      await expect(py.renew('keyed', 'b')).rejects.toMatchObject(forbidden)
      await expect(py.elect('keyed', 'c')).rejects.toMatchObject(forbidden)
      await boss.submit('keyed', 'd', { worker: 'go-1', attempts: 9 })
      const other = await taken('go-1', {}, boss)
      await expect(py.complete('keyed', 'd', { fence: other.fence })).rejects.toMatchObject(forbidden)
      await expect(py.fail('keyed', 'd', { fence: other.fence })).rejects.toMatchObject(forbidden)
    } finally {
      await keyed.stop()
      await redis.stop()
    }
  })
})

describe('a server that stops', () => {
  it('tells those who wait for a job that there is none', async () => {
    const third = await startTestServer({ redis: server.redis })
    const waiting = fetch(`${third.url}/api/v1/take/py-none?wait=20s`, { method: 'POST' })
    await pause(200) // until it waits
    await third.stop()
    expect((await waiting).status).toBe(204)
  })
})

/** The job as soon as what was set holds for it: within a second. */
async function takenWith(worker: string, timeout: string, options: Parameters<GoneClient['take']>[1] = {}) {
  let job = await taken(worker, options)
  await expect
    .poll(
      async () => {
        if (job.timeout === timeout) return true
        await job.giveBack()
        job = await taken(worker, options)
        return false
      },
      { timeout: 30_000 },
    )
    .toBe(true)
  return job
}

describe('what is set of its worker', () => {
  it('holds for a job that says nothing else, as it was when it was taken', async () => {
    const worker = await submitted()
    const settings = { attempts: 3, timeout: '5m', backoff: { type: 'fixed', delay: '1ms' } } as const
    await client.fleet.config.put({ of: 'worker', name: worker }, settings)
    const first = await takenWith(worker, '5m')
    await first.fail('once')
    const second = await taken(worker)
    expect(second).toMatchObject({ attempt: 2, timeout: '5m' })
    // Whoever has it keeps to what it was told.
    await client.fleet.config.put({ of: 'worker', name: worker }, { attempts: 2, timeout: '1ms' })
    expect(await elsewhere.renew('taken', worker, { fence: second.fence })).toMatchObject({ kind: 'renewed' })
    await elsewhere.fail('taken', worker, { fence: second.fence, reason: 'twice' })
    const third = await takenWith(worker, '1ms')
    expect(third.attempt).toBe(3)
    await third.fail('thrice')
    expect(await client.wait('taken', worker)).toMatchObject({ state: 'failed' })
  })

  it('is not for a job that says it itself', async () => {
    const worker = await submitted({ attempts: 1, timeout: '10m' })
    await client.fleet.config.put({ of: 'worker', name: worker }, { attempts: 5, timeout: '5m' })
    // Another worker's, set later: where it holds, what was set before does too.
    const later = await submitted()
    await client.fleet.config.put({ of: 'worker', name: later }, { timeout: '6m' })
    await takenWith(later, '6m')
    const job = await taken(worker)
    expect(job.timeout).toBe('10m')
    await job.fail('at once')
    expect(await client.wait('taken', worker)).toMatchObject({ state: 'failed' })
  })

  it('is less than what is set of the instance that takes, where that says which it is', async () => {
    const worker = await submitted()
    await client.fleet.config.put({ of: 'worker', name: worker }, { attempts: 1, timeout: '5m' })
    const set = { attempts: 2, backoff: { type: 'fixed', delay: '1ms' } } as const
    await client.fleet.config.put({ of: 'instance', name: `at-${worker}` }, { ...set, timeout: '6m' })
    await (await takenWith(worker, '5m')).giveBack()
    const first = await takenWith(worker, '6m', { instance: `at-${worker}` })
    await first.fail('once')
    const second = await taken(worker, { instance: `at-${worker}` }, elsewhere)
    expect(second).toMatchObject({ attempt: 2, timeout: '6m' })
    await second.fail('twice')
    expect(await client.wait('taken', worker)).toMatchObject({ state: 'failed' })
    await expect(client.take(worker, { instance: 'a b' })).rejects.toMatchObject({
      code: 'INVALID_PARAMETER',
    })
  })

  it('ends an attempt that takes longer, and lets the next one wait its time', async () => {
    const worker = await submitted()
    const backoff = { type: 'fixed', delay: '1h' } as const
    await client.fleet.config.put({ of: 'worker', name: worker }, { attempts: 2, timeout: '1ms', backoff })
    const job = await takenWith(worker, '1ms')
    expect(await job.renew()).toMatchObject({ kind: 'superseded' })
    expect(await statesOf(worker)).toEqual({ ...NONE, delayed: 1 })
  })
})
