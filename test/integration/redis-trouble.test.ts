import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RoundJson } from '../../src/core/rounds/round-wire.ts'
import { GoneError } from '../../src/errors.ts'
import { pause } from '../../src/waiting.ts'
import { lookAtBoard } from '../support/board.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startRedisProxy } from '../support/redis-proxy.ts'
import { type Answer, type Call, expectProblem, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** What a caller waits at most for an answer that is not about waiting. */
const ANSWERED_WITHIN_MS = 5_000
const BACK_WITHIN_MS = 5_000

let closing: (() => unknown)[]

beforeEach(() => {
  closing = []
})

afterEach(async () => {
  for (const close of closing.reverse()) await close()
})

interface World {
  readonly server: TestServer
  readonly redis: TestRedis
  /** Asks Redis itself, past the server. */
  readonly admin: Redis
}

async function startWorld(env: Record<string, string> = {}): Promise<World> {
  const redis = await startRedis()
  closing.push(() => redis.stop())
  const server = await startTestServer({ redis, env })
  closing.push(() => server.stop())
  const admin = new Redis(redis.port, { lazyConnect: true })
  admin.on('error', () => undefined)
  closing.push(() => admin.disconnect())
  return { server, redis, admin }
}

function api(server: Pick<TestServer, 'url'>, path: string, more: Partial<Call> = {}): Promise<Answer> {
  return send(server.url, { method: 'POST', ...more, path: `/api/v1/${path}` })
}

const history = (server: TestServer, path: string) => api(server, path, { method: 'GET' })

/** Rounds that the server knows before the trouble: led, leased and completed. */
async function prepare(server: TestServer): Promise<void> {
  for (const path of [
    'elect/known/led?candidate=me',
    'elect/known/untold',
    'elect/known/leased?candidate=me&lease=30s',
    'complete/known/completed?candidate=me',
  ]) {
    expect((await api(server, path)).status).toBeLessThan(300)
  }
}

const WRITES = [
  'elect/new/a',
  'elect/new/b?candidate=me',
  'elect/new/c?lease=5s',
  'elect/new/d?wait=10s',
  'complete/new/e',
  'fail/new/f',
  'complete/known/led?candidate=me',
  'complete/known/untold',
  'fail/known/led?candidate=me',
  'renew/known/leased?candidate=me',
  'submit/new/g',
]
/** How rounds end that are led: where memory is full that is recorded all the same. */
const ENDS = WRITES.filter((path) => /^(complete|fail)\/known/.test(path))
const READS = ['elected/new/a', 'completed/new/b', 'completed/known/led']
const GETS = ['rounds/known/led', 'rounds/new/a', 'rounds', 'rounds?system=known&state=led']
const WAITS = ['elect/known/led?wait=10s', 'elect/known/untold?candidate=you&wait=10s']
const GET_WAITS = ['rounds/known/led?wait=10s', 'rounds/new/a?wait=10s']

async function expectUnavailable(asked: Promise<Answer>[], trouble: RegExp): Promise<void> {
  for (const answer of await Promise.all(asked)) {
    expect(expectProblem(answer, 'STORE_UNAVAILABLE')).toMatch(trouble)
    expect(answer.tookMs).toBeLessThan(ANSWERED_WITHIN_MS)
  }
}

async function expectUnready(server: TestServer, trouble: RegExp): Promise<void> {
  const answer = await send(server.url, { path: '/readyz' })
  expect(answer.status).toBe(503)
  expect(JSON.parse(answer.text)).toEqual({ status: 'unready', trouble: expect.stringMatching(trouble) })
  expect(answer.tookMs).toBeLessThan(ANSWERED_WITHIN_MS)
}

/**
 * What a server says from memory: that somebody lost, for 2 s of a round that is led, and of a completed one for good. That
 * a candidate leads, and in which state a round is, only the record says.
 */
async function expectRemembered(server: TestServer, redis: 'away' | 'readable' | 'back'): Promise<void> {
  const expected: readonly (readonly [string, readonly number[]])[] = [
    ['elect/known/completed', [204]],
    ['elect/known/led', redis === 'back' ? [204] : [204, 500]],
    ['elect/known/untold', redis === 'back' ? [204] : [204, 500]],
    ['elect/known/leased', redis === 'back' ? [204] : [204, 500]],
    // Of a Redis that was silent, a report that was told to retry may have come through.
    ['elect/known/led?candidate=me', redis === 'back' ? [202, 204] : [500]],
    ['elected/known/led', redis === 'away' ? [200, 500] : [200]],
    ['completed/known/completed', redis === 'away' ? [500] : [200]],
  ]
  const answers = await Promise.all(expected.map(([path]) => api(server, path)))
  for (const [index, { status, tookMs }] of answers.entries()) {
    const [path, statuses] = expected[index] as (typeof expected)[number]
    expect(statuses, path).toContain(status)
    expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS)
  }
  const alive = await Promise.all(['/healthz', '/metrics'].map((path) => send(server.url, { path })))
  expect(alive.map(({ status }) => status)).toEqual([200, 200])
  for (const { tookMs } of alive) expect(tookMs).toBeLessThan(ANSWERED_WITHIN_MS)
}

