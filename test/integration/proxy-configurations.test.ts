import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeKey } from '../support/keys.ts'
import { type ProxyName, startProxy as startRealProxy, stopProxies } from '../support/proxies.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { askSecurely, selfSigned } from '../support/self-signed.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { ROOT } from '../support/snippets.ts'

const PAGE = readFileSync(join(ROOT, 'docs/proxies.md'), 'utf8')

const blocksOf = (language: string, page = PAGE) =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map(([, text = '']) => text)

/** The configurations on the page in this language: first all of it, last what TLS changes. */
function snippets(language: string): readonly [all: string, tls: string] {
  const found = blocksOf(language)
  const [all, tls] = [found[0], found.at(-1)]
  if (all === undefined || tls === undefined || all === tls)
    throw new Error(`docs/proxies.md lacks ${language}`)
  return [all, tls]
}

/** The configuration on the page, for these ports. */
function configuration(language: string, listen: number, upstream: number): string {
  return on(snippets(language)[0], listen, upstream)
}

const on = (text: string, listen: number, upstream: number) =>
  text.replaceAll('8000', String(listen)).replaceAll('8080', String(upstream))

/** The same with TLS, as the page says, by the certificate in this folder. */
const SECURED: Record<ProxyName, (all: string, tls: string) => string> = {
  nginx: (all, tls) => all.replace(/listen 8000;\n/, tls),
  caddy: (all, tls) => all.replace('http://127.0.0.1:8000 {\n', `https://localhost:8000 {\n${tls}`),
  haproxy: (all, tls) => all.replace(/bind 127\.0\.0\.1:8000\n/, tls),
}

type Name = ProxyName
const LANGUAGES: Record<Name, string> = { nginx: 'nginx', caddy: 'caddyfile', haproxy: 'haproxy' }
const NAMES = Object.keys(LANGUAGES) as Name[]

const startProxy = (name: Name, upstream: number, change = (text: string) => text): Promise<string> =>
  startRealProxy(name, (port) => change(configuration(LANGUAGES[name], port, upstream)))

