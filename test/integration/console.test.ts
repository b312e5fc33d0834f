import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { runCli } from '../support/cli.ts'
import { makeKey, type TestKey } from '../support/keys.ts'
import { silentLog } from '../support/log.ts'
import { startRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { snapshotOf } from '../support/snapshot.ts'

let open: TestServer
let server: TestServer
let keys: Record<'read' | 'submit' | 'elect' | 'operate' | 'admin' | 'blue', TestKey>

beforeAll(async () => {
  open = await startTestServer()
  const redis = await startRedis()
  keys = {
    read: await makeKey(redis, { actions: ['read'] }),
    submit: await makeKey(redis, { actions: ['read', 'submit'] }),
    elect: await makeKey(redis, { actions: ['read', 'elect'] }),
    operate: await makeKey(redis, { actions: ['read', 'operate'] }),
    admin: await makeKey(redis, { actions: ['admin'] }),
    blue: await makeKey(redis, { actions: ['read', 'submit'], systems: ['blue-*'] }),
  }
  server = await startTestServer({ redis })
})

afterAll(async () => {
  await open.stop()
  await server.stop()
  await server.redis.stop()
})

const HTML = { accept: 'text/html' }
const get = (url: string, headers: Record<string, string> = {}) => fetch(url, { headers, redirect: 'manual' })

async function logIn(key: TestKey): Promise<string> {
  const answer = await fetch(`${server.url}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', origin: server.url },
    body: new URLSearchParams({ key: key.text, next: '/' }),
    redirect: 'manual',
  })
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/'])
  return answer.headers.get('set-cookie')?.split(';')[0] ?? ''
}

/**
 * Every byte but those of the sessions, which the log-ins of these tests add to, and of what is told to the board behind the answer to
 * an earlier call.
 */
async function keptBesideSessions(): Promise<Readonly<Record<string, string>>> {
  const kept = Object.entries(await snapshotOf(server.redis))
  return Object.fromEntries(kept.filter(([key]) => !/^gone:sessions$|:outbox$|^\{gone\}:rounds:/.test(key)))
}

describe('the pages of the console', () => {
  it.each([
    '/',
    '/rounds',
    '/rounds/a/b@c',
    '/schedules',
    '/schedules/a/b',
    '/alerts',
    '/fleet',
    '/fleet/pools/a',
    '/keys',
  ])('answer %s to browsers, under a policy that lets nothing in', async (path) => {
    const answer = await get(open.url + path, HTML)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+'; .*require-trusted-types-for 'script'; trusted-types 'none'$/,
    )
    expect(answer.headers.get('cache-control')).toBe('private, no-cache')
    expect(await answer.text()).toContain('<div id="app">')
  })

  it('answer programs as before: the board at /, and no other path', async () => {
    const root = await get(`${open.url}/`)
    expect([root.status, root.headers.get('location')]).toEqual([302, '/board'])
    expect((await get(`${open.url}/rounds`)).status).toBe(404)
    expect((await get(`${open.url}/keys`, { accept: 'application/json' })).status).toBe(404)
  })

  it('send who is not logged in to log in, and back', async () => {
    const answer = await get(`${server.url}/rounds?state=failed`, HTML)
    expect([answer.status, answer.headers.get('location')]).toEqual([
      302,
      '/login?next=%2Frounds%3Fstate%3Dfailed',
    ])
  })

  it('are whole in themselves, sent packed, and not again to a browser that has them', async () => {
    const packed = await get(`${open.url}/`, { ...HTML, 'accept-encoding': 'gzip' })
    const page = await packed.text()
    expect(packed.headers.get('content-encoding')).toBe('gzip')
    expect(Number(packed.headers.get('content-length'))).toBeLessThanOrEqual(60 * 1_024)
    expect(await (await get(`${open.url}/`, { ...HTML, 'accept-encoding': 'identity' })).text()).toBe(page)
    const icons = [...page.matchAll(/ (?:src|href)="([^"]+)"/g)].map(([, path]) => path)
    expect(icons).toEqual(['/console/icon.svg', '/docs'])
    expect((await get(`${open.url}/console/icon.svg`)).status).toBe(200)
    const tag = packed.headers.get('etag') ?? ''
    const again = await get(`${open.url}/rounds`, { ...HTML, 'if-none-match': tag })
    expect([again.status, await again.text()]).toEqual([304, ''])
    // Who is not logged in is sent there, whatever their browser has.
    expect((await get(`${server.url}/rounds`, { ...HTML, 'if-none-match': tag })).status).toBe(302)
  })
})

describe('what the pages ask', () => {
  it('is answered to a session, whose cookie still opens nothing of the API', async () => {
    const cookie = await logIn(keys.read)
    expect((await get(`${server.url}/console/api/rounds`, { cookie })).status).toBe(200)
    expect((await get(`${server.url}/console/api/rounds`)).status).toBe(401)
    expect((await get(`${server.url}/api/v1/rounds`, { cookie })).status).toBe(401)
    for (const path of ['elect/a/1', 'renew/a/1', 'complete/a/1', 'submit/a/1'])
      expect((await get(`${server.url}/console/api/${path}`, { cookie })).status).toBe(404)
    const me = await (await get(`${server.url}/console/api/me`, { cookie })).json()
    expect(me).toMatchObject({
      key: { id: keys.read.id, actions: ['read'] },
      may: { elect: false, submit: false, operate: false },
    })
    expect(JSON.stringify(me)).not.toContain(keys.read.text.slice(18))
  })

  it('takes one of the waits of its key as the stream of a page, for as long as that is open', async () => {
    const key = await makeKey(server.redis, { actions: ['read'], shares: { waits: 1 } })
    await expect
      .poll(async () => (await get(`${server.url}/api/v1/rounds`, key.headers)).status, { timeout: 30_000 })
      .toBe(200)
    const cookie = await logIn(key)
    const look = async () => {
      const leaving = new AbortController()
      const { status } = await fetch(`${server.url}/console/stream`, {
        headers: { cookie },
        signal: leaving.signal,
      })
      return { status, leave: () => leaving.abort() }
    }
    const [first, second] = [await look(), await look()]
    expect([first.status, second.status]).toEqual([200, 429])
    first.leave()
    const again = async () => {
      const { status, leave } = await look()
      leave()
      return status
    }
    await expect.poll(again, { timeout: 30_000 }).toBe(200)
  })

  it('does not let in a key of few systems, not even to its own', async () => {
    const refused = await fetch(`${server.url}/console/api/rounds`, { headers: keys.blue.headers })
    expect(refused.status).toBe(403)
  })

  const BACKFILL = { from: '2026-11-20T00:00:00Z', to: '2026-11-21T00:00:00Z' }
  const asks = [
    ['submit', 'PUT', 'schedules/a/b', { every: '1h', job: { worker: 'w' } }],
    ['submit', 'POST', 'schedules/none/none/preview', { every: '1h', job: { worker: 'w' } }],
    ['submit', 'POST', 'schedules/none/none/pause', undefined],
    ['submit', 'POST', 'schedules/none/none/resume', undefined],
    ['submit', 'POST', 'schedules/none/none/trigger', undefined],
    ['submit', 'POST', 'schedules/none/none/backfill', BACKFILL],
    ['submit', 'DELETE', 'schedules/none/none', undefined],
    ['submit', 'DELETE', 'expectations/none/none', undefined],
    ['submit or elect', 'POST', 'cancel/none/none', { reason: 'asked' }],
    ['submit or elect', 'POST', 'retry/none/none', { reason: 'asked' }],
    ['elect', 'POST', 'fail/a/1', { reason: 'asked' }],
    ['operate', 'POST', 'fleet/orders', { do: 'unregister', all: true, reason: 'asked' }],
    ['operate', 'POST', 'fleet/pools/none/deploy', { release: '42', reason: 'asked' }],
    ['operate', 'POST', 'fleet/pools/none/rollback', undefined],
    ['operate', 'POST', 'fleet/pools/none/scale', { instances: 3, reason: 'asked' }],
  ] as const

  const ask = (
    cookie: string,
    method: string,
    path: string,
    body: unknown,
    headers: Record<string, string> = {},
  ) =>
    fetch(`${server.url}/console/api/${path}`, {
      method,
      headers: {
        cookie,
        origin: server.url,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })

  it.each(asks)(
    'is done for whom %s is permitted, and for nobody else: %s %s',
    async (actions, method, path, body) => {
      const roles = ['read', 'submit', 'elect', 'operate'] as const
      const permitted = roles.filter((who) => actions.split(' or ').includes(who))
      expect(permitted.length).toBeGreaterThan(0)
      for (const who of roles) {
        if (permitted.includes(who)) continue
        const cookie = await logIn(keys[who])
        const before = await keptBesideSessions()
        expect([who, (await ask(cookie, method, path, body)).status]).toEqual([who, 403])
        expect(await keptBesideSessions()).toEqual(before)
      }
      for (const who of [...permitted, 'admin'] as const) {
        const { status } = await ask(await logIn(keys[who]), method, path, body)
        expect([who, [401, 403].includes(status)]).toEqual([who, false])
      }
    },
  )

  it.each(asks)('is refused where no page of ours asks it: for %s, %s %s', async (_, method, path, body) => {
    const cookie = await logIn(keys.admin)
    const before = await keptBesideSessions()
    const refused = [
      await ask(cookie, method, path, body, { origin: 'http://evil.example' }),
      await ask(cookie, method, path, body, { 'sec-fetch-site': 'cross-site' }),
      await ask(cookie, method, path, body, { 'sec-fetch-site': 'same-site' }),
      await ask('', method, path, body),
    ].map(({ status }) => status)
    expect(refused).toEqual([403, 403, 403, 401])
    expect(await keptBesideSessions()).toEqual(before)
  })

  it('is all that changes something and has an address there', async () => {
    const document = await (await get(`${open.url}/docs/json`)).json()
    const { paths } = document as { paths: Record<string, Record<string, unknown>> }
    const changes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).flatMap((method) =>
        method === 'get' ? [] : [[method.toUpperCase(), path] as const],
      ),
    )
    expect(changes.length).toBeGreaterThan(asks.length)
    const there: string[] = []
    for (const [method, path] of changes) {
      const asked = path.replace('/api/v1/', '').replace(/\{\w+\}/g, 'none')
      const { status } = await ask('', method, asked, {})
      if (status !== 404 && status !== 405) there.push(`${method} ${asked}`)
    }
    const known = asks.map(
      ([, method, path]) => `${method} ${path.replace(/\/(?:a\/b|a\/1)$/, '/none/none')}`,
    )
    expect(there.toSorted()).toEqual(known.toSorted())
  })

  it('cancels a round only for whom its kind is permitted: one that was led is not for who may submit', async () => {
    await fetch(`${server.url}/api/v1/elect/c/1`, { headers: keys.elect.headers })
    const tries = []
    for (const who of ['read', 'operate', 'submit', 'elect'] as const)
      tries.push((await ask(await logIn(keys[who]), 'POST', 'cancel/c/1', { reason: 'asked' })).status)
    expect(tries).toEqual([403, 403, 403, 200])
    const round = await fetch(`${server.url}/api/v1/rounds/c/1`, { headers: keys.read.headers })
    expect(await round.json()).toMatchObject({
      state: 'failed',
      completion: { reason: `cancelled by ${keys.elect.id}: asked` },
    })
  })

  it('is asked for by no other page, not to read it either', async () => {
    const cookie = await logIn(keys.read)
    for (const headers of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'http://evil.example' }])
      expect((await get(`${server.url}/console/api/rounds`, { cookie, ...headers })).status).toBe(403)
  })
})

describe('when a key was last used', () => {
  it('is known of all servers, also of those that are gone, until the key is revoked', async () => {
    const { redis } = server
    const [used, unused] = [
      await makeKey(redis, { actions: ['read'] }),
      await makeKey(redis, { actions: ['read'] }),
    ]
    const startMs = Date.now()
    const other = await startTestServer({ redis })
    expect((await get(`${other.url}/api/v1/rounds`, used.headers)).status).toBe(200)
    await other.stop()
    const listed = async () => {
      const answer = await get(`${server.url}/api/v1/keys`, keys.admin.headers)
      const { keys: all } = (await answer.json()) as { keys: { id: string; lastUsedAt?: string }[] }
      return new Map(all.map(({ id, lastUsedAt }) => [id, lastUsedAt]))
    }
    await expect.poll(async () => (await listed()).has(unused.id), { timeout: 45_000 }).toBe(true)
    const last = await listed()
    expect(Date.parse(last.get(used.id) ?? '')).toBeGreaterThanOrEqual(startMs - 1_000)
    expect(last.get(unused.id)).toBeUndefined()
    expect(last.get(keys.admin.id)).toBeDefined()
    expect((await get(`${server.url}/api/v1/keys`, keys.read.headers)).status).toBe(403)
    const env = { REDIS_URL: redis.url }
    const shown = await runCli(['key', 'list'], env)
    expect(shown.stdout).toMatch(new RegExp(`${used.id} .* last used \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\dZ`))
    expect(shown.stdout).not.toMatch(new RegExp(`${unused.id} .* last used`))
    await runCli(['key', 'revoke', used.id], env)
    const client = connect(redis.url, 'waiting', 'uses', silentLog)
    expect(await client.hget('gone:{~keys}:used', used.id)).toBeNull()
    await disconnect(client)
  })
})
