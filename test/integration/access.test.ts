import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import type { ErrorCode } from '../../src/errors.ts'
import { RedisFleet } from '../../src/store/fleet/redis-fleet.ts'
import { VERSION } from '../../src/version.ts'
import { runCli } from '../support/cli.ts'
import { makeKey, revokeKey, type TestKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { type Call, expectProblem, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { snapshotOf } from '../support/snapshot.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const ELECT = '/api/v1/elect/team-blue/round'

let server: TestServer
let all: TestKey
let reader: TestKey
let blue: TestKey
let submitter: TestKey
let expired: TestKey
let admin: TestKey
let before: Awaited<ReturnType<typeof snapshotOf>>

beforeAll(async () => {
  const redis = await startRedis()
  all = await makeKey(redis)
  admin = await makeKey(redis, { actions: ['admin'] })
  reader = await makeKey(redis, { actions: ['read'] })
  blue = await makeKey(redis, { systems: ['team-blue', 'blue-*'] })
  submitter = await makeKey(redis, { actions: ['submit'], systems: ['mail-*-out'] })
  expired = await makeKey(redis, { expiresAtMs: Date.now() - 1 })
  server = await startTestServer({ redis })
  before = await snapshotOf(redis)
})

afterAll(async () => {
  await server.stop()
  await server.redis.stop()
})

const paths = (system: string): Call[] => [
  ...['elect', 'elected', 'complete', 'completed'].flatMap((step) => [
    { path: `/api/v1/${step}/${system}/round` },
    { method: 'POST', path: `/api/v1/${step}/${system}/round` },
  ]),
  ...['fail', 'renew', 'submit', 'cancel', 'retry'].map((step) => ({
    method: 'POST',
    path: `/api/v1/${step}/${system}/round`,
  })),
  { path: `/api/v1/rounds/${system}/round` },
  { path: `/api/v1/rounds?system=${system}` },
]
const everyPath: Call[] = [...paths('team-blue'), { path: '/api/v1/rounds' }, { path: '/metrics' }]
const pages: Call[] = ['/board', '/board/api/queues', '/docs', '/docs/json', '/docs/static/index.css'].map(
  (path) => ({ path }),
)

async function expectRefused(call: Call, code: ErrorCode): Promise<string> {
  const answer = await send(server.url, call)
  const detail = expectProblem(answer, code)
  expect(answer.headers['www-authenticate']).toBe(code === 'UNAUTHORIZED' ? 'Bearer realm="gone"' : undefined)
  return detail
}

describe('without a key that is known', () => {
  const wrong: [string, () => Record<string, string | string[]>][] = [
    ['no key', () => ({})],
    ['an empty one', () => ({ authorization: '' })],
    ['a scheme without a key', () => ({ authorization: 'Bearer' })],
    ['a key without its scheme', () => ({ authorization: all.text })],
    [
      'another scheme',
      () => ({ authorization: `Basic ${Buffer.from(`gone:${all.text}`).toString('base64')}` }),
    ],
    ['an unknown key', () => ({ authorization: `Bearer gone_0123456789ab_${'A'.repeat(43)}` })],
    ['another secret of a known id', () => ({ authorization: `Bearer gone_${all.id}_${'A'.repeat(43)}` })],
    [
      'its last character changed',
      () => ({ authorization: `Bearer ${changed(all.text, all.text.length - 1)}` }),
    ],
    ['its first character changed', () => ({ authorization: `Bearer ${changed(all.text, 18)}` })],
    ['another case', () => ({ authorization: `Bearer ${all.text.toUpperCase()}` })],
    ['a key cut short', () => ({ authorization: `Bearer ${all.text.slice(0, -1)}` })],
    ['a key and more', () => ({ authorization: `Bearer ${all.text}A` })],
    ['a key and a path', () => ({ authorization: `Bearer ${all.text}/../x` })],
    ['a key in quotes', () => ({ authorization: `Bearer "${all.text}"` })],
    ['two keys in one header', () => ({ authorization: `Bearer ${all.text}, Bearer ${reader.text}` })],
    ['two headers', () => ({ authorization: [`Bearer ${all.text}`, `Bearer ${reader.text}`] })],
    ['the same header twice', () => ({ authorization: [`Bearer ${all.text}`, `Bearer ${all.text}`] })],
    ['the id alone', () => ({ authorization: `Bearer ${all.id}` })],
    ['a prototype for an id', () => ({ authorization: 'Bearer __proto__' })],
    ['an expired key', () => expired.headers],
    ['a key in the header of a proxy', () => ({ 'proxy-authorization': `Bearer ${all.text}` })],
    ['a key in a header of its own', () => ({ 'x-api-key': all.text })],
    ['a key as the token', () => ({ 'gone-candidate': all.text })],
    ['a key in a cookie', () => ({ cookie: `gone-session=${all.text}` })],
    ['a forged session', () => ({ cookie: `gone-session=v1.${all.id}.9999999999.${'A'.repeat(43)}` })],
    ['forged headers of a proxy', () => ({ 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '127.0.0.1' })],
    [
      'a forged user',
      () => ({ 'x-forwarded-user': 'admin', 'remote-user': 'admin', 'x-remote-user': 'admin' }),
    ],
    ['an address to rewrite to', () => ({ 'x-original-url': '/healthz', 'x-rewrite-url': '/healthz' })],
    ['a method to override with', () => ({ 'x-http-method-override': 'GET' })],
  ]

  it.each(wrong)('401 everywhere: %s', async (_, headers) => {
    for (const call of [...everyPath, ...pages]) {
      const detail = await expectRefused({ ...call, headers: headers() }, 'UNAUTHORIZED')
      expect(detail).not.toContain(all.text.slice(18))
    }
  })

  it('401 before a body is looked at', async () => {
    const body = Buffer.alloc(1_000_000, 'x')
    const call = { method: 'POST', path: '/api/v1/submit/team-blue/round', headers: JSON_TYPE, body }
    await expectRefused(call, 'UNAUTHORIZED')
  })

  it('answers a key in the query like any other parameter, and never by what it opens', async () => {
    await expectRefused({ path: `${ELECT}?key=${all.text}` }, 'UNAUTHORIZED')
    await expectRefused({ path: `${ELECT}?access_token=${all.text}` }, 'UNAUTHORIZED')
    await expectRefused({ path: `${ELECT}?key=${all.text}`, headers: all.headers }, 'INVALID_PARAMETER')
  })

  it('is asked for none by probes', async () => {
    expect((await send(server.url, { path: '/healthz' })).status).toBe(200)
    expect((await send(server.url, { path: '/readyz' })).status).toBe(200)
  })

  it('sends people to the login', async () => {
    for (const path of ['/board', '/docs', '/board/queue/rounds?status=failed']) {
      const answer = await send(server.url, { path, headers: { accept: 'text/html' } })
      expect([answer.status, answer.headers.location]).toEqual([
        302,
        `/login?next=${encodeURIComponent(path)}`,
      ])
    }
  })
})

describe('with a key that does not permit it', () => {
  const denied: [string, () => TestKey, Call[]][] = [
    [
      'elect, with a key to read',
      () => reader,
      paths('team-blue').filter(({ path }) => /elect\/|complete\/|fail|renew/.test(path)),
    ],
    [
      'submit, with a key to read',
      () => reader,
      [{ method: 'POST', path: '/api/v1/submit/team-blue/round' }],
    ],
    [
      'read, with a key to submit',
      () => submitter,
      [{ path: '/api/v1/rounds/mail-a-out/round' }, { path: '/api/v1/elected/mail-a-out/round' }],
    ],
    ['another system', () => blue, paths('team-green')],
    ['a longer name', () => blue, paths('team-blue-2')],
    ['another case', () => blue, paths('Team-blue')],
    ['a pattern for a name', () => blue, paths('*')],
    ['an escaped prefix', () => blue, paths('%62lue')],
    [
      'the middle of a pattern alone',
      () => submitter,
      [{ method: 'POST', path: '/api/v1/submit/mail-out/round' }],
    ],
    [
      'another end than the pattern',
      () => submitter,
      [{ method: 'POST', path: '/api/v1/submit/mail-a-outside/round' }],
    ],
    [
      'all systems',
      () => blue,
      [
        { path: '/api/v1/rounds' },
        { path: '/metrics' },
        { path: '/board/api/queues' },
        { path: '/docs/json' },
      ],
    ],
    ['two systems at once', () => blue, [{ path: '/api/v1/rounds?system=team-blue&system=team-green' }]],
  ]

  it.each(denied)('403: %s', async (_, key, calls) => {
    expect(calls.length).toBeGreaterThan(0)
    for (const call of calls) {
      const detail = await expectRefused({ ...call, headers: key().headers }, 'FORBIDDEN')
      expect(detail).toContain(`the key ${key().id} does not permit`)
    }
  })

  it('403 for changes on the board, and for pages of other origins before that', async () => {
    const call: Call = { method: 'PUT', path: '/board/api/queues/rounds/clean/completed' }
    const origin = server.url
    await expectRefused({ ...call, headers: reader.headers }, 'FOREIGN_ORIGIN')
    await expectRefused(
      { ...call, headers: { ...admin.headers, origin: 'http://evil.example' } },
      'FOREIGN_ORIGIN',
    )
    await expectRefused({ ...call, headers: { ...reader.headers, origin } }, 'FORBIDDEN')
    await expectRefused({ ...call, headers: { ...all.headers, origin } }, 'FORBIDDEN')
    await expectRefused({ ...call, headers: { origin } }, 'UNAUTHORIZED')
    // The board itself is read-only here.
    expect((await send(server.url, { ...call, headers: { ...admin.headers, origin } })).status).toBe(405)
  })
})

// After all that was refused, and before anything is let in.
it('has changed no byte in Redis', async () => {
  expect(await snapshotOf(server.redis)).toEqual(before)
})

describe('with a key', () => {
  it('does what it permits, where it permits it', async () => {
    const ask = async (key: TestKey, call: Call) =>
      (await send(server.url, { ...call, headers: { ...JSON_TYPE, ...key.headers } })).status
    expect(await ask(blue, { path: ELECT })).toBe(202)
    expect(await ask(all, { path: ELECT })).toBe(204)
    expect(await ask(reader, { path: '/api/v1/elected/team-blue/round' })).toBe(200)
    expect(await ask(blue, { path: '/api/v1/rounds?system=team-blue' })).toBe(200)
    expect(await ask(blue, { path: '/api/v1/elect/blue-/1' })).toBe(202)
    expect(await ask(blue, { path: '/api/v1/elect/blue-1/1' })).toBe(202)
    expect(await ask(submitter, { method: 'POST', path: '/api/v1/submit/mail-a-out/1' })).toBe(202)
    expect(await ask(reader, { path: '/api/v1/rounds' })).toBe(200)
    expect(await ask(reader, { path: '/metrics' })).toBe(200)
    expect(await ask(admin, { path: '/api/v1/elect/any/1' })).toBe(202)
    for (const call of pages) expect([call.path, await ask(reader, call)]).toEqual([call.path, 200])
  })

  it('is told that a path takes another method, or is none, as without', async () => {
    await expectRefused({ method: 'DELETE', path: ELECT }, 'METHOD_NOT_ALLOWED')
    await expectRefused({ path: '/api/v1/nothing' }, 'NOT_FOUND')
  })

  it('is let in by another server within 10 s of its making, and by none 10 s after its end', async () => {
    const other = await startTestServer({ redis: server.redis })
    const key = await makeKey(server.redis)
    const statuses = async () =>
      Promise.all(
        [server, other].map(
          async ({ url }) => (await send(url, { path: '/api/v1/rounds', headers: key.headers })).status,
        ),
      )
    await expect.poll(statuses, { timeout: 45_000, interval: 200 }).toEqual([200, 200])
    await revokeKey(server.redis, key)
    await expect.poll(statuses, { timeout: 45_000, interval: 200 }).toEqual([401, 401])
    await other.stop()
  })

  it('is what the SDK shows, and is told in a code why not', async () => {
    const client = createClient({ url: server.url, key: blue.text })
    expect(await client.elect('blue-sdk', '1')).toMatchObject({ leads: true })
    await expect(client.elect('green', '1')).rejects.toMatchObject({ code: 'FORBIDDEN' })
    const nobody = createClient({ url: server.url })
    await expect(nobody.elect('blue-sdk', '1')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    const sent = () => createClient({ url: server.url, key: 'gone_a\r\nX: y' })
    expect(sent).toThrow(/^key: expected an API key, gone_[^\n]*$/)
  })

  it('describes in OpenAPI how it is shown', async () => {
    const answer = await send(server.url, { path: '/docs/json', headers: reader.headers })
    const api = JSON.parse(answer.text) as {
      security: object[]
      components: { securitySchemes: Record<string, { type: string; scheme: string }> }
      paths: Record<string, Record<string, { security?: object[]; responses: object }>>
    }
    expect(api.components.securitySchemes.key).toMatchObject({ type: 'http', scheme: 'bearer' })
    expect(api.security).toEqual([{ key: [] }])
    expect(api.paths['/healthz']?.get?.security).toEqual([])
    expect(Object.keys(api.paths['/api/v1/elect/{system}/{round}']?.get?.responses ?? {})).toContain('403')
  })
})

describe('without any key', () => {
  it('needs none on loopback, until there is one, and one from then on', async () => {
    const fresh = await startTestServer()
    expect((await send(fresh.url, { path: ELECT })).status).toBe(202)
    const key = await makeKey(fresh.redis)
    const status = async (headers = {}) => (await send(fresh.url, { path: ELECT, headers })).status
    await expect.poll(() => status(), { timeout: 45_000, interval: 200 }).toBe(401)
    expect(await status(key.headers)).toBe(204)
    await revokeKey(fresh.redis, key)
    await expect.poll(() => status(key.headers), { timeout: 45_000, interval: 200 }).toBe(401)
    expect(await status()).toBe(401)
    await fresh.stop()
  })

  it('is not open again after a restart, until a command says so', async () => {
    const redis = await startRedis()
    const status = async (headers = {}) => {
      const fresh = await startTestServer({ redis })
      const answer = await send(fresh.url, { path: '/api/v1/rounds', headers })
      await fresh.stop()
      return answer.status
    }
    const disable = (...args: string[]) => runCli(['key', 'disable', '--redis', redis.url, ...args])
    const key = await makeKey(redis)
    expect(await status()).toBe(401)
    expect(await disable('--yes')).toMatchObject({
      code: 1,
      stdout: 'there is 1 key; revoke what is left first\n',
    })
    await revokeKey(redis, key)
    expect([await status(), await status(key.headers)]).toEqual([401, 401])
    expect(await disable()).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/^with --yes whoever can reach/),
    })
    expect(await status()).toBe(401)
    expect(await disable('--yes')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^disabled: whoever/),
    })
    expect(await status()).toBe(200)
    await redis.stop()
  })

  it('does not start where others could reach it, unless told to', async () => {
    const redis = await startRedis()
    const start = (env: Record<string, string>) => startTestServer({ redis, env })
    await expect(start({ GONE_KEYS: 'required' })).rejects.toThrow(
      /^GONE_KEYS: .*no(ne)?.*gone key create.*GONE_KEYS=optional[^\n]*$/,
    )
    await expect(start({ GONE_HOST: '0.0.0.0' })).rejects.toThrow(/listening on 0\.0\.0\.0 needs an API key/)
    await (await start({ GONE_KEYS: 'optional' })).stop()
    await makeKey(redis)
    const required = await start({ GONE_KEYS: 'required' })
    expect((await send(required.url, { path: ELECT })).status).toBe(401)
    await required.stop()
    await redis.stop()
  })
})