/** Normal service, of the same server process, in all it does. */
async function expectBack(server: TestServer): Promise<void> {
  const board = lookAtBoard(server.redis)
  let last = ''
  try {
    await vi.waitFor(
      async () => {
        const round = `after-${Math.random().toString(36).slice(2)}`
        expect((await send(server.url, { path: '/readyz' })).status).toBe(200)
        expect((await api(server, `elect/back/${round}?candidate=me`)).status).toBe(202)
        expect((await api(server, `elect/back/${round}`)).status).toBe(204)
        expect((await api(server, `complete/back/${round}?candidate=me`)).status).toBe(200)
        expect((await history(server, 'rounds?system=back')).status).toBe(200)
        last = round
      },
      { timeout: BACK_WITHIN_MS, interval: 50 },
    )
    await expect
      .poll(async () => (await board.job({ system: 'back', round: last }))?.state, { timeout: 30_000 })
      .toBe('completed')
  } finally {
    await board.stop()
  }
}

/** What was asked in vain is decided when it is asked again, once. */
async function expectDecidedOnce(server: TestServer): Promise<void> {
  const asked = await Promise.all(Array.from({ length: 10 }, () => api(server, 'elect/new/a')))
  const statuses = asked.map(({ status }) => status).sort()
  expect(statuses).toEqual([202, ...Array(9).fill(204)])
  expect((await api(server, 'elect/new/b?candidate=me')).status).toBe(202)
}

describe('while Redis is', () => {
  const silences: [string, (redis: TestRedis) => unknown, (redis: TestRedis) => unknown, RegExp][] = [
    ['dead', (redis) => redis.kill(), (redis) => redis.restart(), /not reachable|not answer in time/],
    ['silent', (redis) => redis.pause(), (redis) => redis.resume(), /not answer in time|not reachable/],
  ]

  it.each(silences)(
    '%s, whoever needs it is told to retry, and all is well when it is back',
    async (_, begin, end, trouble) => {
      const { server, redis } = await startWorld()
      await prepare(server)
      await begin(redis)

      for (let turn = 0; turn < 2; turn += 1) {
        await Promise.all([
          expectUnavailable(
            [
              ...[...WRITES, ...READS, ...WAITS].map((path) => api(server, path)),
              ...[...GETS, ...GET_WAITS].map((path) => history(server, path)),
            ],
            trouble,
          ),
          expectUnready(server, trouble),
          expectRemembered(server, 'away'),
        ])
      }

      await end(redis)
      await expectBack(server)
      await expectRemembered(server, 'back')
      await expectDecidedOnce(server)
      expect((await api(server, 'complete/known/led?candidate=me')).status).toBe(200)
      expect((await api(server, 'renew/known/leased?candidate=me')).status).toBe(200)
    },
  )

  const refusals: [string, (world: World) => Promise<void>, (world: World) => Promise<void>, RegExp][] = [
    ['out of memory', fillMemory, emptyMemory, /no memory left/],
    ['without its replicas', wantReplicas, wantNoReplicas, /fewer replicas than it is to have/],
    ['unable to save', breakSnapshots, repairSnapshots, /cannot write to its disk/],
    ['out of disk', fillDisk, emptyDisk, /cannot write to its disk/],
  ]

  it.each(refusals)(
    '%s, whoever would write is told to retry, and who reads is answered',
    async (_, begin, end, trouble) => {
      const world = await startWorld()
      const { server } = world
      const isFull = begin === fillMemory
      const refused = isFull ? WRITES.filter((path) => !ENDS.includes(path)) : WRITES
      await prepare(server)
      await begin(world)

      await Promise.all([
        expectUnavailable(
          refused.map((path) => api(server, path)),
          trouble,
        ),
        expectUnready(server, trouble),
        expectRemembered(server, 'readable'),
      ])
      const reads = await Promise.all([
        ...READS.map((path) => api(server, path)),
        ...GETS.map((path) => history(server, path)),
      ])
      expect(reads.map(({ status }) => status)).toEqual([204, 204, 204, 200, 404, 200, 200])
      const { rounds } = JSON.parse((await history(server, 'rounds')).text) as { rounds: RoundJson[] }
      expect(rounds.map(({ system }) => system)).toEqual(Array(4).fill('known'))
      if (isFull) expect((await api(server, 'complete/known/led?candidate=me')).status).toBe(200)

      await end(world)
      await expectBack(server)
      await expectDecidedOnce(server)
      expect((await api(server, 'complete/known/led?candidate=me')).status).toBe(200)
    },
  )

  it('a replica, whoever would write is told so, however many these are, and who reads is answered', async () => {
    const { server, admin } = await startWorld()
    await prepare(server)
    await admin.replicaof('127.0.0.1', 1)
    const said: string[] = []
    const read: number[] = []
    for (let turn = 0; turn < 40; turn += 1) {
      await pause(100) // so that all of it lasts for longer than from one look for another primary to the next
      const writes = Array.from({ length: 10 }, (_, n) => api(server, `elect/new/${turn}-${n}`))
      const reads = [api(server, 'completed/known/completed'), history(server, 'rounds')]
      for (const { text } of await Promise.all(writes)) said.push(JSON.parse(text).detail)
      for (const { status } of await Promise.all(reads)) read.push(status)
    }
    // The rest is told as the connection is made anew, once in a while, because another may be the primary by then.
    expect(said.filter((text) => text.includes('is a read-only replica')).length).toBeGreaterThan(280)
    expect(read.filter((status) => status === 200).length).toBeGreaterThan(40)
    await admin.replicaof('NO', 'ONE')
    await expectBack(server)
    await expectDecidedOnce(server)
  })
})

