import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { expectProblem, send, sendBytes } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { snapshotOf } from '../support/snapshot.ts'

let redis: TestRedis
let server: TestServer
const sockets: Socket[] = []

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis, env: { GONE_ALLOWED_HOSTS: 'gone' } })
})

afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await server.stop()
  await redis.stop()
})

async function open(url: string): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  return socket
}

/** What arrives until the server closes, or nothing if it has not closed by then. */
async function closedWithin(socket: Socket, ms: number): Promise<string | undefined> {
  let text = ''
  socket.on('data', (chunk: Buffer) => {
    text += chunk
  })
  const closed = once(socket, 'close').then(() => text)
  return Promise.race([closed, sleep(ms).then(() => undefined)])
}

describe('a client that is slow', () => {
  const head = 'POST /api/v1/submit/slow/round HTTP/1.1\r\nHost: gone\r\n'
  const cases: [string, string, string, number][] = [
    ['says nothing', '', '', 20_000],
    [
      'sends its headers byte by byte',
      'GET /api/v1/elect/slow/round HTTP/1.1\r\nHost: gone\r\nX: ',
      'a',
      20_000,
    ],
    [
      'sends its body byte by byte',
      `${head}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n`,
      ' ',
      30_000,
    ],
    [
      'never ends its chunks',
      `${head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
      '1\r\n \r\n',
      30_000,
    ],
  ]

  it.concurrent.each(cases)(
    'and %s is dropped with a 408, and changes nothing',
    async (_, start, drip, withinMs) => {
      const before = await snapshotOf(redis)
      const socket = await open(server.url)
      socket.write(start)
      const dripping = drip && setInterval(() => socket.write(drip), 200)
      const text = await closedWithin(socket, withinMs)
      if (dripping) clearInterval(dripping)
      expect(text).toContain('HTTP/1.1 408 ')
      expect(text).toContain('"code":"REQUEST_TIMEOUT"')
      expect(await snapshotOf(redis)).toEqual(before)
    },
  )
})

describe('connections', () => {
  it('are dropped beyond the limit, and taken again when others end', async () => {
    const few = await startTestServer({ redis, env: { GONE_MAX_CONNECTIONS: '3' } })
    const kept = await Promise.all([open(few.url), open(few.url), open(few.url)])
    expect(await closedWithin(await open(few.url), 20_000)).toBe('')
    kept[0]?.destroy()
    await expect
      .poll(() =>
        send(few.url, { path: '/healthz' }).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200)
    await few.stop()
  })

  it('of one address are dropped beyond its limit, unless it is a trusted proxy', async () => {
    const limit = { GONE_MAX_CONNECTIONS_PER_ADDRESS: '2' }
    const few = await startTestServer({ redis, env: limit })
    await Promise.all([open(few.url), open(few.url)])
    expect(await closedWithin(await open(few.url), 20_000)).toBe('')
    await few.stop()
    const proxied = await startTestServer({ redis, env: { ...limit, GONE_TRUSTED_PROXIES: '127.0.0.1' } })
    await Promise.all([open(proxied.url), open(proxied.url)])
    expect((await send(proxied.url, { path: '/healthz' })).status).toBe(200)
    await proxied.stop()
  })
})

describe('requests that proxies read differently', () => {
  const line = 'GET /api/v1/elect/smuggled/round HTTP/1.1\r\n'
  const host = 'Host: gone\r\n'
  const post = `POST /api/v1/complete/smuggled/round HTTP/1.1\r\n${host}Content-Type: application/json\r\n`
  const inner = `GET /api/v1/elect/smuggled/inner HTTP/1.1\r\n${host}\r\n`
  const rows: [string, string][] = [
    ['two hosts', `${line}${host}Host: evil\r\n\r\n`],
    ['the same host twice', `${line}${host}${host}\r\n`],
    ['two lengths in one header', `${post}Content-Length: 2, 2\r\n\r\n{}`],
    ['two equal lengths', `${post}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}`],
    ['a length with a sign', `${post}Content-Length: +2\r\n\r\n{}`],
    ['a hexadecimal length', `${post}Content-Length: 0x2\r\n\r\n{}`],
    ['a huge length', `${post}Content-Length: 99999999999999999999\r\n\r\n{}`],
    [
      'chunks and a length',
      `${post}Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n${inner}`,
    ],
    [
      'a length and chunks',
      `${post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    ],
    ['two encodings', `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`],
    ['chunks that are not last', `${post}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ['an encoding behind a vertical tab', `${post}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', `${post}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
    ['a space before the first header', `${line} ${host}\r\n`],
    ['a folded length', `${post}Content-Length:\r\n 2\r\n\r\n{}`],
    ['a bare carriage return', `${line}${host}A: b\rTransfer-Encoding: chunked\r\n\r\n`],
    ['bare line feeds', `GET /api/v1/elect/smuggled/round HTTP/1.1\nHost: gone\n\n`],
    ['a NUL in a header', `${line}${host}A: b\0c\r\n\r\n`],
    ['a chunk size with a sign', `${post}Transfer-Encoding: chunked\r\n\r\n+2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk size in 0x', `${post}Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n`],
    ['a chunk longer than its size', `${post}Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n`],
    ['a huge chunk size', `${post}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n`],
    ['an old version', `GET /api/v1/elect/smuggled/round\r\n\r\n`],
  ]

  it.each(rows)('are refused and end the connection: %s', async (_, bytes) => {
    const before = await snapshotOf(redis)
    const answer = await sendBytes(server.url, bytes)
    expectProblem(answer, 'BAD_REQUEST')
    expect(await snapshotOf(redis)).toEqual(before)
  })

  it('end the connection without a word: a tunnel', async () => {
    const socket = await open(server.url)
    socket.write(`CONNECT gone:443 HTTP/1.1\r\n${host}\r\n`)
    expect(await closedWithin(socket, 20_000)).toBe('')
  })

  it('are answered by their path where they name a whole URL, as HTTP asks', async () => {
    const socket = await open(server.url)
    socket.write(`GET http://evil/api/v1/elect/a%00b/c HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
    expect(await closedWithin(socket, 20_000)).toContain('"code":"INVALID_IDENTIFIER"')
  })
})