describe('a rate limit', () => {
  it('holds for an address and for a key, and says when to come again', async () => {
    const redis = await startRedis()
    const key = await makeKey(redis)
    const limited = await startTestServer({
      redis,
      env: { GONE_RATE_LIMIT: '1', GONE_TRUSTED_PROXIES: '127.0.0.1' },
    })
    const from = (address: string, headers = {}, path = '/api/v1/rounds') =>
      send(limited.url, { path, headers: { 'x-forwarded-for': address, ...headers } })
    for (let n = 0; n < 10; n += 1) expect((await from('10.0.0.1')).status).toBe(401)
    expectProblem(await from('10.0.0.1'), 'RATE_LIMITED')
    for (let n = 0; n < 10; n += 1) expect((await from(`10.0.1.${n}`, key.headers)).status).toBe(200)
    expect(expectProblem(await from('10.0.2.1', key.headers), 'RATE_LIMITED')).toContain(key.id)
    expect((await from('10.0.2.2')).status).toBe(401)
    // Of one customer's IPv6 addresses, and of one address however it is written, there are not two.
    for (let n = 0; n < 10; n += 1) expect((await from(`2001:db8::${n + 1}`)).status).toBe(401)
    expectProblem(await from('2001:0DB8::ffff:1'), 'RATE_LIMITED')
    expect((await from('2001:db8:0:1::1')).status).toBe(401)
    for (const path of ['/', '/nothing', '/board', '/docs', '/login', '/metrics'])
      expect([path, (await from('10.0.0.1', {}, path)).status]).toEqual([path, 429])
    await limited.stop()
    await redis.stop()
  })
})

