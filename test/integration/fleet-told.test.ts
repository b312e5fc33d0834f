import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { RedisFleet } from '../../src/store/fleet/redis-fleet.ts'
import { type AlertReceiver, startAlertReceiver } from '../support/alert-receiver.ts'
import { silentLog } from '../support/log.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let receiver: AlertReceiver
let server: TestServer
let other: TestServer
let client: RedisClient

beforeAll(async () => {
  // The first request of all is refused.
  receiver = await startAlertReceiver((n) => (n === 1 ? 503 : 200))
  const env = { GONE_ALERT_URL: receiver.url, GONE_ALERT_SECRET: receiver.secret }
  server = await startTestServer({ env })
  other = await startTestServer({ env, redis: server.redis })
  client = connect(server.redis.url, 'waiting', 'test', silentLog)
})

afterAll(async () => {
  await disconnect(client)
  await other.stop()
  await server.stop()
  await receiver.stop()
})

it('tells the receiver of an instance that is silent, and when it is heard again, once each, however many servers look', async () => {
  const fleet = new RedisFleet(client)
  const facts = {
    id: 'silent-1',
    workers: [{ name: 'mailer', slots: 4 }],
    release: '41',
    region: 'eu',
    host: 'eu-a',
    pid: 4711,
    version: '0.1.0',
    mode: 'registered',
  } as const
  await fleet.pulse([{ id: facts.id, facts, known: 0 }], 500)
  const opened = await receiver.told('opened', 'fleet', 40_000)
  expect(opened.alert).toMatchObject({
    kind: 'unresponsive',
    name: 'silent-1',
    state: 'open',
    detail: 'nothing was heard of silent-1 on eu-a (mailer) for 10 s',
  })
  await fleet.pulse([{ id: facts.id, facts, known: 0 }], 60_000)
  const resolved = await receiver.told('resolved', 'fleet', 40_000)
  expect(resolved.alert).toMatchObject({
    id: opened.alert.id,
    state: 'resolved',
    resolution: 'it was heard again',
  })
  const heard = receiver.deliveries.filter(({ status }) => status === 200)
  expect(heard.map(({ news }) => news.event)).toEqual(['opened', 'resolved'])
  expect(receiver.deliveries.every(({ isSigned }) => isSigned)).toBe(true)
  // The one that was refused came again.
  expect(receiver.deliveries).toHaveLength(3)
}, 100_000)
