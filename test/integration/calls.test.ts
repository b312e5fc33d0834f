import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient, defineWorker, type GoneError, type WorkerContext } from '../../src/index.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { makeKey, type TestKey } from '../support/keys.ts'
import { silentLog } from '../support/log.ts'
import { startRedis } from '../support/redis.ts'
import { expectProblem } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let server: TestServer
let second: TestServer
let redis: RedisClient

beforeAll(async () => {
  server = await startTestServer()
  second = await startTestServer({ redis: server.redis })
  redis = connect(server.redis.url, 'commands', 'test', silentLog)
})

afterAll(async () => {
  await disconnect(redis)
  await second.stop()
  await server.stop()
})

const client = () => createClient({ url: server.url })
const newWorker = () => `w-${randomUUID().slice(0, 8)}`
const work = (handlers: Parameters<typeof startTestWorkers>[1], options = {}) =>
  startTestWorkers(server.redis, handlers, { attempts: 1, ...options })
const codeOf = (call: Promise<unknown>) =>
  call.then(
    (result) => ({ result }),
    (error) => ({ code: (error as GoneError).code, message: (error as GoneError).message }),
  )

async function post(url: string, path: string, body: object, headers: Record<string, string> = {}) {
  const reply = await fetch(`${url}/api/v1/call/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  return {
    status: reply.status,
    headers: reply.headers,
    text: await reply.clone().text(),
    json: (await reply.json()) as Readonly<Record<string, unknown>>,
  }
}

describe('a call', () => {
  it('answers what the handler returns, of up to 64 KiB', async () => {
    const worker = newWorker()
    const upcase = defineWorker(({ data }: { data: { text: string } }) => data.text.toUpperCase())
    await work({ [worker]: upcase.handler as never })
    const found: string = await client().call<typeof upcase>(worker, { text: 'hello' })
    expect(found).toBe('HELLO')
    const long = 'a'.repeat(50_000)
    expect(await client().call(worker, { text: long })).toBe(long.toUpperCase())
    expect(
      await codeOf(client().call(worker, { text: 'a'.repeat(70_000).slice(0, 15_000).repeat(1) })),
    ).toMatchObject({
      result: expect.any(String),
    })
  })

  it('that fails is answered with the reason, and is no error of HTTP', async () => {
    const worker = newWorker()
    await work({
      [worker]: ({ data }) => {
        if (data === 'big') return 'x'.repeat(70_000)
        throw new Error('no such customer')
      },
    })
    const { status, json } = await post(server.url, `shop/${worker}`, { data: 1 })
    expect([status, json]).toEqual([
      200,
      expect.objectContaining({ outcome: 'failed', reason: 'no such customer', system: 'shop', worker }),
    ])
    expect(await codeOf(client().call(worker, 1))).toEqual({
      code: 'CALL_FAILED',
      message: `${worker}: no such customer`,
    })
    expect(await codeOf(client().call(worker, 'big'))).toMatchObject({
      code: 'CALL_FAILED',
      message: expect.stringContaining('65536'),
    })
  })

  it('is one, however often and to however many servers its token is sent', async () => {
    const worker = newWorker()
    let starts = 0
    await work({ [worker]: () => ++starts })
    const request = randomUUID()
    const send = (url: string) => post(url, `shop/${worker}`, { data: 1 }, { 'gone-request': request })
    const all = await Promise.all([server, second, server, second].map(({ url }) => send(url)))
    expect(all.map(({ status, json }) => [status, json.result])).toEqual(Array(4).fill([200, 1]))
    expect((await send(second.url)).json.result).toBe(1)
    expect(starts).toBe(1)
    const other = await post(server.url, `shop/${worker}`, { data: 2 }, { 'gone-request': request })
    expectProblem(
      { status: other.status, headers: Object.fromEntries(other.headers), text: other.text },
      'CALL_CONFLICT',
    )
  })

  it('to a worker that is not there is refused at once, and waits where that is wanted', async () => {
    const worker = newWorker()
    const startMs = performance.now()
    expect(await codeOf(client().call(worker, 1))).toMatchObject({ code: 'NO_WORKER' })
    expect(performance.now() - startMs).toBeLessThan(10_000)
    const waiting = client().call(worker, 1, { queue: true })
    await work({ [worker]: () => 'there' })
    expect(await waiting).toBe('there')
  })

  it('is counted by its outcome, and timed', async () => {
    const counted = async () => {
      const text = await (await fetch(`${server.url}/metrics`)).text()
      const of = (name: string, outcome: string) =>
        Number(new RegExp(`^${name}\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1])
      const outcomes = ['completed', 'failed', 'givenUp', 'noWorker', 'refused', 'error']
      const calls = outcomes.map((outcome) => of('gone_calls_total', outcome))
      return [...calls, of('gone_call_duration_seconds_count', 'completed')]
    }
    const before = await counted()
    const worker = newWorker()
    expect(await codeOf(client().call(worker, 1))).toMatchObject({ code: 'NO_WORKER' })
    await work({
      [worker]: ({ data }) => (data === 2 ? new Promise(() => {}) : String((data as string).length)),
    })
    const wait = { queue: true, request: randomUUID() } as const
    expect(await client().call(worker, 'a', wait)).toBe('1')
    expect(await codeOf(client().call(worker, 'b', wait))).toMatchObject({ code: 'CALL_CONFLICT' })
    expect(await codeOf(client().call(worker, null, { queue: true }))).toMatchObject({ code: 'CALL_FAILED' })
    const late = client().call(worker, 2, { queue: true, timeout: '200ms' })
    expect(await codeOf(late)).toMatchObject({ code: 'CALL_GIVEN_UP' })
    const after = await counted()
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([1, 1, 1, 1, 1, 0, 1])
  })

  it('goes on after 202, and is asked for again', async () => {
    const worker = newWorker()
    await work({ [worker]: async ({ data }) => new Promise((resolve) => setTimeout(resolve, 300, data)) })
    const headers = { 'gone-request': randomUUID() }
    const first = await post(server.url, `shop/${worker}?wait=50ms`, { data: 7 }, headers)
    expect([first.status, first.json]).toEqual([202, expect.objectContaining({ state: 'led' })])
    expect(first.headers.get('link')).toContain(first.json.link)
    const then = await post(second.url, `shop/${worker}`, { data: 7 }, headers)
    expect([then.status, then.json.result]).toEqual([200, 7])
  })

  it('is told its end by who records it, and looks where that is lost', async () => {
    const worker = newWorker()
    const slow = ({ data }: { readonly data: unknown }) =>
      new Promise((resolve) => setTimeout(resolve, Number(data), data))
    await work({ [worker]: slow })
    expect(await client().call(worker, 1, { queue: true })).toBe(1)
    const subscribed = async () =>
      Number(/cmdstat_subscribe:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0)
    const before = await subscribed()
    for (let n = 0; n < 20; n += 1) expect(await client().call(worker, n)).toBe(n)
    expect(await subscribed()).toBe(before)
    const call = client().call(worker, 600)
    await redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    expect(await call).toBe(600)
    // And once it listens again it is told again.
    expect(await client().call(worker, 2)).toBe(2)
  })

  it('leaves neither job nor entry in the history behind, and a record for an hour', async () => {
    const worker = newWorker()
    await work({ [worker]: () => 1 })
    const { json } = await post(server.url, `quiet/${worker}`, {})
    expect(json.result).toBe(1)
    const keys = await redis.keys('*quiet*')
    const record = keys.find((name) => name.startsWith('gone:{quiet}:') && name.includes('call.')) ?? ''
    expect(await redis.pttl(record)).toBeGreaterThan(3_500_000)
    expect(await redis.pttl(record)).toBeLessThanOrEqual(3_600_000)
    expect(keys.filter((name) => name.includes('history'))).toEqual([])
    expect(await client().rounds({ system: 'quiet' })).toEqual([])
    const jobs = await redis.keys(`*${worker}:quiet~*`)
    expect(jobs).toEqual([])
    const counts = await redis.zcard(`{gone}:${worker}:completed`)
    expect(counts).toBe(0)
  })
})

