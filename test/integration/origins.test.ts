import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { readConfig } from '../../src/config.ts'
import { makeKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { type Call, expectProblem, send, sendBytes } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { snapshotOf } from '../support/snapshot.ts'

type Headers = Readonly<Record<string, string>>

let server: TestServer

beforeAll(async () => {
  server = await startTestServer({ env: { GONE_ALLOWED_HOSTS: 'gone, *.example.com' } })
})

afterAll(() => server.stop())

const JSON_TYPE = { 'content-type': 'application/json' }
const calls: Call[] = [
  { path: '/api/v1/elect/a/b' },
  { method: 'POST', path: '/api/v1/elect/a/b' },
  { path: '/api/v1/complete/a/b' },
  { method: 'POST', path: '/api/v1/fail/a/b' },
  { method: 'POST', path: '/api/v1/cancel/a/b' },
  { method: 'POST', path: '/api/v1/retry/a/b' },
  { method: 'POST', path: '/api/v1/submit/a/b', headers: JSON_TYPE, body: '{"worker":"shell"}' },
  { method: 'PUT', path: '/api/v1/schedules/a/b', headers: JSON_TYPE, body: '{"every":"1m"}' },
  { method: 'DELETE', path: '/api/v1/schedules/a/b' },
  { path: '/api/v1/rounds' },
  { path: '/api/v1/alerts' },
  { path: '/metrics' },
]
const pages: Call[] = ['/board', '/board/api/queues', '/docs', '/docs/json', '/login', '/logout'].map(
  (path) => ({
    path,
  }),
)

async function expectAllRefused(
  all: readonly Call[],
  headers: Headers,
  code: 'FOREIGN_ORIGIN' | 'UNKNOWN_HOST',
) {
  const before = await snapshotOf(server.redis)
  for (const call of all)
    expectProblem(await send(server.url, { ...call, headers: { ...call.headers, ...headers } }), code)
  expect(await snapshotOf(server.redis)).toEqual(before)
}

describe('a page of another site', () => {
  it.each<[string, Headers]>([
    ['an image', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }],
    [
      'a fetch',
      { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', origin: 'https://evil.example' },
    ],
    [
      'another port',
      { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
    ],
    ['a browser that says no more than Origin', { origin: 'https://evil.example' }],
    ['a sandboxed frame', { origin: 'null' }],
    ['an origin that begins like ours', { origin: 'http://127.0.0.1.evil.example' }],
    ['what is no origin', { origin: '127.0.0.1' }],
    ['what no browser says', { 'sec-fetch-site': 'elsewhere' }],
  ])('has no answer and does nothing: %s', async (_, headers) => {
    await expectAllRefused([...calls, ...pages], headers, 'FOREIGN_ORIGIN')
  })

  it('may link to a page, and to nothing else', async () => {
    const link = {
      'sec-fetch-site': 'cross-site',
      'sec-fetch-mode': 'navigate',
      'sec-fetch-dest': 'document',
    }
    await expectAllRefused(calls, link, 'FOREIGN_ORIGIN')
    for (const path of ['/board', '/docs', '/login', '/logout'])
      expect((await send(server.url, { path, headers: link })).status).toBeLessThan(400)
    const framed = { ...link, 'sec-fetch-dest': 'iframe' }
    await expectAllRefused(pages, framed, 'FOREIGN_ORIGIN')
  })

  it('is refused before a body is read', async () => {
    const headers = { ...JSON_TYPE, origin: 'https://evil.example' }
    const call = { method: 'POST', path: '/api/v1/submit/a/b', headers, body: '{' }
    expectProblem(await send(server.url, call), 'FOREIGN_ORIGIN')
  })

  it('is refused also where it has a key', async () => {
    const redis = await startRedis()
    const key = await makeKey(redis, { actions: ['admin'] })
    const keyed = await startTestServer({ redis })
    const headers = { ...key.headers, 'sec-fetch-site': 'cross-site' }
    for (const call of [...calls, ...pages])
      expectProblem(
        await send(keyed.url, { ...call, headers: { ...call.headers, ...headers } }),
        'FOREIGN_ORIGIN',
      )
    await keyed.stop()
    await redis.stop()
  })
})

describe('a name that is not known', () => {
  const port = () => new URL(server.url).port

  it.each([
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '127.0.0.1.nip.io',
    'notgone',
    'example.com',
    '10.0.0.1',
    '0.0.0.0',
    '[::]',
    '[::2]',
    ':8080',
    'evil.example@localhost',
    'localhost:1:2',
  ])('has no answer and does nothing: "%s"', async (host) => {
    await expectAllRefused([...calls, ...pages], { host }, 'UNKNOWN_HOST')
    if (!/:\d/.test(host)) await expectAllRefused(calls, { host: `${host}:${port()}` }, 'UNKNOWN_HOST')
  })

  it.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    '127.0.0.1',
    '127.8.9.1',
    '[::1]',
    'gone',
    'Gone',
    'a.example.com',
    'a.b.example.com',
  ])('is none of these: "%s"', async (host) => {
    for (const name of [host, `${host}:${port()}`, `${host}:1`])
      expect((await send(server.url, { path: '/api/v1/rounds', headers: { host: name } })).status).toBe(200)
  })

  it('is any for probes, which say nothing', async () => {
    for (const path of ['/healthz', '/readyz'])
      expect((await send(server.url, { path, headers: { host: 'evil.example' } })).status).toBe(200)
  })

  it('is no address of a server that listens on all, and is one of a server that listens on one', async () => {
    const start = (host: string) =>
      startTestServer({ redis: server.redis, env: { GONE_HOST: host, GONE_KEYS: 'optional' } })
    const [all, one] = await Promise.all([start('0.0.0.0'), start('127.0.0.2')])
    const status = async ({ url }: TestServer, host: string) =>
      (await send(url, { path: '/api/v1/rounds', headers: { host } })).status
    expect(await status(all, '192.168.1.5:8080')).toBe(200)
    expect(await status(all, '[fd00::5]')).toBe(200)
    expect(await status(all, '0.0.0.0:8080')).toBe(403)
    expect(await status(all, 'evil.example')).toBe(403)
    expect(await status(one, '127.0.0.2:8080')).toBe(200)
    expect(await status(one, '192.168.1.5')).toBe(403)
    await Promise.all([all.stop(), one.stop()])
  })

  it('is asked of nobody who shows a key, and of every page', async () => {
    const redis = await startRedis()
    const key = await makeKey(redis)
    const keyed = await startTestServer({ redis })
    const ask = (path: string, headers: Headers = {}) =>
      send(keyed.url, { path, headers: { host: 'evil.example', ...headers } })
    expect((await ask('/api/v1/rounds', key.headers)).status).toBe(200)
    expectProblem(await ask('/api/v1/rounds'), 'UNAUTHORIZED')
    for (const { path } of pages) expectProblem(await ask(path, key.headers), 'UNKNOWN_HOST')
    await keyed.stop()
    await redis.stop()
  })

  it('is one that is empty', async () => {
    const bytes = 'GET /api/v1/rounds HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n'
    expectProblem(await sendBytes(server.url, bytes), 'UNKNOWN_HOST')
  })

  it('says which setting would make it known', async () => {
    const answer = await send(server.url, { path: '/board', headers: { host: 'board.internal:8080' } })
    expect(expectProblem(answer, 'UNKNOWN_HOST')).toMatch(/got "board\.internal:8080"; GONE_ALLOWED_HOSTS/)
  })
})

it('keeps nobody out who is no browser, nor the pages of this server', async () => {
  expect((await fetch(`${server.url}/api/v1/elect/own/1`)).status).toBe(202)
  expect(await createClient({ url: server.url }).elect('own', '2')).toMatchObject({ leads: true })
  const own = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors', origin: server.url }
  expect((await send(server.url, { method: 'POST', path: '/api/v1/elect/own/3', headers: own })).status).toBe(
    202,
  )
  const typed = { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  expect((await send(server.url, { path: '/api/v1/rounds/own/3', headers: typed })).status).toBe(200)
})

describe('GONE_ALLOWED_HOSTS', () => {
  it.each(['*', '*.', 'http://gone', 'gone:8080', 'gone/', 'a.*.b', '[::1]', 'a b', 'gone.'])(
    'refuses %s',
    (value) => {
      expect(() => readConfig({ GONE_ALLOWED_HOSTS: value })).toThrow(
        /^GONE_ALLOWED_HOSTS: expected names such as gone or \*\.example\.com, without ports, got "[^\n]*"$/,
      )
    },
  )
})