describe('a key that may work for one worker', () => {
  it('speaks for no instance of another worker, and for none that is a process of gone', async () => {
    const redis = await startRedis()
    const mine = await makeKey(redis, { actions: ['work'], workers: ['a'] })
    const others = await makeKey(redis, { actions: ['work'], workers: ['b'] })
    const at = await startTestServer({ redis })
    const pulse = (id: string, worker: string, more: object, key: TestKey) =>
      send(at.url, {
        method: 'POST',
        path: '/api/v1/fleet/pulse',
        headers: { ...JSON_TYPE, ...key.headers },
        body: JSON.stringify({ id, host: 'x', workers: [{ name: worker }], ...more }),
      })
    const client = new Redis(redis.url)
    const fleet = new RedisFleet(client)
    const facts = {
      id: 'process-of-a',
      workers: [{ name: 'a', slots: 1 }],
      release: '41',
      region: 'eu',
      host: 'eu-a',
      pid: 1,
      version: VERSION,
      mode: 'registered',
    } as const
    await fleet.pulse([{ id: facts.id, facts, known: 0 }], 60_000)
    expect((await pulse('http-of-b', 'b', { version: VERSION }, others)).status).toBe(200)
    const { nowMs } = await fleet.latest()
    const task = { verb: 'unregister' } as const
    const waiting = { kind: 'waiting', atMs: nowMs, detail: '' } as const
    await fleet.order(
      {
        id: 'order-1',
        task,
        actor: 'ops',
        reason: '',
        selection: '',
        givenAtMs: nowMs,
        untilMs: nowMs + 60_000,
        outcomes: { 'process-of-a': waiting, 'http-of-b': waiting },
      },
      60_000,
    )
    const reports = [{ order: 'order-1', outcome: 'done' }]
    for (const id of ['process-of-a', 'http-of-b'])
      for (const more of [{}, { mode: 'ended' }, { reports }])
        expectProblem(await pulse(id, 'a', more, mine), 'FORBIDDEN')
    expect((await fleet.instance('process-of-a')).instance).toMatchObject({ host: 'eu-a' })
    expect((await fleet.instance('http-of-b')).instance?.workers).toMatchObject([{ name: 'b' }])
    const { order } = await fleet.orderRecord('order-1')
    expect(Object.values(order?.outcomes ?? {}).map(({ kind }) => kind)).toEqual(['waiting', 'waiting'])
    expect((await pulse('http-of-b', 'b', { mode: 'ended', reports }, others)).status).toBe(200)
    expect((await fleet.instance('http-of-b')).instance?.end).toMatchObject({ kind: 'ended' })
    client.disconnect()
    await at.stop()
    await redis.stop()
  })
})