describe('a call that is given up', () => {
  it('before it was started is never started', async () => {
    const worker = newWorker()
    const startMs = performance.now()
    expect(await codeOf(client().call(worker, 1, { queue: true, timeout: '300ms' }))).toEqual({
      code: 'CALL_GIVEN_UP',
      message: `${worker}: given up: it had no end within 300 ms`,
    })
    expect(performance.now() - startMs).toBeLessThan(10_000)
    let starts = 0
    await work({ [worker]: () => ++starts })
    // A later one is behind it in the queue.
    expect(await client().call(worker, 1)).toBe(1)
    expect(starts).toBe(1)
    expect(await client().rounds({ system: worker })).toEqual([])
  })

  it('while it runs has its handler told, and what that reports refused', async () => {
    const worker = newWorker()
    let reason: unknown
    await work({
      [worker]: async (_: unknown, { signal }: WorkerContext) => {
        await new Promise<void>((end) => signal.addEventListener('abort', () => end()))
        reason = signal.reason
        return 'too late'
      },
    })
    const request = randomUUID()
    const call = client().call(worker, 1, { timeout: '2s', request })
    expect(await codeOf(call)).toMatchObject({ code: 'CALL_GIVEN_UP' })
    await expect.poll(() => String(reason), { timeout: 30_000 }).toMatch(/longer than|failed already/)
    const again = await codeOf(client().call(worker, 1, { timeout: '500ms', request }))
    expect(again).toMatchObject({ code: 'CALL_GIVEN_UP' })
  })

  it('by its caller ends at once', async () => {
    const worker = newWorker()
    const ended = new AbortController()
    const request = randomUUID()
    const call = client().call(worker, 1, { queue: true, request, signal: ended.signal })
    setTimeout(() => ended.abort(new Error('enough')), 200)
    await expect(call).rejects.toThrow('enough')
    await expect
      .poll(async () => {
        const again = await post(
          server.url,
          `${worker}/${worker}?wait=0ms`,
          { data: 1, queue: true },
          { 'gone-request': request },
        )
        return again.json.isGivenUp
      })
      .toBe(true)
    const none = await fetch(`${server.url}/api/v1/call/shop/${worker}?request=none`, { method: 'DELETE' })
    expect(none.status).toBe(404)
  })
})

