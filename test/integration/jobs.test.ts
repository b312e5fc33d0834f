import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { LedRoundJson, RoundJson, SubmittedRoundJson } from '../../src/core/rounds/round-wire.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { type Board, lookAtBoard } from '../support/board.ts'
import { silentLog } from '../support/log.ts'
import { builtPath } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startRedisProxy } from '../support/redis-proxy.ts'
import { startServeProcess, startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let redis: TestRedis
let server: TestServer
let board: Board

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis })
  board = lookAtBoard(redis, 'mailer')
})

afterAll(async () => {
  await board.stop()
  await server.stop()
  await redis.stop()
})

async function submit(round: string, body: object = {}): Promise<Response> {
  return fetch(`${server.url}/api/v1/submit/mail/${round}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ worker: 'mailer', ...body }),
  })
}

const ask = (path: string, init?: RequestInit) => fetch(`${server.url}/api/v1/${path}`, init)
const read = async (round: string) => (await (await ask(`rounds/mail/${round}`)).json()) as RoundJson
const ended = (round: string, state: string, timeout = 15_000) =>
  expect.poll(async () => (await read(round)).state, { timeout, interval: 50 }).toBe(state)

describe('a submission', () => {
  it('is 202 once and 200 after that, with the round and where to look for it', async () => {
    const round = randomUUID()
    const first = await submit(round, { data: { to: 'anna' } })
    expect(first.status).toBe(202)
    expect(first.headers.get('link')).toBe(`</api/v1/rounds/mail/${round}>; rel="describedby"`)
    expect(await first.json()).toMatchObject({ state: 'submitted', job: { worker: 'mailer', starts: 0 } })
    const again = await submit(round, { data: { to: 'anna' } })
    expect([again.status, again.headers.get('gone-conflict')]).toEqual([200, null])
  })

  it('with other data, or for another worker, is told of the conflict, and the first data is kept', async () => {
    const round = randomUUID()
    await submit(round, { data: { to: 'anna' } })
    expect((await submit(round, { data: { to: 'bert' } })).headers.get('gone-conflict')).toBe('data')
    expect(
      (await submit(round, { data: { to: 'anna' }, worker: 'other' })).headers.get('gone-conflict'),
    ).toBe('data')
    const seen: unknown[] = []
    await startTestWorkers(redis, { mailer: async ({ id, data }) => id.endsWith(round) && seen.push(data) })
    await ended(round, 'completed')
    expect(seen).toEqual([{ to: 'anna' }])
  })

  it.each([
    [{ worker: 'rounds' }, 'worker: expected a name'],
    [{ worker: 'a/b' }, 'worker: expected a name'],
    [{ attempts: 0 }, 'attempts: expected an integer from 1 to 100, got 0'],
    [{ backoff: { type: 'linear', delay: '1s' } }, 'backoff: expected {"type"'],
    [{ timeout: 5 }, 'timeout: expected a duration'],
    [{ delay: '8d' }, 'delay: expected a duration'],
    [{ delay: '1s', at: '2030-01-01T00:00:00Z' }, 'delay, at: expected one of them'],
    [{ at: '2026-11-22 08:00' }, 'at: expected an RFC 3339 time'],
    [{ at: '2027-02-29T08:00:00Z' }, 'at: expected an RFC 3339 time'],
    [{ at: '2026-11-22T24:00:00Z' }, 'at: expected an RFC 3339 time'],
    [{ at: '2026-11-22T08:00:60Z' }, 'at: expected an RFC 3339 time'],
    [{ at: '2026-11-22T08:00:00+25:00' }, 'at: expected an RFC 3339 time'],
    [{ priority: 1.5 }, 'priority: expected an integer'],
    [{ priority: 2_097_152 }, 'priority: expected an integer from 1 to 2097151'],
    [{ ifExecutorDies: 'maybe' }, 'ifExecutorDies: expected one of "rerun", "fail"'],
    [{ retries: 3 }, '"retries": no such member'],
  ])('%j is refused, and nothing is stored', async (body, why) => {
    const round = randomUUID()
    const reply = await submit(round, body)
    expect(reply.status).toBe(400)
    expect(((await reply.json()) as { detail: string }).detail).toContain(why)
    expect((await ask(`rounds/mail/${round}`)).status).toBe(404)
  })

  it.each([
    { priority: 2_097_151 },
    { attempts: 100, backoff: { type: 'exponential', delay: '7d' }, timeout: '7d', deadline: '7d' },
    { priority: 2_097_151, delay: '7d' },
  ])('of the largest terms that are documented is taken: %j', async (body) => {
    expect((await submit(randomUUID(), body)).status).toBe(202)
  })

  it.each([
    ['behind', -10, 6],
    ['ahead', 200, 8],
  ])(
    'that names a time is judged by the clock of Redis, where the server’s is far %s',
    async (_, offDays, aheadDays) => {
      const dayMs = 86_400_000
      const nowMs = Date.now()
      const at = new Date(nowMs + aheadDays * dayMs).toISOString()
      vi.spyOn(Date, 'now').mockReturnValue(nowMs + offDays * dayMs)
      try {
        const reply = await submit(randomUUID(), { at })
        expect(reply.status).toBe(aheadDays <= 7 ? 202 : 400)
        if (aheadDays > 7)
          expect(await reply.json()).toMatchObject({
            code: 'INVALID_BODY',
            detail: expect.stringMatching(/^at: .*at most 7 d ahead.*, got "/),
          })
      } finally {
        vi.restoreAllMocks()
      }
    },
  )

  it('may be 64 KB large, and is refused beyond', async () => {
    expect((await submit(randomUUID(), { data: 'x'.repeat(60_000) })).status).toBe(202)
    expect((await submit(randomUUID(), { data: 'x'.repeat(70_000) })).status).toBe(413)
  })

  it('waits for its delay', async () => {
    const round = randomUUID()
    await submit(round, { delay: '1h' })
    expect((await board.job({ system: 'mail', round }))?.state).toBe('delayed')
  })
})

describe('a round', () => {
  it('that is led over HTTP is not run by a worker', async () => {
    const round = randomUUID()
    await ask(`elect/mail/${round}?candidate=anna`)
    expect((await submit(round)).status).toBe(200)
    expect(await board.job({ system: 'mail', round })).toBeUndefined()
  })

  it('that was submitted first and then led over HTTP is skipped by the worker, which says so', async () => {
    const round = randomUUID()
    await submit(round, { delay: '200ms' })
    expect((await ask(`elect/mail/${round}?candidate=anna`)).status).toBe(202)
    const runs: string[] = []
    await startTestWorkers(redis, { mailer: async ({ id }) => id.endsWith(round) && runs.push(id) })
    await expect
      .poll(async () => (await board.log({ system: 'mail', round })).join(), { timeout: 30_000 })
      .toContain('not run: led by')
    expect(runs).toEqual([])
    expect((await read(round)).state).toBe('led')
  })

  it('that has failed over HTTP before its job is run is not run, and its job is red with the reason', async () => {
    const round = randomUUID()
    await submit(round, { delay: '200ms' })
    expect((await ask(`fail/mail/${round}?reason=gave-up`, { method: 'POST' })).status).toBe(200)
    const runs: string[] = []
    await startTestWorkers(redis, { mailer: async ({ id }) => id.endsWith(round) && runs.push(id) })
    const shown = async () => (await board.job({ system: 'mail', round }))?.job.failedReason
    await expect.poll(shown, { timeout: 30_000 }).toBe('gave-up')
    expect(runs).toEqual([])
  })

  it('is not run again when its job was removed and it is submitted again', async () => {
    const round = randomUUID()
    const runs: string[] = []
    await startTestWorkers(redis, { mailer: async ({ id }) => id.endsWith(round) && runs.push(id) })
    await submit(round)
    await ended(round, 'completed')
    await (await board.job({ system: 'mail', round }))?.job.remove()
    for (let n = 0; n < 5; n += 1) expect((await submit(round)).status).toBe(200)
    // The worker goes on, and takes its jobs in order: one that should not be there would have been taken before this one.
    const next = randomUUID()
    await submit(next)
    await ended(next, 'completed')
    expect(await board.job({ system: 'mail', round })).toBeUndefined()
    expect(runs).toHaveLength(1)
  })

  it('whose job was removed before anybody started it is not made again by a submission that changes nothing', async () => {
    const round = randomUUID()
    await submit(round, { data: 7 })
    await expect.poll(async () => (await board.job({ system: 'mail', round }))?.state).toBe('waiting')
    // The record keeps the data until the queue is known to have it: until then whoever submits again makes up for it.
    const client = connect(redis.url, 'waiting', 'test', silentLog)
    await expect.poll(() => client.hexists(`gone:{mail}:round:${round}`, 'p')).toBe(0)
    await disconnect(client)
    await (await board.job({ system: 'mail', round }))?.job.remove()
    expect((await submit(round, { data: 7 })).status).toBe(200)
    expect(await board.job({ system: 'mail', round })).toBeUndefined()
  })

  it('is answered to candidates over HTTP as led, once a worker has started it', async () => {
    const round = randomUUID()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    await startTestWorkers(redis, { mailer: async ({ id }) => (id.endsWith(round) ? held : undefined) })
    await submit(round)
    await ended(round, 'led')
    const elect = await ask(`elect/mail/${round}`)
    expect([elect.status, elect.headers.get('gone-state')]).toEqual([204, 'led'])
    expect(await (await ask(`elected/mail/${round}`)).text()).toMatch(/^mailer@/)
    expect((await ask(`complete/mail/${round}`)).status).toBe(400)
    release()
    await ended(round, 'completed')
    expect((await ask(`completed/mail/${round}`)).status).toBe(200)
  })

  it('turns red at its deadline when no worker runs it, and green when one does after all', async () => {
    const rounds = lookAtBoard(redis)
    const round = randomUUID()
    await submit(round, { worker: 'nobody', deadline: '1s' })
    const red = async () => (await rounds.job({ system: 'mail', round }))?.job.failedReason
    await expect.poll(red, { timeout: 30_000 }).toBe('no worker has started it by its deadline')
    const overdue = { round, state: 'overdue', job: { worker: 'nobody', starts: 0 } }
    expect(await read(round)).toMatchObject(overdue)
    expect(await (await ask('rounds?system=mail&state=overdue')).json()).toMatchObject({ rounds: [overdue] })
    const { rounds: open } = (await (await ask('rounds?system=mail&state=submitted')).json()) as {
      rounds: RoundJson[]
    }
    expect(open.map((one) => one.round)).not.toContain(round)
    expect(await (await fetch(`${server.url}/metrics`)).text()).toMatch(/^gone_overdue_rounds 1$/m)
    const again = await submit(round, { worker: 'nobody', deadline: '1s' })
    expect(await again.json()).toMatchObject(overdue)
    await startTestWorkers(redis, { nobody: async () => 'late' })
    await ended(round, 'completed')
    await expect
      .poll(async () => (await rounds.job({ system: 'mail', round }))?.state, { timeout: 30_000 })
      .toBe('completed')
    await rounds.stop()
  })
})

describe('a deadline that no worker has kept', () => {
  it('has come by the clock of Redis, also where a server is an hour ahead', async () => {
    const ahead = await startServeProcess({ REDIS_URL: redis.url }, 3_600_000)
    const rounds = lookAtBoard(redis)
    try {
      const round = randomUUID()
      const made = (await (await submit(round, { worker: 'nobody', deadline: '30m' })).json()) as RoundJson
      const { deadlineAt, job } = made as SubmittedRoundJson
      expect(Date.parse(deadlineAt ?? '') - Date.parse(job?.submittedAt ?? '')).toBe(1_800_000)
      // The server that is ahead looks for deadlines twice, for it judges one that has come by Redis' clock since.
      const marker = randomUUID()
      await fetch(`${ahead.url}/api/v1/elect/mail/${marker}?deadline=1s`)
      const shown = async (name: string) => (await rounds.job({ system: 'mail', round: name }))?.state
      await expect.poll(() => shown(marker), { timeout: 30_000 }).toBe('failed')
      expect(await shown(round)).toBeUndefined()
      await fetch(`${ahead.url}/api/v1/complete/mail/${marker}`)
      const seen = await fetch(`${ahead.url}/api/v1/rounds/mail/${round}`)
      expect(await seen.json()).toMatchObject({ state: 'submitted' })
    } finally {
      await rounds.stop()
      await ahead.stop()
    }
  })

  it('is forgotten where the round is led over HTTP after all', async () => {
    const rounds = lookAtBoard(redis)
    const round = randomUUID()
    await submit(round, { worker: 'nobody-here', deadline: '1s' })
    const shown = async () => (await rounds.job({ system: 'mail', round }))?.state
    await expect.poll(shown, { timeout: 30_000 }).toBe('failed')
    expect((await ask(`elect/mail/${round}?candidate=me&deadline=10m`)).status).toBe(202)
    await expect.poll(shown, { timeout: 30_000 }).toBeUndefined()
    expect((await read(round)).state).toBe('led')
    expect(await (await fetch(`${server.url}/metrics`)).text()).toMatch(/^gone_overdue_rounds 0$/m)
    await rounds.stop()
  })

  it('is a week away where the submission set none, or never comes', async () => {
    const made = (await (await submit(randomUUID(), { worker: 'nobody-at-all' })).json()) as RoundJson
    const { deadlineAt = '', job } = made
    expect(Date.parse(deadlineAt) - Date.parse(job?.submittedAt ?? '')).toBe(7 * 86_400_000)
    expect(made.state).toBe('submitted')
    const patient = await startTestServer({ redis, env: { GONE_SUBMISSION_DEADLINE: '0' } })
    const path = `${patient.url}/api/v1/submit/mail/${randomUUID()}`
    expect(await (await fetch(path, { method: 'POST' })).json()).not.toHaveProperty('deadlineAt')
    await patient.stop()
  })
})

describe('a job that outlives its record', () => {
  it('gives way to that of a new submission, whose data is run, once', async () => {
    const round = randomUUID()
    const client = connect(redis.url, 'waiting', 'test', silentLog)
    expect((await submit(round, { worker: 'unserved', data: 'old' })).status).toBe(202)
    // What its retention does in time.
    await client.del(`gone:{mail}:round:${round}`)
    expect((await submit(round, { worker: 'unserved', data: 'new' })).status).toBe(202)
    const seen: unknown[] = []
    await startTestWorkers(redis, { unserved: async ({ id, data }) => id.endsWith(round) && seen.push(data) })
    await ended(round, 'completed')
    expect(seen).toEqual(['new'])
    await disconnect(client)
  })

  it('is not run, and its worker says why', async () => {
    const round = randomUUID()
    const client = connect(redis.url, 'waiting', 'test', silentLog)
    await submit(round, { worker: 'forgotten', data: 'old' })
    await client.del(`gone:{mail}:round:${round}`)
    const seen: unknown[] = []
    const forgotten = lookAtBoard(redis, 'forgotten')
    await startTestWorkers(redis, { forgotten: async ({ data }) => seen.push(data) })
    const shown = async () => (await forgotten.job({ system: 'mail', round }))?.job.failedReason
    await expect.poll(shown).toBe('the record of the submission that it was made of is gone')
    expect(seen).toEqual([])
    await forgotten.stop()
    await disconnect(client)
  })
})

describe('a delay', () => {
  it.each([-3_600_000, 3_600_000])(
    'is counted by the clock of Redis where the server that was asked is %s ms off',
    async (skewMs) => {
      const skewed = await startServeProcess({ REDIS_URL: redis.url }, skewMs)
      const startedMs = new Map<string, number>()
      await startTestWorkers(redis, { later: async ({ id }) => void startedMs.set(id, Date.now()) })
      try {
        const dueMs = Date.now() + 3_000
        const terms = { delay: { delay: '3s' }, at: { at: new Date(dueMs).toISOString() } }
        for (const [round, term] of Object.entries(terms)) {
          await fetch(`${skewed.url}/api/v1/submit/later${skewMs}/${round}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ worker: 'later', ...term }),
          })
        }
        await expect.poll(() => startedMs.size, { timeout: 30_000 }).toBe(2)
        for (const startMs of startedMs.values()) {
          expect(startMs).toBeGreaterThanOrEqual(dueMs)
          expect(startMs).toBeLessThan(dueMs + 20_000)
        }
      } finally {
        await skewed.stop()
      }
    },
    40_000,
  )

  it.each([-3_600_000, 3_600_000])(
    'is counted by the clock of Redis where the only worker is %s ms off: not early, and soon',
    async (skewMs) => {
      const own = await startRedis()
      const env = { REDIS_URL: own.url }
      const [facade, worker] = await Promise.all([
        startServeProcess(env),
        startWorkProcess(builtPath('test/support/workers'), env, skewMs),
      ])
      try {
        const rounds = `${facade.url}/api/v1/rounds/mail/later`
        await fetch(`${facade.url}/api/v1/submit/mail/later`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{"worker":"probe","delay":"3s"}',
        })
        const round = async () => (await (await fetch(rounds)).json()) as LedRoundJson
        await expect.poll(async () => (await round()).state, { timeout: 30_000 }).toBe('completed')
        const { electedAt, job } = await round()
        const afterMs = Date.parse(electedAt) - Date.parse(job?.submittedAt ?? '')
        expect(afterMs).toBeGreaterThanOrEqual(3_000)
        // The harness holds it to 2 s.
        expect(afterMs).toBeLessThanOrEqual(25_000)
      } finally {
        await Promise.all([worker.stop(), facade.stop()])
        await own.stop()
      }
    },
    60_000,
  )
})