async function fillMemory({ admin }: World): Promise<void> {
  const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1])
  await admin.config('SET', 'maxmemory', Math.floor(used / 2))
}

async function wantReplicas({ admin }: World): Promise<void> {
  await admin.config('SET', 'min-replicas-to-write', 1)
}

async function wantNoReplicas({ admin }: World): Promise<void> {
  await admin.config('SET', 'min-replicas-to-write', 0)
}

async function emptyMemory({ admin }: World): Promise<void> {
  await admin.config('SET', 'maxmemory', 0)
}

/** A folder stands where the snapshot should go. */
async function breakSnapshots({ admin, redis }: World): Promise<void> {
  await mkdir(join(redis.dir, 'dump.rdb', 'in-the-way'), { recursive: true })
  await admin.config('SET', 'save', '3600 100000')
  await snapshot(admin, 'err')
}

async function repairSnapshots({ admin, redis }: World): Promise<void> {
  await rm(join(redis.dir, 'dump.rdb'), { recursive: true })
  await snapshot(admin, 'ok')
}

async function snapshot(admin: Redis, outcome: 'ok' | 'err'): Promise<void> {
  await admin.bgsave()
  await vi.waitFor(async () => {
    expect(await admin.info('persistence')).toContain(`rdb_last_bgsave_status:${outcome}`)
  }, 30_000)
}

/** The next file of the log is one that takes no byte. */
async function fillDisk({ admin, redis }: World): Promise<void> {
  await symlink('/dev/full', join(redis.dir, 'appendonlydir', 'appendonly.aof.2.incr.aof'))
  await admin.bgrewriteaof()
  await vi.waitFor(async () => {
    // It takes a write to find out.
    await admin.set('gone:test', '1').catch(() => undefined)
    expect(await admin.info('persistence')).toContain('aof_last_write_status:err')
  }, 30_000)
  await admin.del('gone:test').catch(() => undefined)
}

async function emptyDisk({ admin }: World): Promise<void> {
  // Not while the last one is under way.
  await vi.waitFor(() => admin.bgrewriteaof(), 30_000)
  await vi.waitFor(async () => {
    expect(await admin.info('persistence')).toContain('aof_last_write_status:ok')
  }, 30_000)
}