describe('calls within calls', () => {
  const fibonacci =
    (worker: string) =>
    async ({ data: n }: { data: number }, { call }: WorkerContext): Promise<number> => {
      if (n < 2) return n
      const [a, b] = await Promise.all([call(worker, n - 1), call(worker, n - 2)])
      return (a as number) + (b as number)
    }

  it('are answered, five deep', async () => {
    const worker = newWorker()
    await work({ [worker]: fibonacci(worker) as never }, { concurrency: 16 })
    expect(await client().call(worker, 5)).toBe(5)
    const chain = newWorker()
    await work(
      {
        [chain]: (({ data: n }: { data: number }, { call }: WorkerContext) =>
          n === 0 ? 'deep' : call(chain, n - 1)) as never,
      },
      { concurrency: 16 },
    )
    expect(await client().call(chain, 5)).toBe('deep')
    expect(await codeOf(client().call(chain, 6))).toMatchObject({
      code: 'CALL_FAILED',
      message: expect.stringContaining('calls wait one for the other'),
    })
  }, 60_000)

  it('that could never begin are refused at once', async () => {
    const worker = newWorker()
    await work({ [worker]: fibonacci(worker) as never }, { concurrency: 2 })
    const startMs = performance.now()
    expect(await codeOf(client().call(worker, 4))).toMatchObject({
      code: 'CALL_FAILED',
      message: expect.stringContaining('would never begin'),
    })
    expect(performance.now() - startMs).toBeLessThan(15_000)
    expect(await client().call(worker, 2)).toBe(1)
  }, 60_000)

  it('end with the handler that made them', async () => {
    const [outer, inner] = [newWorker(), newWorker()]
    let reason: unknown
    await work({
      [outer]: (_: unknown, { call }: WorkerContext) => call(inner, 1, { timeout: '1m' }),
      [inner]: async (_: unknown, { signal }: WorkerContext) => {
        await new Promise<void>((end) => signal.addEventListener('abort', () => end()))
        reason = signal.reason
      },
    } as never)
    expect(await codeOf(client().call(outer, 1, { timeout: '500ms' }))).toMatchObject({
      code: 'CALL_GIVEN_UP',
    })
    await expect.poll(() => String(reason), { timeout: 30_000 }).toContain('failed already')
  }, 60_000)
})

describe('a key', () => {
  it('lets its holder call the workers and systems that it names, and give up no other call', async () => {
    const itsRedis = await startRedis()
    const key = await makeKey(itsRedis, { actions: ['submit'], systems: ['shop*'], workers: ['up*'] })
    const reader = await makeKey(itsRedis, { actions: ['read'] })
    const own = await startTestServer({ redis: itsRedis })
    const workers = await startTestWorkers(
      itsRedis,
      { upcase: ({ data }) => String(data).toUpperCase() },
      { attempts: 1 },
    )
    const as = ({ text }: Pick<TestKey, 'text'>) => createClient({ url: own.url, key: text })
    expect(await as(key).call('upcase', 'a', { system: 'shop-1' })).toBe('A')
    const refused = { code: 'FORBIDDEN' }
    expect(await codeOf(as(key).call('upcase', 'a'))).toMatchObject(refused)
    expect(await codeOf(as(key).call('down', 'a', { system: 'shop-1' }))).toMatchObject(refused)
    expect(await codeOf(as(reader).call('upcase', 'a', { system: 'shop-1' }))).toMatchObject(refused)
    const path = `${own.url}/api/v1/call/shop-1/down?request=x`
    expect((await fetch(path, { method: 'DELETE', headers: key.headers })).status).toBe(403)
    await workers.stop()
    await own.stop()
    await itsRedis.stop()
  })
})