describe('a key for some workers', () => {
  it('submits to those alone, by itself or by a schedule, whoever made that', async () => {
    const redis = await startRedis()
    const some = await makeKey(redis, { actions: ['submit', 'read'], workers: ['mail', 'web-*'] })
    const any = await makeKey(redis)
    const at = await startTestServer({ redis })
    const ask = (key: TestKey, method: string, path: string, body?: object) =>
      send(at.url, {
        method,
        path: `/api/v1/${path}`,
        headers: { ...JSON_TYPE, ...key.headers },
        ...(body && { body: JSON.stringify(body) }),
      })
    const daily = (worker?: string) => ({ every: '24h', job: worker === undefined ? {} : { worker } })
    const past = { from: '2026-11-20T00:00:00Z', to: '2026-11-21T00:00:00Z' }

    expect((await ask(some, 'POST', 'submit/a/1', { worker: 'mail' })).status).toBe(202)
    expect((await ask(some, 'POST', 'submit/a/2', { worker: 'web-1' })).status).toBe(202)
    expect((await ask(some, 'PUT', 'schedules/a/mine', daily('mail'))).status).toBe(201)
    expect((await ask(any, 'PUT', 'schedules/a/shell', daily('shell'))).status).toBe(201)
    const seen = await snapshotOf(redis)
    for (const [method, path, body] of [
      ['POST', 'submit/a/3', { worker: 'shell' }],
      ['POST', 'submit/a/3', { worker: 'Mail' }],
      ['POST', 'submit/a/3', {}],
      ['PUT', 'schedules/a/other', daily('shell')],
      ['PUT', 'schedules/a/mine', daily('mail2')],
      ['PUT', 'schedules/a/other', daily()],
      ['POST', 'schedules/a/shell/trigger', {}],
      ['POST', 'schedules/a/shell/backfill', past],
      ['POST', 'schedules/a/shell/resume', undefined],
    ] as const)
      expect(expectProblem(await ask(some, method, path, body), 'FORBIDDEN')).toMatch(
        new RegExp(`^the key ${some.id} does not permit to submit to the worker [\\w]+$`),
      )
    expect(await snapshotOf(redis)).toEqual(seen)
    expect((await ask(some, 'POST', 'schedules/a/shell/pause')).status).toBe(200)
    expect((await ask(some, 'GET', 'schedules/a/shell')).status).toBe(200)
    await at.stop()
    await redis.stop()
  })

  it('gives up calls of those alone, whatever worker it names', async () => {
    const redis = await startRedis()
    const [some, any] = [
      await makeKey(redis, { actions: ['submit'], workers: ['mail'] }),
      await makeKey(redis),
    ]
    const at = await startTestServer({ redis })
    const ask = (key: TestKey, method: string, path: string, body?: object) =>
      send(at.url, {
        method,
        path: `/api/v1/call/a/${path}`,
        headers: { ...JSON_TYPE, ...key.headers },
        ...(body && { body: JSON.stringify(body) }),
      })
    expect((await ask(any, 'POST', 'shell?request=token&wait=1ms', { queue: true })).status).toBe(202)
    expectProblem(await ask(some, 'DELETE', 'shell?request=token'), 'FORBIDDEN')
    expect(expectProblem(await ask(some, 'DELETE', 'mail?request=token'), 'NOT_LED')).toMatch(
      /: no call of mail was made with this token$/,
    )
    expect((await ask(any, 'POST', 'shell?request=token&wait=1ms', { queue: true })).status).toBe(202)
    expect((await ask(any, 'DELETE', 'shell?request=token')).status).toBe(200)
    await at.stop()
    await redis.stop()
  })
})

