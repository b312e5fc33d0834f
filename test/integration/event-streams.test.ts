import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import { type EventStream, eventStreams } from '../../src/http/event-stream.ts'
import type { Pages } from '../../src/http/pages/pages.ts'
import { changeStream, type StreamParts } from '../../src/http/pages/stream.ts'

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