describe('a Redis that restarts', () => {
  it('delays answers and changes none', async () => {
    const { server, redis } = await startWorld()
    const winners = new Map<string, number>()
    let isOver = false
    let slowestMs = 0
    let retries = 0

    /** Three candidates without a token for each round; each asks again while it is told to. */
    async function lane(name: string): Promise<void> {
      for (let n = 0; !isOver; n += 1) {
        const round = `${name}-${n}`
        const candidates = Array.from({ length: 3 }, () => askUntilAnswered(round))
        const statuses = await Promise.all(candidates)
        winners.set(round, statuses.filter((status) => status === 202).length)
      }
    }

    async function askUntilAnswered(round: string): Promise<number> {
      for (;;) {
        const answer = await api(server, `elect/restart/${round}`)
        slowestMs = Math.max(slowestMs, answer.tookMs)
        if (answer.status !== 500) return answer.status
        expectProblem(answer, 'STORE_UNAVAILABLE')
        retries += 1
        // Retry-After says 1 s; this is a test in a hurry.
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }

    const lanes = Promise.all(['a', 'b', 'c', 'd'].map(lane))
    for (let restart = 0; restart < 3; restart += 1) {
      const before = winners.size
      await vi.waitFor(() => expect(winners.size).toBeGreaterThan(before + 40), BACK_WITHIN_MS)
      if (restart === 1) {
        await redis.kill()
        await vi.waitFor(() => expect(retries).toBeGreaterThan(0), BACK_WITHIN_MS)
      }
      await redis.restart()
    }
    const before = winners.size
    await vi.waitFor(() => expect(winners.size).toBeGreaterThan(before + 40), BACK_WITHIN_MS)
    isOver = true
    await lanes

    expect(slowestMs).toBeLessThan(ANSWERED_WITHIN_MS)
    expect([...winners].filter(([, count]) => count !== 1)).toEqual([])
    await expectBack(server)
  })

  it('may forget its scripts', async () => {
    const { server, admin } = await startWorld()
    await prepare(server)
    for (const path of [
      'elect/new/a?candidate=me',
      'renew/known/leased?candidate=me',
      'complete/known/leased?candidate=me',
      'fail/known/led?candidate=me',
      'completed/new/a',
    ]) {
      await admin.script('FLUSH')
      expect((await api(server, path)).status).toBeLessThan(300)
    }
    await admin.script('FLUSH')
    await expectBack(server)
  })
})

describe('a reply of Redis that is lost', () => {
  async function startBehindProxy() {
    const redis = await startRedis()
    closing.push(() => redis.stop())
    const proxy = await startRedisProxy(redis.port)
    closing.push(() => proxy.stop())
    const server = await startTestServer({ redis, env: { REDIS_URL: proxy.url } })
    closing.push(() => server.stop())
    return { redis, proxy, server }
  }

  it('does not strand the round of a candidate without a token', async () => {
    const { redis, proxy, server } = await startBehindProxy()
    const admin = new Redis(redis.port)
    closing.push(() => admin.disconnect())
    const board = lookAtBoard(redis)
    closing.push(() => board.stop())
    const names = Array.from({ length: 20 }, (_, n) => `round-${n}`)

    proxy.swallowReplies()
    const first = await Promise.all(names.map((name) => api(server, `elect/lost/${name}`)))
    for (const answer of first) {
      expectProblem(answer, 'STORE_UNAVAILABLE')
      expect(answer.tookMs).toBeLessThan(ANSWERED_WITHIN_MS)
    }
    for (const name of names) expect(await admin.exists(`gone:{lost}:round:${name}`)).toBe(1)

    proxy.heal()
    for (const name of names) {
      const told: number[] = []
      await vi.waitFor(
        async () => {
          const statuses = (
            await Promise.all(Array.from({ length: 5 }, () => api(server, `elect/lost/${name}`)))
          ).map(({ status }) => status)
          told.push(...statuses)
          expect(statuses).not.toContain(500)
        },
        { timeout: BACK_WITHIN_MS, interval: 20 },
      )
      expect([name, told.filter((status) => status === 202).length]).toEqual([name, 1])
    }
    for (const name of names) {
      expect((await api(server, `complete/lost/${name}`)).status).toBe(200)
      await vi.waitFor(
        async () => expect((await board.job({ system: 'lost', round: name }))?.state).toBe('completed'),
        { timeout: 30_000, interval: 200 },
      )
    }
  })

  it('is repeated for who shows a token', async () => {
    const { proxy, server } = await startBehindProxy()
    expect((await api(server, 'elect/lost/led?candidate=me')).status).toBe(202)
    const paths = [
      'elect/lost/new?candidate=me',
      'complete/lost/led?candidate=me',
      'fail/lost/other?candidate=me',
    ]
    proxy.swallowReplies()
    for (const answer of await Promise.all(paths.map((path) => api(server, path))))
      expectProblem(answer, 'STORE_UNAVAILABLE')
    proxy.heal()
    await expectBack(server)
    const again = await Promise.all(paths.map((path) => api(server, path)))
    expect(again.map(({ status }) => status)).toEqual([202, 200, 200])
    const others = [
      api(server, 'elect/lost/new'),
      api(server, 'complete/lost/led'),
      api(server, 'fail/lost/other'),
    ]
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([204, 400, 400])
  })

  it('elects one of those who ask again, however often the wire breaks', async () => {
    const { proxy, server } = await startBehindProxy()
    let answers500 = 0
    for (let n = 0; n < 15; n += 1) {
      const cutting = setInterval(() => proxy.cut(), 2 + (n % 5))
      const asked = Array.from({ length: 4 }, () => api(server, `elect/wire/round-${n}`))
      const told = (await Promise.all(asked)).map(({ status }) => status)
      clearInterval(cutting)
      answers500 += told.filter((status) => status === 500).length
      await vi.waitFor(
        async () => {
          const { status } = await api(server, `elect/wire/round-${n}`)
          told.push(status)
          expect(status).not.toBe(500)
        },
        { timeout: BACK_WITHIN_MS, interval: 20 },
      )
      expect([n, told.filter((status) => status === 202).length]).toEqual([n, 1])
    }
    expect(answers500).toBeGreaterThan(0)
  })
})

describe('a Redis that would forget rounds', () => {
  it('is refused at the start with one line, unless that is allowed', async () => {
    const redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] })
    closing.push(() => redis.stop())
    const error = await startTestServer({ redis }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(GoneError)
    expect(error).toMatchObject({
      code: 'CONFIG',
      message: expect.stringMatching(
        /^[^\n]*allkeys-lru[^\n]*noeviction[^\n]*GONE_ALLOW_EVICTION=true[^\n]*$/,
      ),
    })

    const server = await startTestServer({ redis, env: { GONE_ALLOW_EVICTION: 'true' } })
    closing.push(() => server.stop())
    await expectBack(server)
  })

  it('makes a running server unready', async () => {
    const { server, admin } = await startWorld()
    await admin.config('SET', 'maxmemory-policy', 'volatile-ttl')
    await expectUnready(server, /maxmemory-policy volatile-ttl/)
    await admin.config('SET', 'maxmemory-policy', 'noeviction')
    await expectBack(server)
  })
})

