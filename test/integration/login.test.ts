import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sessionDigest } from '../../src/core/session.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { whenReachable } from '../../src/redis/readiness.ts'
import { RedisSessions } from '../../src/store/redis-sessions.ts'
import { runCli } from '../support/cli.ts'
import { makeKey, type TestKey } from '../support/keys.ts'
import { silentLog } from '../support/log.ts'
import { startRedis } from '../support/redis.ts'
import { type Answer, expectProblem, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { snapshotOf } from '../support/snapshot.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
let server: TestServer
let other: TestServer
let reader: TestKey
let blue: TestKey

beforeAll(async () => {
  const redis = await startRedis()
  reader = await makeKey(redis, { actions: ['read'] })
  blue = await makeKey(redis, { systems: ['blue'] })
  server = await startTestServer({
    redis,
    env: { GONE_TRUSTED_PROXIES: '127.0.0.1', GONE_ALLOWED_HOSTS: 'gone.example' },
  })
  other = await startTestServer({ redis })
})

afterAll(async () => {
  await other.stop()
  await server.stop()
  await server.redis.stop()
})

function post(body: string, headers: Record<string, string | string[]> = {}): Promise<Answer> {
  return send(server.url, {
    method: 'POST',
    path: '/login',
    headers: { ...FORM, origin: server.url, ...headers },
    body,
  })
}

const cookieOf = (answer: Answer) => answer.headers['set-cookie']?.[0]?.split(';')[0] ?? ''

it('counts pages for the key that was logged in with, and notes its use', async () => {
  const [rare, asking] = [
    await makeKey(server.redis, { actions: ['read'], shares: { rate: 1 } }),
    await makeKey(server.redis, { actions: ['admin'] }),
  ]
  const used = async () => {
    const { text } = await send(server.url, { path: '/console/api/keys', headers: asking.headers })
    const { keys } = JSON.parse(text) as { keys?: { id: string; lastUsedAt?: string }[] }
    return keys?.find(({ id }) => id === rare.id)
  }
  await expect.poll(used, { timeout: 30_000 }).toBeDefined()
  const cookie = cookieOf(await post(`key=${rare.text}`))
  expect((await used())?.lastUsedAt).toBeUndefined()
  const look = () => send(server.url, { path: '/docs', headers: { cookie } })
  const answers = await Promise.all(Array.from({ length: 30 }, look))
  const limited = answers.filter(({ status }) => status === 429)
  expect(limited.length).toBeGreaterThan(0)
  expect(limited[0]?.text).toContain(`the key ${rare.id}: its share of requests, 1 a second`)
  await expect.poll(async () => (await used())?.lastUsedAt, { timeout: 30_000 }).toBeDefined()
})

describe('the login', () => {
  it('gives a cookie that every replica takes, for pages and not for the API', async () => {
    const answer = await post(`key=${reader.text}&next=/docs`)
    expect([answer.status, answer.headers.location]).toEqual([303, '/docs'])
    expect(answer.headers['set-cookie']?.[0]).toMatch(
      /^gone-session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
    )
    const cookie = cookieOf(answer)
    for (const { url } of [server, other]) {
      expect((await send(url, { path: '/board', headers: { cookie } })).status).toBe(200)
      // A cookie comes along whoever made the browser ask; an election must not.
      expectProblem(await send(url, { path: '/api/v1/elect/a/b', headers: { cookie } }), 'UNAUTHORIZED')
      expectProblem(await send(url, { path: '/api/v1/rounds', headers: { cookie } }), 'UNAUTHORIZED')
    }
  })

  it('gives a cookie for TLS only where a trusted proxy says that it ends TLS', async () => {
    const secured = await post(`key=${reader.text}`, { 'x-forwarded-proto': 'https' })
    expect(secured.headers['set-cookie']?.[0]).toMatch(/^__Host-gone-session=.*; Secure$/)
    const cookie = cookieOf(secured)
    const board = (headers: Record<string, string>) => send(server.url, { path: '/board', headers })
    expect((await board({ cookie, 'x-forwarded-proto': 'https' })).status).toBe(200)
    expect((await board({ cookie })).status).toBe(401)
    const forged = await send(other.url, {
      method: 'POST',
      path: '/login',
      headers: { ...FORM, origin: other.url, 'x-forwarded-proto': 'https' },
      body: `key=${reader.text}`,
    })
    expect(forged.headers['set-cookie']?.[0]).not.toContain('Secure')
  })

  it('takes the host that a trusted proxy was asked for, and of nobody else', async () => {
    const headers = { origin: 'https://gone.example', 'x-forwarded-host': 'gone.example' }
    expect((await post(`key=${reader.text}`, headers)).status).toBe(303)
    const forged = await send(other.url, {
      method: 'POST',
      path: '/login',
      headers: { ...FORM, ...headers },
      body: `key=${reader.text}`,
    })
    expectProblem(forged, 'FOREIGN_ORIGIN')
  })

  const refused: [string, () => string, Record<string, string | string[]>, number][] = [
    ['no key', () => '', {}, 401],
    ['an empty key', () => 'key=', {}, 401],
    ['an unknown key', () => `key=gone_0123456789ab_${'A'.repeat(43)}`, {}, 401],
    ['a key for one system', () => `key=${blue.text}`, {}, 403],
    ['another origin', () => `key=${reader.text}`, { origin: 'http://evil.example' }, 403],
    ['the origin null', () => `key=${reader.text}`, { origin: 'null' }, 403],
    [
      'an origin that only begins like ours',
      () => `key=${reader.text}`,
      { origin: 'http://127.0.0.1.evil.example' },
      403,
    ],
    ['a form of 1 MB', () => `key=${'a'.repeat(1_000_000)}`, {}, 413],
    ['JSON', () => JSON.stringify({ key: reader.text }), { 'content-type': 'application/json' }, 415],
    ['text', () => `key=${reader.text}`, { 'content-type': 'text/plain' }, 415],
    ['JSON of another origin, unread', () => '{', { ...JSON_TYPE, origin: 'http://evil.example' }, 403],
    ['multipart', () => 'key', { 'content-type': 'multipart/form-data; boundary=a' }, 415],
    ['markup', () => `key=${encodeURIComponent('<script>alert(1)</script>')}`, {}, 401],
  ]

  it.each(refused)('refuses %s, and changes nothing', async (_, body, headers, status) => {
    const before = await snapshotOf(server.redis)
    const answer = await post(body(), headers)
    expect(answer.status).toBe(status)
    expect(answer.headers['set-cookie']).toBeUndefined()
    expect(answer.text).not.toContain('<script>')
    expect(await snapshotOf(server.redis)).toEqual(before)
  })

  it('takes nothing but forms to log out, either', async () => {
    const leave = (headers: Record<string, string>, body: string) =>
      send(server.url, { method: 'POST', path: '/logout', headers: { origin: server.url, ...headers }, body })
    expect((await leave(JSON_TYPE, '{}')).status).toBe(415)
    expect((await leave({ ...JSON_TYPE, origin: 'http://evil.example' }, '{')).status).toBe(403)
    expect((await leave(FORM, '')).status).toBe(303)
  })

  it('reads no body of whoever asks too often', async () => {
    const limited = await startTestServer({ redis: server.redis, env: { GONE_RATE_LIMIT: '1' } })
    const headers = { ...FORM, origin: limited.url }
    const ask = (path: string, body = 'key=') => send(limited.url, { method: 'POST', path, headers, body })
    for (let n = 0; n < 10; n += 1) expect((await ask('/logout')).status).toBe(303)
    // A form too large would be a 413 if it was read.
    expectProblem(await ask('/logout', 'a'.repeat(10_000)), 'RATE_LIMITED')
    expectProblem(await ask('/login', 'a'.repeat(10_000)), 'RATE_LIMITED')
    await limited.stop()
  })

  it.each([
    '//evil.example',
    '///evil.example',
    'https://evil.example/board',
    '/\\evil.example',
    '/board//evil.example',
    '/board/../..//evil.example',
    '/board\r\nlocation: https://evil.example',
    '/board@evil.example',
    'javascript:alert(1)',
    '/logout',
    '',
  ])('leads nowhere else: next=%s', async (next) => {
    const answer = await post(`key=${reader.text}&next=${encodeURIComponent(next)}`)
    expect(answer.status).toBe(303)
    expect(answer.headers.location).toMatch(/^\/(?:board\/.*)?$/)
    expect(new URL(answer.headers.location ?? '', server.url).origin).toBe(server.url)
  })

  it.each([
    '/rounds/a/b%2Fc?span=1h',
    '/expectations/mail/daily',
    '/fleet?host=eu-*,us-*',
    "/schedules?q=it's(new)!",
  ])('leads back to %s', async (next) => {
    const answer = await post(`key=${reader.text}&next=${encodeURIComponent(next)}`)
    expect([answer.status, answer.headers.location]).toEqual([303, next])
  })

  it('sends whoever has logged in where they wanted, and asks once more where a link may have hidden that', async () => {
    const path = '/login?next=%2Fexpectations%2Fa%2Fb'
    const cookie = cookieOf(await post(`key=${reader.text}`))
    const known = await send(server.url, { path, headers: { cookie } })
    expect([known.status, known.headers.location]).toEqual([302, '/expectations/a/b'])
    const by = async (site: string, more = '') =>
      await send(server.url, {
        path: path + more,
        headers: { 'sec-fetch-site': site, 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
      })
    const linked = await by('cross-site')
    expect([linked.status, linked.headers.refresh]).toEqual([
      200,
      '0; url=?next=%2Fexpectations%2Fa%2Fb&again=1',
    ])
    expect((await by('cross-site', '&again=1')).headers.refresh).toBeUndefined()
    for (const site of ['none', 'same-origin']) expect((await by(site)).headers.refresh).toBeUndefined()
    expect((await send(server.url, { path: '/login?next=//evil.example' })).headers.refresh).toBe(
      '0; url=?next=%2F&again=1',
    )
  })

  it('is one of many paths of which none leads to another site', async () => {
    const key = reader.headers
    const bases = ['/', '/board', '/board/static', '/docs', '/docs/static', '/login', '/api', '']
    const ends = [
      '//evil.example',
      '/%2f%2fevil.example',
      '/%5cevil.example',
      '/..//evil.example/%2e%2e',
      '//evil.example/%2f..',
      '/?next=//evil.example',
    ]
    for (const path of bases.flatMap((base) => ends.map((end) => base + end)))
      for (const headers of [{ ...key }, { accept: 'text/html' }]) {
        const { status, headers: answered } = await send(server.url, { path: path || '/', headers })
        if (answered.location === undefined) expect([path, status < 500]).toEqual([path, true])
        else expect([path, new URL(answered.location, server.url).origin]).toEqual([path, server.url])
      }
  })

  it('is a page that runs no script and is shown in no frame', async () => {
    const answer = await send(server.url, { path: '/login?next=%22%3E%3Cscript%3E' })
    expect(answer.headers['content-security-policy']).toMatch(/^default-src 'none'.*frame-ancestors 'none'/)
    expect(answer.headers['x-frame-options']).toBe('DENY')
    expect(answer.text).toContain('value="/"')
    expect(answer.text).not.toContain('<script')
  })
})

describe('a session', () => {
  const logIn = async (key: TestKey) => cookieOf(await post(`key=${key.text}`))
  const board = async (cookie: string, { url } = server) =>
    (await send(url, { path: '/board', headers: { cookie } })).status
  const logOut = (cookie: string) =>
    send(server.url, { method: 'POST', path: '/logout', headers: { ...FORM, origin: server.url, cookie } })

  it('cannot be made by whoever reads all that Redis keeps', async () => {
    const cookie = await logIn(reader)
    const token = cookie.split('=')[1] ?? ''
    expect(JSON.stringify(await snapshotOf(server.redis))).not.toContain(token)
    const kept = (await withRedis((client) => client.hgetall('gone:sessions'))) as Record<string, string>
    for (const [digest, text] of Object.entries(kept))
      for (const forged of [digest, text, `v1.${reader.id}.${Date.now()}.${digest}`])
        expect(await board(`gone-session=${forged}`)).toBe(401)
  })

  it('is over everywhere when its owner logs out, and no other is', async () => {
    const [one, two] = [await logIn(reader), await logIn(reader)]
    expect([await board(one), await board(one, other)]).toEqual([200, 200])
    expect((await logOut(one)).headers['set-cookie']?.[0]).toMatch(/^gone-session=; .*Max-Age=0/)
    expect([await board(one), await board(one, other), await board(two)]).toEqual([401, 401, 200])
  })

  it('is over with its time', async () => {
    const cookie = await logIn(reader)
    const digest = sessionDigest(cookie.split('=')[1] ?? '')
    await withRedis(async (client) => {
      const text = (await client.hget('gone:sessions', digest)) ?? ''
      await client.hset('gone:sessions', digest, text.replace(/\d+$/, String(Date.now() - 1)))
    })
    expect(await board(cookie)).toBe(401)
  })

  it('is over when its key is replaced by another of the same id', async () => {
    const cookie = await logIn(reader)
    const kept = (await withRedis((client) => client.hget('gone:keys', reader.id))) as string
    const rotated = kept.replace(/"h":"[0-9a-f]{64}"/, `"h":"${'0'.repeat(64)}"`)
    await withRedis((client) => client.hset('gone:keys', reader.id, rotated))
    await expect.poll(() => board(cookie), { timeout: 45_000, interval: 200 }).toBe(401)
    await withRedis((client) => client.hset('gone:keys', reader.id, kept))
    await expect.poll(() => board(cookie), { timeout: 45_000, interval: 200 }).toBe(200)
  })

  it('is one of a hundred of a key; the next ends the oldest', async () => {
    const sessions = (client: RedisClient) => new RedisSessions(client)
    await withRedis(async (client) => {
      for (let n = 0; n < 105; n += 1)
        await sessions(client).add({
          digest: `of-blue-${n}`,
          keyId: blue.id,
          keyDigest: 'a',
          untilMs: Date.now() + 60_000 + n,
        })
      const kept = (await sessions(client).list()).filter(({ keyId }) => keyId === blue.id)
      expect(kept.map(({ digest }) => digest)).toContain('of-blue-104')
      expect(kept.map(({ digest }) => digest)).not.toContain('of-blue-4')
      expect(kept).toHaveLength(100)
      expect(await sessions(client).endAll(blue.id)).toBe(100)
    })
  })

  it('is ended by a command, of one key or of all', async () => {
    const cookie = await logIn(reader)
    expect(await runCli(['key', 'sessions', '--end', '--redis', server.redis.url])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ended [1-9]\d* sessions?\n$/),
    })
    expect([await board(cookie), await board(cookie, other)]).toEqual([401, 401])
  })

  async function withRedis<T>(run: (client: RedisClient) => Promise<T>): Promise<T> {
    const client = connect(server.redis.url, 'commands', 'sessions', silentLog)
    try {
      await whenReachable(client, undefined, () => {})
      return await run(client)
    } finally {
      await disconnect(client)
    }
  }
})
