import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openWorkCounter } from '../support/counted-work.ts'
import { makeKey, type TestKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { type Call, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** The limits of docs/security.md, less what else is in the request. */
const URL_CHARS = 4_000
const HEADER_BYTES = 15_000
const BODY_BYTES = 16_000
const SUBMISSION_BYTES = 65_000
const FORM_BYTES = 2_000

let server: TestServer
let key: TestKey
let counter: Awaited<ReturnType<typeof openWorkCounter>>

beforeAll(async () => {
  const redis = await startRedis()
  key = await makeKey(redis, { actions: ['admin'] })
  server = await startTestServer({
    redis,
    env: { GONE_TRUSTED_PROXIES: '127.0.0.1', GONE_RATE_LIMIT: '10000' },
  })
  counter = await openWorkCounter()
})

afterAll(async () => {
  await counter.close()
  await server.stop()
  await server.redis.stop()
})

const JSON_TYPE = { 'content-type': 'application/json' }
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }

/** What is repeated to make a hostile body: each is bad for some way to read JSON. */
const PARTS = ['"\\', '\\"', '[', '[]', '{"a":', '"__proto__":', ' ']

type Hostile = readonly [what: string, limit: number, call: (size: number) => Call]

const bodies = (path: string, method: string, limit: number): Hostile[] =>
  PARTS.map((part) => [
    `${method} ${path} of ${JSON.stringify(part)}`,
    limit,
    (size) => ({ method, path, headers: JSON_TYPE, body: filled(part, size) }),
  ])

/** JSON that can be read, with as much in it as there is room for. */
const data = (what: string, of: (size: number) => unknown): Hostile => [
  `submitted data: ${what}`,
  SUBMISSION_BYTES,
  (size) => {
    const round = `${what.replaceAll(' ', '-')}-${size}`
    const body = JSON.stringify({ data: of(size) })
    return { method: 'POST', path: `/api/v1/submit/a/${round}`, headers: JSON_TYPE, body }
  },
]

const header = (name: string, part: string, path = '/api/v1/elected/a/b'): Hostile => [
  `the header ${name} of ${JSON.stringify(part)} at ${path}`,
  HEADER_BYTES,
  (size) => ({ path, headers: { [name]: filled(part, size) } }),
]

const hostile: Hostile[] = [
  ...bodies('/api/v1/complete/a/b', 'POST', BODY_BYTES),
  ...bodies('/api/v1/submit/a/b', 'POST', SUBMISSION_BYTES),
  ...bodies('/api/v1/schedules/a/b', 'PUT', SUBMISSION_BYTES),
  data('a long list', (size) => Array(size / 2).fill(0)),
  data('lists in a list', (size) => Array(Math.floor(size / 3)).fill([])),
  data('many members', (size) =>
    Object.fromEntries(Array.from({ length: Math.floor(size / 20) }, (_, n) => [`member-${n}`, n])),
  ),
  data('members in the wrong order', (size) =>
    Object.fromEntries(Array.from({ length: Math.floor(size / 20) }, (_, n) => [`member-${size - n}`, n])),
  ),
  data('members called constructor', (size) => Array(Math.floor(size / 18)).fill({ constructor: 1 })),
  data('a long text', (size) => '\u00e9'.repeat(size / 2)),
  ...bodies('/login', 'POST', FORM_BYTES),
  ...bodies('/logout', 'POST', FORM_BYTES),
  ...['&', '=', 'key=&', '%', '%41', '+', 'a'].map(
    (part): Hostile => [
      `a form of ${JSON.stringify(part)}`,
      FORM_BYTES,
      (size) => ({
        method: 'POST',
        path: '/login',
        headers: { ...FORM, origin: server.url },
        body: filled(part, size),
      }),
    ],
  ),
  ...['a', '%C3%A9', '%', '/', '..%2f', '%2F', '.', '~'].map(
    (part): Hostile => [
      `a path of ${JSON.stringify(part)}`,
      URL_CHARS,
      (size) => ({ path: `/api/v1/elected/a/${filled(part, size)}` }),
    ],
  ),
  ...['&', 'wait=1&', 'a', '%41', '=', '+', '%'].map(
    (part): Hostile => [
      `a query of ${JSON.stringify(part)}`,
      URL_CHARS,
      (size) => ({ path: `/api/v1/elected/a/b?${filled(part, size)}` }),
    ],
  ),
  ...['/board/', '/docs/', '/docs/static/', '/board/static/', '/login?next=/board/'].flatMap((page) =>
    ['a', '/', '../', '%2e%2e/', '.'].map(
      (part): Hostile => [
        `a page at ${page} and ${JSON.stringify(part)}`,
        URL_CHARS,
        (size) => ({ path: page + filled(part, size) }),
      ],
    ),
  ),
  header('x-forwarded-for', '127.0.0.1,'),
  header('x-forwarded-for', '['),
  header('x-forwarded-for', ':'),
  header('authorization', 'Bearer '),
  header('authorization', ' '),
  header('gone-candidate', ','),
  header('accept', '*/*,'),
  header('accept', 'text/html;q=0.1,'),
  header('content-type', ';a="\\'),
  header('content-type', 'a/b;'),
  header('cookie', 'gone-session=v1.;', '/board'),
  header('cookie', '=', '/board'),
  header('cookie', ';', '/board'),
  header('origin', 'http://a@', '/board'),
  header('x-forwarded-host', 'a,', '/board'),
  header('accept-encoding', 'gzip,', '/docs/static/index.html'),
  header('if-none-match', '"a",', '/docs/static/index.html'),
  header('range', 'bytes=0-1,', '/docs/static/index.html'),
  ['many headers', 1_000, (size) => ({ path: '/healthz', headers: manyHeaders(size) })],
]

function filled(part: string, size: number): string {
  return part.repeat(Math.floor(size / part.length))
}

function manyHeaders(count: number): Record<string, string> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`x-${n}`, '']))
}

/** What else the server does meanwhile, by the clock: sweeps, renewals, looks at Redis. */
const NOISE_BLOCKS = 3_000
/** Of data each number is looked at twice: whether it can be kept exactly, too. */
const BLOCKS_PER_BYTE = 16

describe('twice as much of what nobody should send makes no more than twice the work', () => {
  it.each(hostile)('%s', async (what, limit, call) => {
    const work = async (size: number) => {
      const { headers, ...rest } = call(size)
      return counter.count(async () => {
        const { status } = await send(server.url, { ...rest, headers: { ...key.headers, ...headers } })
        if (what.startsWith('submitted')) expect(status).toBe(202)
      })
    }
    await work(limit / 4)
    const half = await work(limit / 2)
    const all = await work(limit)
    // Sorting takes a little more.
    expect(all).toBeLessThan(2.2 * half + NOISE_BLOCKS)
    expect(all).toBeLessThan(BLOCKS_PER_BYTE * limit + NOISE_BLOCKS)
  })
})
