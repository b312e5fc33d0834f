import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/index.ts'
import { runCli } from '../support/cli.ts'
import { send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer({ env: { GONE_RATE_LIMIT: '1', GONE_ALLOWED_HOSTS: 'gone.example.com' } })
})

afterAll(() => server.stop())

/** Something that answers every request so, and counts them. */
async function startOther(status: number, headers: Record<string, string>, body = '') {
  const seen: string[] = []
  const other: Server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    response.writeHead(status, headers).end(body)
  }).listen(0, '127.0.0.1')
  await once(other, 'listening')
  return {
    url: `http://127.0.0.1:${(other.address() as AddressInfo).port}`,
    seen,
    stop: () => other.close().closeAllConnections(),
  }
}

describe('a redirect', () => {
  const calls: Readonly<Record<string, (client: GoneClient) => Promise<unknown>>> = {
    elect: (client) => client.elect('a', '1'),
    complete: (client) => client.complete('a', '1', { result: 7 }),
    fail: (client) => client.fail('a', '1', { reason: 'x' }),
    renew: (client) => client.renew('a', '1'),
    submit: (client) => client.submit('a', '1'),
    round: (client) => client.round('a', '1'),
    'schedules.put': (client) => client.schedules.put('a', 'b', { every: '1h' }),
  }

  it.each(Object.entries(calls))('of %s is an error, and is not followed', async (_, call) => {
    const target = await startOther(200, {})
    const proxy = await startOther(301, { location: `${target.url}/api/v1/elect/a/1` })
    const client = createClient({ url: proxy.url, key: 'gone_secret' })
    await expect(call(client)).rejects.toMatchObject({
      code: 'CONFIG',
      message: `url: ${proxy.url} redirects to ${target.url}; expected the address of the server itself`,
    })
    expect([proxy.seen.length, target.seen.length]).toEqual([1, 0])
    target.stop()
    proxy.stop()
  })

  it.each([
    [302, 'https://gone.example.com/below/api/v1/elect/a/1?x=1', 'to https://gone.example.com/below;'],
    [303, '//other.example/', 'to http://other.example/;'],
    [307, '/login', /to http:\/\/127\.0\.0\.1:\d+\/login;/],
    [308, 'https://sso.example/authorize?state=secret', 'to https://sso.example/authorize;'],
    [301, '', /redirects to http:\/\/127/],
    [304, undefined, 'elsewhere;'],
  ])('with %i to %s names where it points', async (status, location, named) => {
    const proxy = await startOther(status, location === undefined ? {} : { location })
    await expect(createClient({ url: proxy.url }).elect('a', '1')).rejects.toThrow(named)
    const run = await runCli(['elect', 'a', '1', '--server', proxy.url])
    expect([run.code, run.stderr]).toEqual([2, expect.stringMatching(named)])
    proxy.stop()
  })
})

describe('HEAD', () => {
  it.each(['/healthz', '/readyz', '/metrics', '/board', '/docs', '/docs/json', '/login', '/logout'])(
    'of %s answers as GET does, without a body',
    async (path) => {
      const own = await startTestServer({ redis: server.redis })
      const [head, get] = [await send(own.url, { method: 'HEAD', path }), await send(own.url, { path })]
      expect([head.status, head.headers['content-type'], head.text]).toEqual([
        get.status,
        get.headers['content-type'],
        '',
      ])
      await own.stop()
    },
  )

  it.each([
    'elect/a/head',
    'elected/a/head',
    'complete/a/head',
    'completed/a/head',
    'rounds/a/head',
    'rounds',
  ])('of %s is refused', async (path) => {
    const own = await startTestServer({ redis: server.redis })
    const head = await send(own.url, { method: 'HEAD', path: `/api/v1/${path}` })
    expect([head.status, head.headers.allow]).toEqual([405, expect.not.stringContaining('HEAD')])
    expect((await send(own.url, { path: '/api/v1/rounds/a/head' })).status).toBe(404)
    await own.stop()
  })
})

describe('a rate limit', () => {
  it('is not for the probes, and is for all else', async () => {
    const ask = (path: string, method = 'GET') => send(server.url, { path, method })
    for (const path of ['/healthz', '/readyz'])
      for (let n = 0; n < 40; n += 1) expect((await ask(path, n % 2 === 0 ? 'GET' : 'HEAD')).status).toBe(200)
    const others = ['/metrics', '/api/v1/rounds', '/api/v1/elected/a/limit']
    const statuses = await Promise.all(others.flatMap((path) => Array.from({ length: 15 }, () => ask(path))))
    expect(statuses.filter(({ status }) => status === 429).length).toBeGreaterThan(30)
  })
})

describe('a page', () => {
  it.each([
    ['gone.example.com:443', 'https://gone.example.com', true],
    ['gone.example.com:80', 'http://gone.example.com', true],
    ['gone.example.com', 'https://gone.example.com:443', true],
    ['GONE.example.com:443', 'https://gone.example.com', true],
    ['gone.example.com:8443', 'https://gone.example.com:8443', true],
    ['gone.example.com:443', 'http://gone.example.com', false],
    ['gone.example.com:80', 'https://gone.example.com', false],
    ['gone.example.com:8443', 'https://gone.example.com', false],
    ['gone.example.com', 'https://gone.example.com.evil.example', false],
    ['gone.example.com', 'null', false],
  ])('of the host %s with the origin %s is this server: %s', async (host, origin, isOwn) => {
    const own = await startTestServer({
      redis: server.redis,
      env: { GONE_ALLOWED_HOSTS: 'gone.example.com', GONE_BOARD: 'read-write' },
    })
    const path = '/board/api/queues/rounds/pause'
    const answer = await send(own.url, { method: 'PUT', path, headers: { host, origin } })
    expect(answer.status).toBe(isOwn ? 200 : 403)
    await own.stop()
  })
})

describe('gone ready', () => {
  const portOf = (url: string) => new URL(url).port

  it('asks the server of its environment', async () => {
    expect(await runCli(['ready'], { GONE_PORT: portOf(server.url) })).toMatchObject({
      code: 0,
      stdout: 'ready\n',
    })
    const round = ['elected', 'a', 'own']
    expect(await runCli(round, { GONE_PORT: portOf(server.url) })).toMatchObject({ code: 1 })
  })

  it.each([
    [200, 'ok', {}, 'answered 200, but not as a gone server'],
    [200, '{"status":"ok"}', {}, 'answered 200, but not as a gone server'],
    [301, '', { location: '/elsewhere' }, 'answered 301, but not as a gone server'],
    [503, '{"status":"unready","trouble":"Redis is away"}', {}, 'not ready: Redis is away'],
  ])('does not take an answer of %i with %s for ready', async (status, body, headers, said) => {
    const other = await startOther(status, headers, body)
    const run = await runCli(['ready'], { GONE_PORT: portOf(other.url) })
    expect([run.code, run.stdout]).toEqual([1, expect.stringContaining(said)])
    expect(other.seen).toEqual(['GET /readyz'])
    other.stop()
  })
})
