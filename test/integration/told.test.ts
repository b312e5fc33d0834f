import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { deliveryId } from '../../src/core/alerts/alert.ts'
import type { AlertNewsJson } from '../../src/core/alerts/alert-wire.ts'
import type { RoundJson } from '../../src/core/rounds/round-wire.ts'
import { verifyWebhook } from '../../src/hook/webhook.ts'
import { BullAlertQueue } from '../../src/queue/alert-queue.ts'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { RedisAlerts } from '../../src/store/alerts/redis-alerts.ts'
import { webhookHandler } from '../../workers/webhook.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

interface Told {
  readonly atMs: number
  readonly path: string
  readonly text: string
  readonly isSigned: boolean
}

interface Receiver {
  readonly url: string
  readonly told: Told[]
}

const SECRET = 'a secret of the test'
const JSON_TYPE = { 'content-type': 'application/json' }
const servers: Server[] = []
let redis: TestRedis
let server: TestServer

/** Answers the n-th request, from 1, with a status and perhaps a `Retry-After`. */
async function receive(answer: (n: number, text: string) => readonly [number, string?]): Promise<Receiver> {
  const told: Told[] = []
  const own = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const { method = '', url: path = '', headers } = request
    const host = String(headers.host)
    const isSigned = verifyWebhook({ secret: SECRET, method, host, path, headers, body })
    told.push({ atMs: performance.now(), path, text: body.toString(), isSigned })
    const [status, retryAfter] = answer(told.length, body.toString())
    response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => own.once('listening', resolve))
  servers.push(own)
  return { url: `http://127.0.0.1:${(own.address() as AddressInfo).port}/hook`, told }
}

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis })
})

afterAll(async () => {
  await server.stop()
  await redis.stop()
  for (const own of servers) {
    own.closeAllConnections()
    own.close()
  }
})

describe('the worker webhook', () => {
  it.each([
    ['503 and seconds', 503, (): string => '3', 2_900],
    ['429 and seconds', 429, (): string => '2', 1_900],
    // A date has whole seconds, so that it may be up to one earlier.
    ['503 and a date', 503, (): string => new Date(Date.now() + 4_000).toUTCString(), 2_900],
  ] as const)('asked again by %s comes when it was told to', async (name, status, retryAfter, atLeastMs) => {
    const receiver = await receive((n) => (n === 1 ? [status, retryAfter()] : [200]))
    const workers = await startTestWorkers(redis, {
      webhook: webhookHandler({ allowPrivate: true }) as never,
    })
    const round = name.replaceAll(' ', '-')
    await send(server.url, {
      method: 'POST',
      path: `/api/v1/submit/told/${round}`,
      headers: JSON_TYPE,
      body: JSON.stringify({ worker: 'webhook', data: { url: receiver.url } }),
    })
    const state = async () =>
      (JSON.parse((await send(server.url, { path: `/api/v1/rounds/told/${round}` })).text) as RoundJson).state
    await expect.poll(state, { timeout: 40_000, interval: 100 }).toBe('completed')
    const [first, second] = receiver.told
    // The backoff of the test's workers is 20 ms.
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(atLeastMs)
    expect(receiver.told).toHaveLength(2)
    await workers.stop()
  })
})

