import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import type { Log } from '../../src/core/rounds/round-ports.ts'
import type { SpanEnd, Tracer } from '../../src/core/tracing.ts'
import type { Access } from '../../src/http/access/access.ts'
import { auditChanges, type Change } from '../../src/http/access/audit.ts'
import { logRequests } from '../../src/http/access/request-log.ts'
import { traceRequests } from '../../src/http/access/trace-requests.ts'
import { makeKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { startTestServer } from '../support/server.ts'

/** Asks, and hangs up with the last byte of it, as `nc -N` does. Returns when the server has closed the connection. */
function askAndHangUp(url: string, lines: readonly string[], body = ''): Promise<void> {
  const { hostname, port, host } = new URL(url)
  const head = [...lines, `host: ${host}`, `content-length: ${body.length}`]
  return new Promise((resolve, reject) => {
    const caller = connect(Number(port), hostname, () => caller.end(`${head.join('\r\n')}\r\n\r\n${body}`))
    caller.once('close', () => resolve())
    caller.once('error', reject)
    caller.resume()
  })
}

it('has a line in the audit log for each change whose caller has hung up before the answer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gone-hung-up-'))
  const path = join(folder, 'audit.log')
  const redis = await startRedis()
  const admin = await makeKey(redis, { actions: ['admin'] })
  const server = await startTestServer({ redis, env: { GONE_AUDIT_LOG: path, GONE_BOARD: 'read-write' } })
  const headers = { ...admin.headers, 'content-type': 'application/json' }
  const put = { method: 'PUT', path: '/api/v1/schedules/a/b', headers, body: '{"every":"1h","job":{}}' }
  expect((await send(server.url, put)).status).toBe(201)
  const key = `authorization: ${admin.headers.authorization}`
  const json = 'content-type: application/json'
  const asked: [string, string, string[], string?][] = [
    ['DELETE', '/api/v1/schedules/a/b', []],
    ['POST', '/api/v1/submit/a/1', [json], '{"data":1}'],
    ['POST', '/api/v1/complete/a/2', []],
    ['GET', '/api/v1/complete/a/3', []],
    ['PUT', '/board/api/queues/rounds/pause', [`origin: ${server.url}`]],
    ['DELETE', '/api/v1/schedules/a/none', []],
  ]
  for (const [method, to, lines, body] of asked)
    await askAndHangUp(server.url, [`${method} ${to} HTTP/1.1`, key, ...lines], body)
  const noted = async () =>
    (await readFile(path, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>)
  const by = (method: string, to: string, status: number) => ({
    time: expect.any(String),
    key: admin.id,
    address: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
    method,
    path: to,
    status,
  })
  const lines = [
    by('PUT', '/api/v1/schedules/a/b', 201),
    by('DELETE', '/api/v1/schedules/a/b', 204),
    by('POST', '/api/v1/submit/a/1', 202),
    by('POST', '/api/v1/complete/a/2', 200),
    by('GET', '/api/v1/complete/a/3', 200),
    by('PUT', '/board/api/queues/rounds/pause', 200),
  ]
  // What is not there was not removed.
  await expect.poll(noted, { timeout: 30_000 }).toHaveLength(lines.length)
  expect(await noted()).toEqual(expect.arrayContaining(lines))
  await server.stop()
  expect(await noted()).toHaveLength(lines.length)
  await redis.stop()
  await rm(folder, { recursive: true })
})

it('has a line as soon as it is answered, and none for what was taken back', async () => {
  const app = Fastify()
  app.decorate('access', { callers: { address: () => '127.0.0.1:1' } } as unknown as Access)
  const changes: Change[] = []
  auditChanges(app, (change) => changes.push(change))
  app.post('/kept', (request, reply) => {
    request.raw.socket.once('close', () => void reply.send('too late'))
  })
  app.post('/taken-back', (request, reply) => {
    request.raw.socket.once('close', () => reply.hijack().raw.destroy())
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  for (const path of ['/taken-back', '/kept']) await askAndHangUp(url, [`POST ${path} HTTP/1.1`])
  const line = { address: '127.0.0.1:1', method: 'POST', path: '/kept', status: 200 }
  await expect.poll(() => changes, { timeout: 30_000 }).toEqual([line])
})

it('is said of in the request log, and ends the span of its round', async () => {
  const app = Fastify()
  app.decorate('access', { callers: { address: () => '127.0.0.1:1' } } as unknown as Access)
  const lines: unknown[] = []
  logRequests(app, {
    debug: (fields: object, msg: string) => lines.push({ ...fields, msg }),
  } as unknown as Log)
  const ends: (SpanEnd | undefined)[] = []
  const tracer: Tracer = { start: () => ({ traceparent: '', end: (how) => void ends.push(how) }) }
  traceRequests(app, tracer)
  // What is asked is answered when the caller has gone.
  app.get('/api/v1/elect/:system/:round', (request, reply) => {
    request.raw.socket.once('close', () => void reply.send('too late'))
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const url = `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`
  await askAndHangUp(url, ['GET /api/v1/elect/a/1 HTTP/1.1'])
  await expect
    .poll(() => lines, { timeout: 30_000 })
    .toEqual([
      {
        method: 'GET',
        path: '/api/v1/elect/a/1',
        ms: expect.any(Number),
        from: '127.0.0.1:1',
        msg: 'asked, and gone before the end of the answer',
      },
    ])
  expect(ends).toEqual([{ attributes: {}, error: 'the caller was gone before the answer' }])
})