describe('a worker whose clock is behind', () => {
  it('keeps the lock of a job that takes longer than it, and counts each attempt that fails', async () => {
    const own = await startRedis()
    const env = { REDIS_URL: own.url }
    const [facade, worker] = await Promise.all([
      startServeProcess(env),
      startWorkProcess(builtPath('test/support/workers'), env, -3_600_000),
    ])
    try {
      await fetch(`${facade.url}/api/v1/submit/mail/long`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"worker":"probe","attempts":2,"data":{"sleepMs":3000,"failures":2}}',
      })
      const ended = await fetch(`${facade.url}/api/v1/rounds/mail/long?wait=45s`)
      expect(await ended.json()).toMatchObject({
        state: 'failed',
        completion: { reason: 'attempt 2 fails as asked' },
        job: { starts: 2 },
      })
    } finally {
      await Promise.all([worker.stop(), facade.stop()])
      await own.stop()
    }
  }, 60_000)
})

describe('a worker', () => {
  it('tries again after a failure, and completes with the result', async () => {
    const round = randomUUID()
    const attempts: number[] = []
    await startTestWorkers(redis, {
      async mailer({ id }, { attempt }) {
        if (!id.endsWith(round)) return null
        attempts.push(attempt)
        if (attempt < 3) throw new Error('not yet')
        return { sent: 1 }
      },
    })
    await submit(round)
    await ended(round, 'completed')
    expect(attempts).toEqual([1, 2, 3])
    expect(await read(round)).toMatchObject({
      fence: expect.any(Number),
      completion: { result: { sent: 1 } },
      job: { starts: 3 },
    })
  })

  it('takes one script a job where it has the gate, the records and the queue on one Redis', async () => {
    const JOBS = 40
    const own = await startRedis()
    const facade = await startTestServer({ redis: own })
    const client = connect(own.url, 'commands', 'test', silentLog)
    const scripts = async () => {
      const text = await client.info('commandstats')
      return Number(/cmdstat_evalsha:calls=(\d+)/.exec(text)?.[1] ?? 0)
    }
    let done = 0
    const names = Array.from({ length: JOBS }, (_, n) => `r${n}`)
    for (const round of names)
      await fetch(`${facade.url}/api/v1/submit/mail/${round}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"worker":"mailer"}',
      })
    await facade.stop()
    const before = await scripts()
    await startTestWorkers(own, { mailer: async () => (done += 1) }, { concurrency: 1 })
    await expect.poll(() => done, { timeout: 15_000 }).toBe(JOBS)
    // What a worker tells of itself are scripts, too: a few a second.
    expect((await scripts()) - before).toBeLessThan(2 * JOBS)
    for (const round of [names[0], names[JOBS - 2]]) {
      const record = await client.hgetall(`gone:{mail}:round:${round}`)
      expect(record).toMatchObject({ i: '#job', n: '1', c: 'c' })
    }
    await expect.poll(() => client.keys('gone:gate:*')).toEqual([])
    await disconnect(client)
    await own.stop()
  })

  it('runs what may be started only once also where the answer was lost that handed it out', async () => {
    const proxy = await startRedisProxy(redis.port)
    const [first, second] = [randomUUID(), randomUUID()]
    const ran: string[] = []
    let endFirst: (() => void) | undefined
    const handler = async ({ id }: { readonly id: string }) => {
      ran.push(id)
      if (id.endsWith(first)) await new Promise<void>((resolve) => (endFirst = resolve))
    }
    await startTestWorkers({ ...redis, url: proxy.url }, { mailer: handler }, { concurrency: 1 })
    await submit(first)
    await expect.poll(() => endFirst).toBeDefined()
    await submit(second, { ifExecutorDies: 'fail' })
    proxy.swallowReplies()
    endFirst?.()
    // The end of the first hands out the second, and nobody hears of it.
    await expect.poll(async () => (await board.job({ system: 'mail', round: second }))?.state).toBe('active')
    proxy.heal()
    await ended(second, 'completed', 30_000)
    expect(ran).toEqual([`mail~${first}`, `mail~${second}`])
    await proxy.stop()
  })

  it('records the same in the usual case, which has words of its own, as in any other', async () => {
    const client = connect(redis.url, 'commands', 'test', silentLog)
    await startTestWorkers(redis, { mailer: async () => ({ sent: 1 }) })
    // One is in the usual case; the others have an escaped name, a time limit, and a lock that another has for a moment.
    const rounds = [randomUUID(), `ü${randomUUID()}`, randomUUID(), randomUUID()]
    await client.set(`gone:gate:mail~${rounds[3]}`, 'another', 'PX', 300)
    for (const [index, round] of rounds.entries())
      await submit(encodeURIComponent(round), index === 2 ? { timeout: '5s' } : {})
    for (const round of rounds) await ended(encodeURIComponent(round), 'completed')
    const records = await Promise.all(
      rounds.map(async (round) => {
        const key = `gone:{mail}:round:${encodeURIComponent(round)}`
        const { f: fence, e: startedAtMs, s, a, o, ...same } = await client.hgetall(key)
        expect(Number(fence)).toBeGreaterThan(0)
        expect(Number(startedAtMs)).toBeGreaterThanOrEqual(Number(s))
        expect(Number(a)).toBeGreaterThanOrEqual(0)
        expect(await client.pttl(key)).toBeGreaterThan(0)
        expect(await client.zscore('gone:{mail}:deadlines', encodeURIComponent(round))).toBeNull()
        return same
      }),
    )
    for (const record of records) expect(record).toEqual(records[0])
    expect(records[0]).toMatchObject({ i: '#job', n: '1', c: 'c', r: '{"sent":1}' })
    await disconnect(client)
  })

  it('records the round as failed with the last reason, and keeps the job', async () => {
    const round = randomUUID()
    await startTestWorkers(redis, {
      async mailer({ id }, { attempt }) {
        if (id.endsWith(round)) throw new Error(`mail server said no (${attempt})`)
      },
    })
    await submit(round, { attempts: 2, backoff: { type: 'fixed', delay: '10ms' } })
    await ended(round, 'failed')
    expect(await read(round)).toMatchObject({ completion: { reason: 'mail server said no (2)' } })
    await expect.poll(async () => (await board.job({ system: 'mail', round }))?.state).toBe('failed')
    expect((await board.job({ system: 'mail', round }))?.job.failedReason).toBe('mail server said no (2)')
  })

  it.each(['~', 'mail~', '~1', 'mail~a%2Fb', 'mail~%zz', 'mail~a b'])(
    'fails a job of somebody else whose id, %j, is no round, and runs nothing',
    async (jobId) => {
      const seen: string[] = []
      const name = `foreign-${randomUUID()}`
      const client = connect(redis.url, 'waiting', 'test', silentLog)
      const queue = new Queue(name, { connection: client, prefix: QUEUE_PREFIX })
      await queue.add('mail', {}, { jobId, attempts: 3 })
      await startTestWorkers(redis, { [name]: async ({ id }) => void seen.push(id) })
      await expect.poll(async () => await (await queue.getJob(jobId))?.getState()).toBe('failed')
      expect((await queue.getJob(jobId))?.failedReason).toContain(`got ${JSON.stringify(jobId)}`)
      expect(seen).toEqual([])
      await queue.close()
      await disconnect(client)
    },
  )

  it('aborts the signal of a handler that takes too long, and says how long it may', async () => {
    const round = randomUUID()
    let wasAborted = false
    await startTestWorkers(redis, {
      async mailer({ id }, { signal }) {
        if (!id.endsWith(round)) return
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        wasAborted = true
      },
    })
    await submit(round, { timeout: '100ms', attempts: 1 })
    await ended(round, 'failed')
    expect(wasAborted).toBe(true)
    expect(await read(round)).toMatchObject({ completion: { reason: 'it took longer than 100 ms' } })
  })

  it('lets running jobs end when it stops', async () => {
    const round = randomUUID()
    let isRunning = false
    const workers = await startTestWorkers(redis, {
      async mailer({ id }) {
        if (!id.endsWith(round)) return
        isRunning = true
        await sleep(500)
      },
    })
    await submit(round)
    await expect.poll(() => isRunning, { timeout: 30_000 }).toBe(true)
    await workers.stop()
    expect((await read(round)).state).toBe('completed')
  })

  it('gives jobs back that do not end in time, and another ends them', async () => {
    const round = randomUUID()
    const fences: number[] = []
    const handler = async (
      { id }: { id: string },
      { fence, signal }: { fence: number; signal: AbortSignal },
    ) => {
      if (!id.endsWith(round)) return
      fences.push(fence)
      if (fences.length > 1) return
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    }
    const workers = await startTestWorkers(redis, { mailer: handler }, { env: { GONE_SHUTDOWN: '2300ms' } })
    await submit(round, { attempts: 1 })
    await expect.poll(() => fences.length, { timeout: 30_000 }).toBe(1)
    await workers.stop()
    expect((await read(round)).state).toBe('led')
    await startTestWorkers(redis, { mailer: handler })
    await ended(round, 'completed')
    expect(fences).toHaveLength(2)
    expect(fences[1]).toBeGreaterThan(fences[0] as number)
  })
})

describe('workers behind three gate nodes', () => {
  it('go on with one node down; with two their jobs wait, and then run', async () => {
    const nodes = await Promise.all([startRedis(), startRedis(), startRedis()])
    const env = { GATE_REDIS_URLS: nodes.map((node) => node.url).join(',') }
    await startTestWorkers(redis, { mailer: async () => 'done' }, { env })
    await nodes[0]?.kill()
    const one = randomUUID()
    await submit(one)
    await ended(one, 'completed')

    await nodes[1]?.kill()
    const two = randomUUID()
    await submit(two, { attempts: 1 })
    await expect
      .poll(async () => (await board.log({ system: 'mail', round: two })).join(), { timeout: 30_000 })
      .toContain('put off: the gate has no majority')
    expect((await read(two)).state).toBe('submitted')
    await nodes[1]?.restart()
    await ended(two, 'completed')
    await Promise.all(nodes.map((node) => node.stop()))
  })

  it('have one completion each, also when a node comes back empty while a job runs', async () => {
    const nodes = await Promise.all([
      startRedis({ aof: 'off' }),
      startRedis({ aof: 'off' }),
      startRedis({ aof: 'off' }),
    ])
    const env = { GATE_REDIS_URLS: nodes.map((node) => node.url).join(',') }
    const round = randomUUID()
    const fences: number[] = []
    const mailer = async ({ id }: { id: string }, { fence }: { fence: number }) => {
      if (!id.endsWith(round)) return
      fences.push(fence)
      await sleep(1_500)
      return { fence }
    }
    await startTestWorkers(redis, { mailer }, { env })
    await startTestWorkers(redis, { mailer }, { env })
    await submit(round)
    await expect.poll(() => fences.length, { timeout: 30_000 }).toBe(1)
    for (const node of nodes) {
      await node.kill()
      await node.restart()
    }
    await ended(round, 'completed')
    const done = await read(round)
    expect(done).toMatchObject({ completion: { result: { fence: (done as { fence: number }).fence } } })
    await Promise.all(nodes.map((node) => node.stop()))
  })
})

describe('the board', () => {
  it('shows queues that came up after the server started', async () => {
    await fetch(`${server.url}/api/v1/submit/late/1`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"worker":"latecomer"}',
    })
    const queues = async () => (await fetch(`${server.url}/board/api/queues`)).text()
    await expect.poll(queues).toContain('"latecomer"')
    expect(await queues()).toContain('"rounds"')
  })
})

describe('the sweeper', () => {
  it('queues what was submitted to a facade that died before it could', async () => {
    const round = randomUUID()
    const client = connect(redis.url, 'waiting', 'test', silentLog)
    const { RedisRecords } = await import('../../src/store/records/redis-records.ts')
    // What a facade does up to the point where it is killed.
    await new RedisRecords(client, 86_400_000).submit(
      { system: 'mail', round },
      { queue: 'mailer', data: { to: 'anna' }, queueTerms: { attempts: 2 }, runTerms: {} },
    )
    await expect
      .poll(async () => (await board.job({ system: 'mail', round }))?.job.data, {
        timeout: 30_000,
        interval: 200,
      })
      .toEqual({ to: 'anna' })
    await disconnect(client)
  })
})