describe('who has done it', () => {
  const cancelledBy = async ({ url }: TestServer, authorization: string) => {
    const ask = async (path: string) =>
      (await send(url, { method: 'POST', path: `/api/v1/${path}`, headers: { authorization } })).text
    await ask('submit/who/1')
    return /"cancelled by ([^"]*)"/.exec(await ask('cancel/who/1'))?.[1]
  }

  it('is the key that was let in, however its header was written', async () => {
    const redis = await startRedis()
    const key = await makeKey(redis)
    const at = await startTestServer({ redis })
    expect(await cancelledBy(at, `bearer   ${key.text} `)).toBe(key.id)
    await at.stop()
    await redis.stop()
  })

  it('is an address where no key was needed, whatever was shown', async () => {
    const at = await startTestServer()
    const anybodys = `gone_0123456789ab_${'A'.repeat(43)}`
    expect(await cancelledBy(at, `Bearer ${anybodys}`)).toMatch(/^127\.0\.0\.1:\d+$/)
    await at.stop()
  })
})

describe('the share of a key', () => {
  const ask = (url: string, key: TestKey, method: string, path: string, body?: object) =>
    send(url, {
      method,
      path: `/api/v1/${path}`,
      headers: { ...JSON_TYPE, ...key.headers },
      ...(body && { body: JSON.stringify(body) }),
    })

  it('of schedules and of expectations is one of all servers, and free again when they are removed', async () => {
    const redis = await startRedis()
    const [few, other] = [await makeKey(redis, { shares: { schedules: 2 } }), await makeKey(redis)]
    const [one, two] = [await startTestServer({ redis }), await startTestServer({ redis })]
    const raw = new Redis(redis.url)
    for (const [kind, body] of [
      ['schedules', { every: '24h' }],
      ['expectations', { every: '24h', grace: '1m' }],
    ] as const) {
      const put = (server: TestServer, name: string, key = few) =>
        ask(server.url, key, 'PUT', `${kind}/a/${name}`, body)
      expect((await put(one, '1')).status).toBe(201)
      expect((await put(two, '2')).status).toBe(201)
      for (const server of [one, two])
        expect(expectProblem(await put(server, '3'), 'QUOTA_EXCEEDED')).toBe(
          `the key ${few.id} has its share of ${kind}: 2`,
        )
      expect((await ask(one.url, other, 'GET', `${kind}/a/3`)).status).toBe(404)
      expect([(await put(one, '1')).status, (await put(one, '3', other)).status]).toEqual([200, 201])
      expect((await ask(one.url, few, 'DELETE', `${kind}/a/1`)).status).toBe(204)
      expect((await put(two, '4')).status).toBe(201)
      // What another key has removed is found when it is looked for.
      expect((await ask(one.url, other, 'DELETE', `${kind}/a/2`)).status).toBe(204)
      expectProblem(await put(two, '5'), 'QUOTA_EXCEEDED')
      await raw.zadd(`gone:{~shares}:${few.id}:${kind}`, 1, '1 a~2')
      await expect.poll(async () => (await put(two, '5')).status, { timeout: 45_000 }).toBe(201)
    }
    await revokeKey(redis, few)
    expect(await raw.keys(`gone:{~shares}:${few.id}:*`)).toEqual([])
    raw.disconnect()
    await Promise.all([one.stop(), two.stop()])
    await redis.stop()
  })

  it('of the data of jobs holds until they end, and counts no job twice', async () => {
    const redis = await startRedis()
    const key = await makeKey(redis, { shares: { queuedBytes: 3_000 } })
    const at = await startTestServer({ redis })
    const raw = new Redis(redis.url)
    const submit = (round: string, bytes: number) =>
      ask(at.url, key, 'POST', `submit/a/${round}`, { worker: 'mail', data: 'x'.repeat(bytes) })
    expect((await submit('1', 2_000)).status).toBe(202)
    expect((await submit('1', 2_000)).status).toBe(200)
    expect((await submit('2', 1)).status).toBe(202)
    expect(expectProblem(await submit('3', 1_000), 'QUOTA_EXCEEDED')).toBe(
      `the key ${key.id} has its share of bytes of data of jobs that have not ended: 3000`,
    )
    expectProblem(await submit('3', 3_001), 'QUOTA_EXCEEDED')
    expect((await ask(at.url, key, 'GET', 'rounds/a/3')).status).toBe(404)
    await expect.poll(() => raw.exists('{gone}:mail:a~1')).toBe(1)
    await raw.zadd(`gone:{~shares}:${key.id}:queuedBytes`, 1, '2002 mail/a~1')
    await new Promise((resolve) => setTimeout(resolve, 1_100)) // looked for once a second
    expectProblem(await submit('3', 1_000), 'QUOTA_EXCEEDED')
    await raw.hset('{gone}:mail:a~1', 'finishedOn', '1')
    await raw.zadd(`gone:{~shares}:${key.id}:queuedBytes`, 1, '2002 mail/a~1')
    await expect.poll(async () => (await submit('3', 1_000)).status, { timeout: 45_000 }).toBe(202)
    // It is counted no more, and has no room: but it makes no job, as it has ended.
    expect((await submit('1', 2_000)).status).toBe(200)
    expectProblem(await submit('4', 2_000), 'QUOTA_EXCEEDED')
    raw.disconnect()
    await at.stop()
    await redis.stop()
  })

  it('of the data of jobs is taken anew by a round that is opened again, and not by one that is not', async () => {
    const redis = await startRedis()
    const small = await makeKey(redis, { shares: { queuedBytes: 1_500 } })
    const other = await makeKey(redis)
    const at = await startTestServer({ redis })
    const raw = new Redis(redis.url)
    const counted = () => raw.zrange(`gone:{~shares}:${small.id}:queuedBytes`, 0, '-1')
    const job = (bytes: number) => ({ worker: 'mail', data: 'x'.repeat(bytes) })
    expect((await ask(at.url, other, 'POST', 'submit/a/large', job(2_000))).status).toBe(202)
    expect((await ask(at.url, other, 'POST', 'submit/a/fits', job(1_000))).status).toBe(202)
    await expect.poll(() => raw.exists('{gone}:mail:a~large', '{gone}:mail:a~fits')).toBe(2)
    // It has not ended, so nothing is made anew, and nothing counted.
    expectProblem(await ask(at.url, small, 'POST', 'retry/a/fits'), 'ROUND_NOT_ENDED')
    expect(await counted()).toEqual([])
    for (const round of ['large', 'fits'])
      expect((await ask(at.url, other, 'POST', `cancel/a/${round}`)).status).toBe(200)
    expect(expectProblem(await ask(at.url, small, 'POST', 'retry/a/large'), 'QUOTA_EXCEEDED')).toBe(
      `the key ${small.id} has its share of bytes of data of jobs that have not ended: 1500`,
    )
    expect((await ask(at.url, other, 'GET', 'rounds/a/large')).text).toContain('"failed"')
    expect((await ask(at.url, small, 'POST', 'retry/a/fits')).status).toBe(200)
    expect(await counted()).toEqual(['1002 mail/a~fits'])
    expectProblem(await ask(at.url, small, 'POST', 'submit/a/next', job(600)), 'QUOTA_EXCEEDED')
    expect((await ask(at.url, other, 'POST', 'retry/a/large')).status).toBe(200)
    raw.disconnect()
    await at.stop()
    await redis.stop()
  })

  it('of the data of jobs is taken by what a schedule is asked to submit, and not by what was submitted before', async () => {
    const redis = await startRedis()
    const [small, other] = [await makeKey(redis, { shares: { queuedBytes: 2_500 } }), await makeKey(redis)]
    const at = await startTestServer({ redis })
    const raw = new Redis(redis.url)
    const counted = () => raw.zcard(`gone:{~shares}:${small.id}:queuedBytes`)
    const schedule = { every: '1h', job: { worker: 'mail', data: 'x'.repeat(1_000) } }
    expect((await ask(at.url, other, 'PUT', 'schedules/a/s', schedule)).status).toBe(201)
    const backfill = (key: TestKey, to: string) =>
      ask(at.url, key, 'POST', 'schedules/a/s/backfill', { from: '2025-01-01T00:00:00Z', to })
    const trigger = (key: TestKey, id: string) => ask(at.url, key, 'POST', 'schedules/a/s/trigger', { id })

    expect((await backfill(other, '2025-01-01T03:00:00Z')).status).toBe(202)
    expect((await backfill(small, '2025-01-01T03:00:00Z')).status).toBe(202)
    expect(await counted()).toBe(0)
    expect((await backfill(small, '2025-01-01T04:00:00Z')).status).toBe(202)
    expect(await counted()).toBe(1)
    expect((await trigger(small, '1')).status).toBe(202)
    expect((await trigger(small, '1')).status).toBe(202)
    expect(await counted()).toBe(2)
    for (const refused of [await trigger(small, '2'), await backfill(small, '2025-01-01T05:00:00Z')])
      expect(expectProblem(refused, 'QUOTA_EXCEEDED')).toBe(
        `the key ${small.id} has its share of bytes of data of jobs that have not ended: 2500`,
      )
    expect((await ask(at.url, other, 'GET', 'rounds/a/s+2')).status).toBe(404)
    expect((await trigger(other, '2')).status).toBe(202)
    // Its round is there, whoever has asked for it.
    expect((await trigger(small, '2')).status).toBe(202)
    const call = (key: TestKey, token: string) =>
      ask(at.url, key, 'POST', `call/a/mail?request=${token}&wait=1ms`, {
        data: schedule.job.data,
        queue: true,
        timeout: '10m',
      })
    expectProblem(await call(small, '1'), 'QUOTA_EXCEEDED')
    expect((await call(other, '1')).status).toBe(202)
    expect((await call(small, '1')).status).toBe(202)
    expect(await counted()).toBe(2)
    raw.disconnect()
    await at.stop()
    await redis.stop()
  })

  it('of submissions and of requests is a rate, and says when to come again', async () => {
    const redis = await startRedis()
    const slow = await makeKey(redis, { shares: { submissions: 2 } })
    const rare = await makeKey(redis, { shares: { rate: 1 } })
    const at = await startTestServer({ redis })
    const submit = (round: string) => ask(at.url, slow, 'POST', `submit/a/${round}`, {})
    expect([(await submit('1')).status, (await submit('2')).status]).toEqual([202, 202])
    const refused = await submit('3')
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([
      429,
      {
        code: 'RATE_LIMITED',
        detail: `too many submissions with the key ${slow.id}: its share of submissions, 2 a minute`,
      },
    ])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(1)
    expect((await ask(at.url, slow, 'GET', 'rounds')).status).toBe(200)
    expect((await ask(at.url, slow, 'PUT', 'schedules/a/s', { every: '1h' })).status).toBe(201)
    expect((await ask(at.url, slow, 'POST', 'schedules/a/s/trigger')).status).toBe(429)
    expect((await ask(at.url, slow, 'POST', 'schedules/a/s/backfill', {})).status).toBe(400)

    const answers = await Promise.all(Array.from({ length: 12 }, () => ask(at.url, rare, 'GET', 'rounds')))
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited.length).toBeGreaterThan(0)
    for (const answer of limited)
      expect(expectProblem(answer, 'RATE_LIMITED')).toBe(
        `too many requests with the key ${rare.id}: its share of requests, 1 a second`,
      )
    await at.stop()
    await redis.stop()
  })

  it('of the requests that wait leaves room for those of others, and says which share it was', async () => {
    const redis = await startRedis()
    const [greedy, other] = [await makeKey(redis), await makeKey(redis)]
    const shared = await startTestServer({ redis })
    const path = '/api/v1/rounds/shared/1?wait=30s'
    const ask = (key: TestKey, to = path, method = 'GET') =>
      send(shared.url, { method, path: to, headers: key.headers })
    expect((await ask(other, '/api/v1/elect/shared/1', 'POST')).status).toBe(202)
    const waits = Array.from({ length: 260 }, () => ask(greedy))
    await expect
      .poll(async () => (await ask(greedy, '/api/v1/rounds/shared/1?wait=1ms')).status, { timeout: 45_000 })
      .toBe(429)
    const answer = await ask(greedy, '/api/v1/rounds/shared/1?wait=1ms')
    expect(expectProblem(answer, 'RATE_LIMITED')).toMatch(
      /the key [0-9a-f]{12} wait here already: its share of waits/,
    )
    expect((await ask(other, '/api/v1/rounds/shared/1?wait=1ms')).status).toBe(200)
    expect((await ask(greedy, '/api/v1/rounds/shared/1')).status).toBe(200)
    expect((await ask(other, '/api/v1/complete/shared/1', 'POST')).status).toBe(200)
    const statuses = (await Promise.all(waits)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(250)
    expect(statuses.filter((status) => status === 429)).toHaveLength(10)
    await shared.stop()
    await redis.stop()
  })
})

