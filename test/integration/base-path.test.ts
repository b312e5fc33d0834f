import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../src/client/client.ts'
import { runCli } from '../support/cli.ts'
import { makeKey } from '../support/keys.ts'
import { startProxy, stopProxies } from '../support/proxies.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { askSecurely, selfSigned } from '../support/self-signed.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const BASE = '/tools/gone'
let open: TestServer
let locked: TestServer
let redis: TestRedis
let key: string
let certificate: string

const SAID = `proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
proxy_set_header X-Forwarded-Host $http_host; proxy_set_header X-Forwarded-For $remote_addr; proxy_set_header X-Forwarded-Proto $scheme;`

/** @param strips whether the proxy leaves the path away */
function below(server: TestServer, strips: boolean, tls = ''): (port: number) => string {
  const upstream = `${server.url}${strips ? '/' : ''}`
  return (port) =>
    `server { listen 127.0.0.1:${port}${tls}; location ${BASE}/ { proxy_pass ${upstream}; ${SAID} } }`
}

beforeAll(async () => {
  certificate = await selfSigned()
  const env = { GONE_BASE_PATH: BASE, GONE_TRUSTED_PROXIES: '127.0.0.1', GONE_BOARD: 'read-write' }
  open = await startTestServer({ env })
  redis = await startRedis()
  key = (await makeKey(redis, { actions: ['admin'] })).text
  locked = await startTestServer({ env, redis })
})

afterAll(async () => {
  await stopProxies()
  await open.stop()
  await locked.stop()
  await redis.stop()
  await rm(certificate, { recursive: true, force: true })
})

describe.each([
  ['strips it', true],
  ['leaves it', false],
])('below a path, of a proxy that %s', (_, strips) => {
  const round = strips ? 'stripped' : 'left'
  let url: string

  beforeAll(async () => {
    url = await startProxy('nginx', below(open, strips))
  })

  it('the SDK and commands ask by the address with the path', async () => {
    const client = createClient({ url: `${url}${BASE}` })
    expect((await client.elect('below', round, { candidate: 'me' })).leads).toBe(true)
    const env = { GONE_URL: `${url}${BASE}/` }
    expect((await runCli(['ready'], env)).stdout).toBe('ready\n')
    expect((await runCli(['elect', 'below', round, '--candidate', 'you'], env)).code).toBe(1)
    expect((await runCli(['complete', 'below', round, '--candidate', 'me'], env)).code).toBe(0)
    expect((await runCli(['ready'], { GONE_URL: url })).stdout).toMatch(
      /^not ready: .* but not as a gone server\n$/,
    )
  })

  it('commands beside the server ask as its settings say', async () => {
    const env = { GONE_PORT: new URL(open.url).port, GONE_BASE_PATH: BASE }
    expect((await runCli(['ready'], env)).stdout).toBe('ready\n')
  })

  it.each([
    ['/', 'location', `${BASE}/board`],
    ['/docs/static/index.html', 'location', `${BASE}/docs/`],
  ])('%s answers with a %s of %s', async (path, header, place) => {
    expect((await send(url, { path: `${BASE}${path}` })).headers[header]).toBe(place)
  })

  it('a submission has a Link, and the OpenAPI document a server, below it', async () => {
    const submitted = await send(url, {
      method: 'POST',
      path: `${BASE}/api/v1/submit/below/${round}-job`,
      headers: { 'content-type': 'application/json' },
      body: '{"worker":"nobody"}',
    })
    expect(submitted.headers.link).toBe(`<${BASE}/api/v1/rounds/below/${round}-job>; rel="describedby"`)
    const document = JSON.parse((await send(url, { path: `${BASE}/docs/json` })).text) as { servers: object }
    expect(document.servers).toEqual([{ url: BASE }])
  })

  it.each(['/', '/board', '/board/queue/rounds', '/docs', '/docs/', '/login', '/logout', '/nowhere'])(
    'each reference on the page %s is below it, and is there',
    async (path) => {
      const page = await send(url, { path: `${BASE}${path}`, headers: { accept: 'text/html' } })
      const references = [...page.text.matchAll(/ (?:href|src|action)="([^"#]+)"/g)].map(([, to = '']) => to)
      const base = new URL(/<base href="([^"]+)"/.exec(page.text)?.[1] ?? `${BASE}${path}`, url)
      for (const reference of references.filter((to) => !/^(?:data|https?):/.test(to))) {
        const { pathname } = new URL(reference, base)
        expect(pathname).toMatch(new RegExp(`^${BASE}/`))
        const { status } = await send(url, { path: pathname, headers: { accept: 'text/html' } })
        expect([pathname, status]).toEqual([pathname, expect.toSatisfy((code: number) => code < 400)])
      }
      if (page.status < 300) expect(references.length).toBeGreaterThan(0)
    },
  )

  it('whoever logs in has a cookie for it alone, and comes back to the page', async () => {
    const proxy = await startProxy('nginx', below(locked, strips))
    const sent = await send(proxy, { path: `${BASE}/board?a=1`, headers: { accept: 'text/html' } })
    expect(sent.headers.location).toBe(`${BASE}/login?next=${encodeURIComponent('/board?a=1')}`)
    const logged = await send(proxy, {
      method: 'POST',
      path: `${BASE}/login`,
      headers: { origin: proxy, 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ key, next: '/board?a=1' }).toString(),
    })
    expect([logged.status, logged.headers.location]).toEqual([303, `${BASE}/board?a=1`])
    expect(String(logged.headers['set-cookie'])).toMatch(
      new RegExp(`^gone-session=[\\w-]{43}; Path=${BASE}; HttpOnly; SameSite=Strict; Max-Age=\\d+$`),
    )
  })

  it('with TLS at the proxy cookies are for TLS only, and changes come from https of the host', async () => {
    const tls = ` ssl; ssl_certificate ${certificate}/gone.crt; ssl_certificate_key ${certificate}/gone.key`
    const { port } = new URL(await startProxy('nginx', below(locked, strips, tls)))
    const ask = (method: string, path: string, headers: Record<string, string>, body = '') =>
      askSecurely(certificate, port, { method, path: `${BASE}${path}`, headers, body })
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    const origin = `https://localhost:${port}`
    const body = new URLSearchParams({ key }).toString()
    const { status, cookie } = await ask('POST', '/login', { ...form, origin }, body)
    expect([status, cookie]).toEqual([
      303,
      expect.stringMatching(
        new RegExp(
          `^__Secure-gone-session=[\\w-]{43}; Path=${BASE}; HttpOnly; SameSite=Strict; Max-Age=\\d+; Secure$`,
        ),
      ),
    ])
    const pause = (from: Record<string, string>) =>
      ask('PUT', '/board/api/queues/rounds/pause', { cookie: cookie.split(';')[0] ?? '', ...from })
    expect((await pause({ origin })).status).toBe(200)
    expect((await pause({ origin: `https://localhost:${Number(port) + 1}` })).status).toBe(403)
    expect((await pause({ origin: 'https://evil.example' })).status).toBe(403)
    expect((await pause({})).status).toBe(403)
    expect((await ask('POST', '/login', { ...form, origin: 'https://evil.example' }, body)).status).toBe(403)
  })
})

it('without the setting nothing is below a path', async () => {
  const plain = await startTestServer()
  expect((await send(plain.url, { path: `${BASE}/readyz` })).status).toBe(404)
  expect((await send(plain.url, { path: '/login' })).headers.location).toBe('/')
  await plain.stop()
})
