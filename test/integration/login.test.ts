import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sessionKeyId, signSession } from '../../src/http/session.ts'
import { makeKey, type TestKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { type Answer, expectProblem, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { snapshotOf } from '../support/snapshot.ts'

const FORM = { 'content-type': 'application/x-www-form-urlencoded' }
let server: TestServer
let other: TestServer
let reader: TestKey
let blue: TestKey

beforeAll(async () => {
  const redis = await startRedis()
  reader = await makeKey(redis, { actions: ['read'] })
  blue = await makeKey(redis, { systems: ['blue'] })
  server = await startTestServer({ redis, env: { GONE_TRUSTED_PROXIES: '127.0.0.1' } })
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

describe('the login', () => {
  it('gives a cookie that every replica takes, for pages and not for the API', async () => {
    const answer = await post(`key=${reader.text}&next=/docs`)
    expect([answer.status, answer.headers.location]).toEqual([303, '/docs'])
    expect(answer.headers['set-cookie']?.[0]).toMatch(
      /^gone-session=v1\.[0-9a-f]{12}\.\d+\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
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
    ['JSON', () => JSON.stringify({ key: reader.text }), { 'content-type': 'application/json' }, 401],
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

  it('is a page that runs no script and is shown in no frame', async () => {
    const answer = await send(server.url, { path: '/login?next=%22%3E%3Cscript%3E' })
    expect(answer.headers['content-security-policy']).toMatch(/^default-src 'none'.*frame-ancestors 'none'/)
    expect(answer.headers['x-frame-options']).toBe('DENY')
    expect(answer.text).toContain('value="/board"')
    expect(answer.text).not.toContain('<script')
  })
})

describe('a session', () => {
  const secret = 'secret'
  const id = '0123456789ab'
  const signed = signSession(id, 2_000, secret)

  it('is known until it is over', () => {
    expect(sessionKeyId(signed, secret, 1_999)).toBe(id)
    expect(sessionKeyId(signed, secret, 2_000)).toBeUndefined()
  })

  it.each([
    ['another secret', signed, 'other'],
    ['another key', signed.replace(id, 'ba9876543210'), secret],
    ['more time', signed.replace('.2.', '.9.'), secret],
    ['no signature', signed.slice(0, -43), secret],
    ['a longer one', `${signed}A`, secret],
    ['nothing', '', secret],
  ])('is nobody with %s', (_, cookie, by) => {
    expect(sessionKeyId(cookie, by, 0)).toBeUndefined()
  })
})