describe('a Redis that cannot be reached', () => {
  it('ends the start with one line that hides the password', async () => {
    const redis = await startRedis()
    closing.push(() => redis.stop())
    await redis.kill()
    const startedMs = performance.now()
    const error = await startTestServer({
      redis,
      env: { REDIS_URL: `redis://user:secret@127.0.0.1:${redis.port}/0` },
    }).catch((thrown: unknown) => thrown)
    expect(performance.now() - startedMs).toBeLessThan(15_000)
    expect(error).toBeInstanceOf(GoneError)
    expect(error).toMatchObject({
      code: 'REDIS_NOT_FOUND',
      message: expect.stringMatching(
        /^REDIS_URL: cannot reach redis:\/\/user:\*\*\*@127[^\n]*not reachable$/,
      ),
    })
  })
})

describe('a server that stops', () => {
  it('tells its standbys to ask another', async () => {
    const { server, redis } = await startWorld()
    await api(server, 'elect/stop/led?candidate=leader')
    const waiting = [
      ...Array.from({ length: 20 }, (_, n) => api(server, `elect/stop/led?candidate=s-${n}&wait=25s`)),
      history(server, 'rounds/stop/led?wait=25s'),
      history(server, 'rounds/stop/unknown?wait=25s'),
    ]
    const early = Promise.race(waiting)
    // They must have come as far as waiting, which nothing shows from outside.
    expect(await Promise.race([early, new Promise((resolve) => setTimeout(resolve, 300))])).toBeUndefined()

    const stoppedMs = performance.now()
    const stopped = server.stop()
    for (const answer of await Promise.all(waiting)) expectProblem(answer, 'SHUTTING_DOWN')
    expect(performance.now() - stoppedMs).toBeLessThan(9_000)
    await stopped
    const admin = new Redis(redis.port)
    closing.push(() => admin.disconnect())
    expect(await admin.hget('gone:{stop}:round:led', 'f')).toBe('1')
  })

  it.each([
    ['dead', (redis: TestRedis) => redis.kill()],
    ['silent', (redis: TestRedis) => redis.pause()],
  ])('ends in time when its Redis is %s', async (_, begin) => {
    const { server, redis } = await startWorld()
    await prepare(server)
    const waiting = ['elect/known/led?wait=25s', 'elect/new/b'].map((path) => api(server, path))
    await waiting[1]
    await begin(redis)
    const startedMs = performance.now()
    await server.stop()
    expect(performance.now() - startedMs).toBeLessThan(8_000)
    expect((await waiting[0])?.status).toBeOneOf([500, 503])
  })
})