describe('several receivers of alerts', () => {
  it('are told each in its form, and again when they say; who does not want it is told once', async () => {
    const plain = await receive(() => [200])
    const slack = await receive((n) => (n === 1 ? [503, '3'] : [200]))
    const gone = await receive(() => [410])
    const own = await receive(() => [200])
    const alerting = await startTestServer({
      env: {
        GONE_ALERT_URL: [plain, slack, gone, own].map(({ url }) => url).join(','),
        GONE_ALERT_FORMAT: 'gone,slack,gone,template',
        GONE_ALERT_TEMPLATE: '{"what":"{system} {kind} {event}"}',
        GONE_ALERT_SECRET: SECRET,
      },
    })
    await send(alerting.url, {
      method: 'PUT',
      path: '/api/v1/expectations/told/daily',
      headers: JSON_TYPE,
      body: '{"every":"1s","grace":"1s"}',
    })
    await expect.poll(() => slack.told.length, { timeout: 40_000 }).toBeGreaterThanOrEqual(2)
    const opened = ({ told }: Receiver) => told.filter(({ text }) => !text.includes('resolved'))
    await expect.poll(() => [plain, gone, own].map((each) => opened(each).length)).toEqual([1, 1, 1])
    expect(JSON.parse(plain.told[0]?.text ?? '')).toMatchObject({
      event: 'opened',
      alert: { system: 'told' },
    })
    expect(plain.told[0]?.text).not.toContain('receiver')
    expect(JSON.parse(own.told[0]?.text ?? '')).toEqual({ what: 'told missed opened' })
    const [first, second] = slack.told
    expect(JSON.parse(second?.text ?? '')).toEqual({
      text: expect.stringMatching(/^told\/daily: missed, slot /),
    })
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(2_900)
    expect([plain, slack, gone, own].flatMap(({ told }) => told).every(({ isSigned }) => isSigned)).toBe(true)
    const { text } = await send(alerting.url, { path: '/metrics' })
    expect(text).toMatch(/gone_alert_deliveries_total\{outcome="givenUp"\} 1\n/)
    await alerting.stop()
  })

  it('are told that an alert has ended when they have been told that it has begun, and at their own pace', async () => {
    const isOpened = (text: string) => text.includes('"event":"opened"')
    let refusals = 0
    // Each refusal asks for another try sooner than the pace would have it.
    const receiver = await receive((_, text) => {
      if (!isOpened(text) || refusals === 3) return [200]
      refusals += 1
      return [503, '1']
    })
    const given = await receive((_, text) => [isOpened(text) ? 410 : 200])
    const alerting = await startTestServer({ env: { GONE_ALERT_URL: `${receiver.url},${given.url}` } })
    const path = '/api/v1/expectations/order/daily'
    const body = '{"every":"1s","grace":"1s"}'
    await send(alerting.url, { method: 'PUT', path, headers: JSON_TYPE, body })
    await expect.poll(() => receiver.told.length, { timeout: 40_000 }).toBeGreaterThan(0)
    await send(alerting.url, { method: 'DELETE', path })
    const events = ({ told }: Receiver) => told.map(({ text }) => (isOpened(text) ? 'opened' : 'resolved'))
    await expect.poll(() => events(given), { timeout: 40_000 }).toEqual(['opened', 'resolved'])
    await expect.poll(() => events(receiver), { timeout: 60_000 }).toContain('resolved')
    expect(events(receiver)).toEqual([...Array.from({ length: 4 }, () => 'opened'), 'resolved'])
    // 1 s, 2 s and 4 s.
    const [first, , , last] = receiver.told
    expect((last?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(6_900)
    await alerting.stop()
  })

  it('are told last that an alert has ended of whose beginning the queue has not heard yet', async () => {
    const own = await startRedis()
    const client = connect(own.url, 'commands', 'test', silentLog)
    await new Promise((resolve) => client.once('ready', resolve))
    const [alerts, queue] = [new RedisAlerts(client, 86_400_000), new BullAlertQueue(client)]
    const fact = { kind: 'no-worker', name: 'mail', sinceMs: Date.now(), detail: '' } as const
    await alerts.note({ ...fact, isWrong: true }, true)
    const resolved = await alerts.note({ ...fact, isWrong: false }, true)
    if (resolved === undefined) throw new Error('it was open')
    await queue.add(resolved)
    await alerts.acknowledge(deliveryId(resolved))
    const receiver = await receive(() => [200])
    const alerting = await startTestServer({ redis: own, env: { GONE_ALERT_URL: receiver.url } })
    const events = () => receiver.told.map(({ text }) => (JSON.parse(text) as AlertNewsJson).event)
    await expect.poll(events, { timeout: 40_000 }).toContain('resolved')
    expect(events()).toEqual(['opened', 'resolved'])
    await alerting.stop()
    await queue.stop()
    await disconnect(client)
    await own.stop()
  })

  it('do not wait for one that never answers', async () => {
    const open = new Set<object>()
    const silent = createServer((_, response) => {
      open.add(response)
      response.once('close', () => open.delete(response))
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => silent.once('listening', resolve))
    servers.push(silent)
    const silentUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/hook`
    const receiver = await receive(() => [200])
    const alerting = await startTestServer({ env: { GONE_ALERT_URL: `${silentUrl},${receiver.url}` } })
    const names = Array.from({ length: 12 }, (_, index) => `n${index}`)
    for (const name of names)
      await send(alerting.url, {
        method: 'PUT',
        path: `/api/v1/expectations/silent/${name}`,
        headers: JSON_TYPE,
        body: '{"every":"1s","grace":"1s"}',
      })
    // Each is held until the server gives it up.
    await expect.poll(() => open.size, { timeout: 40_000 }).toBeGreaterThan(7)
    const told = () =>
      new Set(receiver.told.map(({ text }) => (JSON.parse(text) as AlertNewsJson).alert.name))
    await expect.poll(() => [...told()].toSorted(), { timeout: 40_000 }).toEqual(names.toSorted())
    await alerting.stop()
  })
})