/** Takes requests, and breaks the connection in place of an answer; the first `good` on each it answers. */
async function startForgetful(good = 0) {
  const seen: string[] = []
  const server = createServer((socket) => {
    let answered = 0
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      const line = chunk.toString().split('\r\n')[0] ?? ''
      if (line.includes('/readyz'))
        return void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
      seen.push(line)
      answered += 1
      if (answered <= good) socket.write('HTTP/1.1 204 No Content\r\n\r\n')
      else socket.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, seen, stop: () => server.close() }
}

let server: TestServer
/** One that needs a key. */
let locked: TestServer
let redis: TestRedis
let key: string
let certificate: string

beforeAll(async () => {
  const env = { GONE_TRUSTED_PROXIES: '127.0.0.1', GONE_BOARD: 'read-write' }
  server = await startTestServer({ env })
  redis = await startRedis()
  key = (await makeKey(redis, { actions: ['admin'] })).text
  locked = await startTestServer({ env, redis })
  certificate = await selfSigned()
})

afterAll(async () => {
  await stopProxies()
  await server.stop()
  await locked.stop()
  await redis.stop()
  await rm(certificate, { recursive: true })
})

describe.each(NAMES)('behind %s as docs/proxies.md sets it up', (name) => {
  let url: string

  beforeAll(async () => {
    url = await startProxy(name, Number(new URL(server.url).port))
  })

  it.each(['GET', 'POST'])(
    'a round is led once, by %s, and its leader is shown by its own address',
    async (method) => {
      const path = `/api/v1/elect/${name}/${method}`
      // Nobody but the proxy says where a request came from.
      const headers = { 'x-forwarded-for': '203.0.113.9' }
      expect((await send(url, { method, path, headers })).status).toBe(202)
      expect((await send(url, { method, path })).status).toBe(204)
      const leader = await send(url, { path: `/api/v1/elected/${name}/${method}` })
      expect(leader.text).toMatch(/^127\.0\.0\.1:\d+$/)
    },
  )

  it('a loser stands by until its time is up', async () => {
    const path = `/api/v1/elect/${name}/wait`
    await send(url, { method: 'POST', path })
    const waited = await send(url, { method: 'POST', path: `${path}?wait=2s` })
    expect(waited.status).toBe(204)
    expect(waited.tookMs).toBeGreaterThan(1_900)
  })

  it('the board takes changes from its own page, by the address that the browser knows', async () => {
    const path = '/board/api/queues/rounds/pause'
    const change = (origin: string) => send(url, { method: 'PUT', path, headers: { origin } })
    expect((await change(url)).status).toBe(200)
    expect((await change('https://evil.example')).status).toBe(403)
  })

  it('with TLS, cookies are for TLS only, and changes come from https of the host', async () => {
    const [all, tls] = snippets(LANGUAGES[name])
    const secured = SECURED[name](all, tls.replaceAll('/etc/ssl', certificate))
    expect(secured).toContain(certificate)
    const upstream = Number(new URL(locked.url).port)
    const { port } = new URL(await startRealProxy(name, (listen) => on(secured, listen, upstream)))
    const ask = (method: string, path: string, headers: Record<string, string>, body = '') =>
      askSecurely(certificate, port, { method, path, headers, body })
    const origin = `https://localhost:${port}`
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const body = new URLSearchParams({ key }).toString()
    const { status, cookie } = await ask('POST', '/login', { ...form, origin }, body)
    expect([status, cookie]).toEqual([
      303,
      expect.stringMatching(/^__Host-gone-session=.*; Path=\/;.*; Secure$/),
    ])
    const pause = (from: Record<string, string>) =>
      ask('PUT', '/board/api/queues/rounds/pause', { cookie: cookie.split(';')[0] ?? '', ...from })
    expect((await pause({ origin })).status).toBe(200)
    expect((await pause({ origin: `https://localhost:${Number(port) + 1}` })).status).toBe(403)
    expect((await pause({ origin: 'https://evil.example' })).status).toBe(403)
  })

  it.each(['GET', 'POST'])('a %s whose answer is lost is not repeated', async (method) => {
    // The second request goes on the connection that the first has opened, where the proxy keeps it.
    for (const good of [0, 1]) {
      const forgetful = await startForgetful(good)
      const proxy = await startProxy(name, forgetful.port)
      // Some answer 502, some break the connection to the caller too.
      for (let n = 0; n <= good; n += 1)
        await send(proxy, { method, path: `/api/v1/elect/a/${n}` }).catch(() => undefined)
      expect(forgetful.seen.filter((line) => line.includes(`/a/${good} `))).toHaveLength(1)
      forgetful.stop()
    }
  })
})

it('behind nginx below a path as docs/proxies.md sets it up, pages and calls are taken by the name that was asked for', async () => {
  const below = await startTestServer({
    redis,
    env: { GONE_TRUSTED_PROXIES: '127.0.0.1', GONE_BASE_PATH: '/gone', GONE_ALLOWED_HOSTS: 'jobs.example' },
  })
  const [block = ''] = blocksOf('nginx', PAGE.slice(PAGE.indexOf('## Below a path'), PAGE.indexOf('## TLS')))
  const beside = (text: string) => text.replace('  location / {', `${block}  location / {`)
  const proxy = await startProxy('nginx', Number(new URL(below.url).port), beside)
  const headers = { host: 'jobs.example', authorization: `Bearer ${key}` }
  const ask = (method: string, path: string, more: Record<string, string> = {}) =>
    send(proxy, { method, path, headers: { ...headers, ...more } })
  expect((await ask('POST', '/gone/api/v1/elect/below/1')).status).toBe(202)
  expect((await ask('GET', '/gone/api/v1/elected/below/1')).text).toMatch(/^127\.0\.0\.1:\d+$/)
  expect((await ask('GET', '/gone/board')).status).toBe(200)
  const form = { 'content-type': 'application/x-www-form-urlencoded', origin: 'http://jobs.example' }
  const body = new URLSearchParams({ key }).toString()
  const login = await send(proxy, {
    method: 'POST',
    path: '/gone/login',
    headers: { host: 'jobs.example', ...form },
    body,
  })
  expect([login.status, login.headers['set-cookie']?.[0]]).toEqual([
    303,
    expect.stringContaining('Path=/gone;'),
  ])
  await below.stop()
})

it('behind nginx that compresses, a schedule is replaced by whoever has seen it', async () => {
  const gzip = (text: string) =>
    text.replace(
      '  location / {',
      '  gzip on; gzip_types application/json; gzip_min_length 1; gzip_proxied any;\n  location / {',
    )
  const proxy = await startProxy('nginx', Number(new URL(server.url).port), gzip)
  const path = '/api/v1/schedules/zipped/hourly'
  const put = (every: string, headers: Record<string, string> = {}) =>
    send(proxy, {
      method: 'PUT',
      path,
      headers: { 'content-type': 'application/json', ...headers },
      body: `{"every":"${every}","job":{}}`,
    })
  expect((await put('1h')).status).toBe(201)
  const seen = await send(proxy, { path, headers: { 'accept-encoding': 'gzip' } })
  const etag = String(seen.headers.etag)
  expect(etag).toMatch(/^W\/"/)
  expect((await put('2h', { 'if-match': etag })).status).toBe(200)
  expect((await put('3h', { 'if-match': etag })).status).toBe(412)
})

it.each([
  ['GET', 2],
  ['POST', 1],
])('nginx sends a %s whose answer is lost %i times where nothing is said', async (method, times) => {
  const forgetful = await startForgetful()
  const unsaid = (text: string) =>
    text.replace(/server (127\S+;)/, 'server $1 server $1').replace('proxy_next_upstream off;', '')
  const proxy = await startProxy('nginx', forgetful.port, unsaid)
  expect((await send(proxy, { method, path: '/api/v1/elect/a/lost' })).status).toBe(502)
  expect(forgetful.seen).toHaveLength(times)
  forgetful.stop()
})