it('a listener to the fleet takes one of the waits of its key, as a stream and otherwise', async () => {
  const redis = await startRedis()
  const key = await makeKey(redis, { actions: ['read'], shares: { waits: 1 } })
  const shared = await startTestServer({ redis })
  const path = '/api/v1/fleet/events'
  const ask = (to: string) => send(shared.url, { path: to, headers: key.headers })
  const leaving = new AbortController()
  const headers = { ...key.headers, accept: 'text/event-stream' }
  const stream = await fetch(`${shared.url}${path}`, { headers, signal: leaving.signal })
  expect(stream.status).toBe(200)
  expectProblem(await ask(`${path}?wait=10ms`), 'RATE_LIMITED')
  expect((await ask(path)).status).toBe(200)
  leaving.abort()
  const waits = async () => (await ask(`${path}?wait=10ms`)).status
  await expect.poll(waits, { timeout: 30_000 }).toBe(200)
  await shared.stop()
  await redis.stop()
})

it('the time is told to whoever asks, by whatever name, and nothing else is', async () => {
  const redis = await startRedis()
  await makeKey(redis)
  const locked = await startTestServer({ redis })
  const headers = { host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'cross-site' }
  const slot = await send(locked.url, { path: '/api/v1/slot?every=1h', headers })
  expect([slot.status, slot.headers['access-control-allow-origin']]).toEqual([200, undefined])
  expectProblem(await send(locked.url, { path: '/api/v1/rounds', headers }), 'FOREIGN_ORIGIN')
  await locked.stop()
  await redis.stop()
})

function changed(text: string, index: number): string {
  return `${text.slice(0, index)}${text[index] === 'A' ? 'B' : 'A'}${text.slice(index + 1)}`
}
