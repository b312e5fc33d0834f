import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type EventStream, eventStreams } from '../../src/http/event-stream.ts'
import type { Pages } from '../../src/http/pages/pages.ts'
import { changeStream, type StreamParts } from '../../src/http/pages/stream.ts'
import { makeKey, revokeKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** Asks, and goes once it was heard. Returns when the server knows that it has gone. */
async function askAndGo(app: FastifyInstance, path: string): Promise<void> {
  const heard = new Promise<void>((resolve) => {
    app.addHook('onRequest', async ({ raw }) => {
      const closed = once(raw.socket, 'close')
      caller.destroy()
      await closed
      resolve()
    })
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  onTestFinished(() => app.close())
  const caller = connect((app.server.address() as AddressInfo).port, '127.0.0.1')
  caller.write(`GET ${path} HTTP/1.1\r\nhost: gone\r\n\r\n`)
  await heard
}

it('of a caller that has gone before it opens is closed from the beginning', async () => {
  const app = Fastify()
  const open = eventStreams(app)
  const opened = new Promise<EventStream>((resolve) => {
    app.get('/events', async (_, reply) => resolve(open(reply)))
  })
  await askAndGo(app, '/events')
  const stream = await opened
  expect([stream.isOpen, stream.signal.aborted]).toEqual([false, true])
})

it('of a page that has gone before it opens is read for by nobody', async () => {
  const app = Fastify()
  let readings = 0
  const read = async (): Promise<never> => {
    readings += 1
    throw new Error('nobody looks')
  }
  const parts = {
    reader: { history: read },
    expectations: { alerts: read },
    schedules: { list: read },
    follower: { latest: read },
  } as unknown as StreamParts
  const pages = { refusalOfData: async () => undefined, isIn: async () => true } as unknown as Pages
  const answered = new Promise<void>((resolve) => {
    changeStream(app, pages, parts)
    app.addHook('onRequest', async (_, reply) => {
      const { hijack } = reply
      reply.hijack = () => {
        resolve()
        return hijack.call(reply)
      }
    })
  })
  await askAndGo(app, '/console/stream')
  await answered
  // A page that looks is read for at once.
  await new Promise((resolve) => setImmediate(resolve))
  expect(readings).toBe(0)
})

/** Reads a stream to its end. */
async function listen({ url }: TestServer, path: string, headers: Record<string, string> = {}) {
  const leaving = new AbortController()
  onTestFinished(() => leaving.abort())
  const { signal } = leaving
  const answer = await fetch(`${url}${path}`, {
    headers: { accept: 'text/event-stream', ...headers },
    signal,
  })
  expect(answer.status).toBe(200)
  let isOver = false
  answer.text().then(
    () => (isOver = true),
    () => {},
  )
  return { isOver: () => isOver }
}

describe('a stream ends', () => {
  const PATHS = ['/api/v1/fleet/events', '/api/v1/fleet/log']
  const PAGES = ['/console/api/fleet/log', '/console/stream']

  it.each([...PATHS, ...PAGES])(
    'with the key that it was opened with, and others go on: %s',
    async (path) => {
      const redis = await startRedis()
      const [key, other] = [await makeKey(redis, { actions: ['read'] }), await makeKey(redis)]
      const server = await startTestServer({ redis })
      const [stream, another] = [
        await listen(server, path, key.headers),
        await listen(server, path, other.headers),
      ]
      await revokeKey(redis, key)
      await expect.poll(stream.isOver, { timeout: 30_000 }).toBe(true)
      expect(another.isOver()).toBe(false)
      await server.stop()
      await redis.stop()
    },
  )

  it('once keys are needed, where it was opened without one', async () => {
    const redis = await startRedis()
    const server = await startTestServer({ redis })
    const streams = await Promise.all([...PATHS, ...PAGES].map((path) => listen(server, path)))
    await makeKey(redis)
    for (const stream of streams) await expect.poll(stream.isOver, { timeout: 30_000 }).toBe(true)
    await server.stop()
    await redis.stop()
  })

  it('with the session that it was opened with, and others of the same key go on', async () => {
    const redis = await startRedis()
    const key = await makeKey(redis, { actions: ['read'] })
    const server = await startTestServer({ redis })
    const post = (path: string, headers: Record<string, string>, body: string) =>
      send(server.url, {
        method: 'POST',
        path,
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: server.url, ...headers },
        body,
      })
    const logIn = async () => {
      const { headers } = await post('/login', {}, `key=${key.text}`)
      return { cookie: headers['set-cookie']?.[0]?.split(';')[0] ?? '' }
    }
    const [session, other] = [await logIn(), await logIn()]
    const path = '/console/api/fleet/log'
    const [stream, another] = [await listen(server, path, session), await listen(server, path, other)]
    await post('/logout', session, '')
    await expect.poll(stream.isOver, { timeout: 30_000 }).toBe(true)
    expect(another.isOver()).toBe(false)
    await server.stop()
    await redis.stop()
  })
})
