import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Finding } from '../../src/cli/doctor/findings.ts'
import { VERSION } from '../../src/version.ts'
import { runCli } from '../support/cli.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

afterAll(() => server.stop())

async function doctor(env: Readonly<Record<string, string>>) {
  const { code, stdout, stderr } = await runCli(['doctor', '--json'], env)
  expect(stderr).toBe('')
  const { isWell, findings } = JSON.parse(stdout) as { isWell: boolean; findings: Finding[] }
  expect(isWell).toBe(code === 0)
  return { code, of: (about: string) => findings.filter((one) => one.about === about) }
}

/** One that says whom it asks for, and asks by the server's own name. It ends with the test. */
async function startProxy(to: string): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    const { method, headers } = incoming
    const named = { ...headers, host: new URL(to).host, 'x-forwarded-for': '203.0.113.9' }
    const asked = request(new URL(incoming.url ?? '/', to), { ...(method && { method }), headers: named })
    asked.on('response', (reply) => {
      outgoing.writeHead(reply.statusCode ?? 502, reply.headers)
      reply.pipe(outgoing)
    })
    incoming.pipe(asked)
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    proxy.close()
    proxy.closeAllConnections()
  })
  return `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
}

describe('gone doctor', () => {
  it('says what it sees of a real Redis and a real server', async () => {
    const found = await doctor({ REDIS_URL: server.redis.url, GONE_URL: server.url })
    expect(found.of('redis')[0]).toMatchObject({
      kind: 'ok',
      detail: expect.stringMatching(/(Redis|Valkey) \d/),
    })
    expect(found.of('server')).toEqual([{ kind: 'ok', about: 'server', detail: `${server.url} is ready` }])
    expect(found.of('versions')).toEqual([
      { kind: 'ok', about: 'versions', detail: `gone ${VERSION} (1 server)` },
    ])
    expect(found.of('proxy')).toEqual([])
  })

  it('asks through a proxy, and says what the server made of that', async () => {
    const found = await doctor({ REDIS_URL: server.redis.url, GONE_URL: await startProxy(server.url) })
    expect(found.code).toBe(1)
    expect(found.of('proxy')).toEqual([
      { kind: 'wrong', about: 'proxy', detail: expect.stringContaining('GONE_TRUSTED_PROXIES=127.0.0.1') },
      { kind: 'wrong', about: 'proxy', detail: expect.stringContaining(`heard ${new URL(server.url).host}`) },
    ])
  })

  it('says what does not answer, and shows no password', async () => {
    const { code, stdout } = await runCli(['doctor'], { REDIS_URL: 'redis://:geheim@127.0.0.1:9' })
    expect(code).toBe(1)
    expect(stdout).toMatch(/^wrong +redis +redis:\/\/:\*\*\*@127\.0\.0\.1:9: Redis is not reachable/m)
    expect(stdout).not.toContain('geheim')
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it.each([
    ['http://127.0.0.1:2', 'http://127.0.0.1:2: no answer: connection refused'],
    ['https://user:geheim@gone.example', 'https://***@gone.example: no answer: '],
    ['nonsense', 'nonsense: no answer: '],
  ])('says why a server that is named does not answer, and so does gone ready: %s', async (url, why) => {
    const found = await doctor({ REDIS_URL: server.redis.url, GONE_URL: url })
    expect(found.of('server')).toEqual([
      { kind: 'wrong', about: 'server', detail: expect.stringContaining(why) },
    ])
    expect(found.code).toBe(1)
    const ready = await runCli(['ready', '--server', url])
    expect(ready).toMatchObject({ code: 1, stdout: expect.stringContaining(`not ready: ${why}`) })
    expect(ready.stdout + JSON.stringify(found.of('server'))).not.toContain('geheim')
  })

  it('finds nothing wrong where none is named and none answers', async () => {
    const found = await doctor({ REDIS_URL: server.redis.url, GONE_PORT: '9' })
    expect(found.of('server')).toEqual([{ kind: 'note', about: 'server', detail: expect.any(String) }])
    expect(found.code).toBe(0)
  })

  it('says what is wrong with the settings', async () => {
    const found = await doctor({ GONE_PORT: 'x' })
    expect(found.code).toBe(1)
    expect(found.of('settings')[0]).toMatchObject({
      kind: 'wrong',
      detail: expect.stringContaining('GONE_PORT'),
    })
  })
})
