import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { beginOf, MINUTE_MS, NOTHING_DONE } from '../../src/core/fleet/series.ts'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { RedisFleet } from '../../src/store/fleet/redis-fleet.ts'
import { RedisSeries } from '../../src/store/series/redis-series.ts'
import { silentLog } from '../support/log.ts'
import { type OpenApi, readOpenApi } from '../support/openapi.ts'
import { type Call, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let api: OpenApi

beforeAll(async () => {
  server = await startTestServer()
  api = await readOpenApi(server.url)
})

afterAll(() => server.stop())

interface Reply {
  readonly headers?: Readonly<Record<string, unknown>>
  readonly content?: Readonly<Record<string, { readonly schema: object }>>
}

const json = (body: unknown) => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})
const ASK_JSON = { headers: { accept: 'application/json' } }
const SCHEDULE = '/api/v1/schedules/s/n'
const EXPECTATION = '/api/v1/expectations/s/n'

/** In this order: what one makes the next finds. */
const CALLS: readonly (Call & { readonly of: string; readonly status: number })[] = [
  { of: 'elected', path: '/api/v1/elected/s/1', method: 'POST', status: 204 },
  { of: 'elect', path: '/api/v1/elect/s/1?candidate=a&lease=30s', method: 'POST', status: 202 },
  { of: 'elect', path: '/api/v1/elect/s/1?candidate=a', method: 'POST', status: 202, ...ASK_JSON },
  { of: 'elect', path: '/api/v1/elect/s/1', method: 'POST', status: 204 },
  { of: 'elect', path: '/api/v1/elect/s/1?lease=x', method: 'POST', status: 400 },
  { of: 'electedByGet', path: '/api/v1/elected/s/1', status: 200 },
  { of: 'electedByGet', path: '/api/v1/elected/s/1', status: 200, ...ASK_JSON },
  { of: 'renew', path: '/api/v1/renew/s/1?candidate=a', method: 'POST', status: 200, ...ASK_JSON },
  { of: 'renew', path: '/api/v1/renew/s/0', method: 'POST', status: 404 },
  { of: 'complete', path: '/api/v1/complete/s/1', method: 'POST', status: 400 },
  {
    of: 'complete',
    path: '/api/v1/complete/s/1?candidate=a',
    method: 'POST',
    status: 200,
    ...json({ result: [1] }),
  },
  { of: 'completed', path: '/api/v1/completed/s/1', method: 'POST', status: 200, ...ASK_JSON },
  { of: 'renew', path: '/api/v1/renew/s/1?candidate=a', method: 'POST', status: 409 },
  { of: 'fail', path: '/api/v1/fail/s/2?reason=x', method: 'POST', status: 200, ...ASK_JSON },
  {
    of: 'submit',
    path: '/api/v1/submit/s/3',
    method: 'POST',
    status: 202,
    ...json({ data: 1, deadline: '1h' }),
  },
  { of: 'submit', path: '/api/v1/submit/s/3', method: 'POST', status: 200, ...json({ data: 2 }) },
  { of: 'submit', path: '/api/v1/submit/s/1', method: 'POST', status: 200 },
  {
    of: 'submit',
    path: '/api/v1/submit/s/4',
    method: 'POST',
    status: 415,
    headers: { 'content-type': 'a/b' },
    body: 'x',
  },
  { of: 'cancel', path: '/api/v1/cancel/s/3?reason=x', method: 'POST', status: 200 },
  { of: 'retry', path: '/api/v1/retry/s/3?reason=x', method: 'POST', status: 200 },
  { of: 'getRound', path: '/api/v1/rounds/s/3', status: 200 },
  { of: 'retry', path: '/api/v1/retry/s/3', method: 'POST', status: 409 },
  { of: 'retry', path: '/api/v1/retry/s/2', method: 'POST', status: 200 },
  { of: 'getRound', path: '/api/v1/rounds/s/2', status: 200 },
  { of: 'elect', path: '/api/v1/elect/s/2', method: 'POST', status: 202, ...ASK_JSON },
  { of: 'retry', path: '/api/v1/retry/s/0', method: 'POST', status: 404 },
  { of: 'cancel', path: '/api/v1/cancel/s/1', method: 'POST', status: 409 },
  { of: 'cancel', path: '/api/v1/cancel/s/0', method: 'POST', status: 404 },
  { of: 'getRound', path: '/api/v1/rounds/s/1', status: 200 },
  { of: 'getRoundJob', path: '/api/v1/rounds/s/3/job', status: 200 },
  { of: 'getRoundJob', path: '/api/v1/rounds/s/3/job?lines=1', status: 200 },
  { of: 'getRoundJob', path: '/api/v1/rounds/s/1/job', status: 409 },
  { of: 'getRoundJob', path: '/api/v1/rounds/s/0/job', status: 404 },
  { of: 'getRound', path: '/api/v1/rounds/s/3?wait=1ms', status: 200 },
  { of: 'getRound', path: '/api/v1/rounds/s/0', status: 404 },
  { of: 'listRounds', path: '/api/v1/rounds?limit=2', status: 200 },
  { of: 'listRounds', path: '/api/v1/rounds?q=1&from=2026-01-01T00:00:00Z', status: 200 },
  { of: 'listKeys', path: '/api/v1/keys', status: 200 },
  { of: 'tallyRounds', path: '/api/v1/rounds/tally', status: 200 },
  {
    of: 'putSchedule',
    path: SCHEDULE,
    method: 'PUT',
    status: 201,
    ...json({ every: '1d', jitter: '1s', expect: { grace: '1h' } }),
  },
  {
    of: 'putSchedule',
    path: SCHEDULE,
    method: 'PUT',
    status: 200,
    ...json({ cron: '0 8 * * *', job: { attempts: 2 } }),
  },
  {
    of: 'putSchedule',
    path: SCHEDULE,
    method: 'PUT',
    status: 412,
    headers: { 'content-type': 'application/json', 'if-match': '"another"' },
    body: '{"every":"2h"}',
  },
  {
    of: 'putSchedule',
    path: SCHEDULE,
    method: 'PUT',
    status: 412,
    headers: { 'content-type': 'application/json', 'if-none-match': '*' },
    body: '{"every":"2h"}',
  },
  { of: 'getSchedule', path: SCHEDULE, status: 200 },
  { of: 'listSchedules', path: '/api/v1/schedules?limit=1', status: 200 },
  { of: 'nextSlots', path: `${SCHEDULE}/next?n=2`, status: 200 },
  {
    of: 'previewSchedule',
    path: `${SCHEDULE}/preview?n=2`,
    method: 'POST',
    status: 200,
    ...json({ every: '1h' }),
  },
  { of: 'previewSchedule', path: `${SCHEDULE}/preview`, method: 'POST', status: 400, ...json({ cron: 'x' }) },
  { of: 'triggerSchedule', path: `${SCHEDULE}/trigger`, method: 'POST', status: 202 },
  {
    of: 'backfillSchedule',
    path: `${SCHEDULE}/backfill`,
    method: 'POST',
    status: 202,
    ...json({ from: '2026-01-01T00:00:00Z', to: '2026-01-05T00:00:00Z', max: 2 }),
  },
  {
    of: 'backfillSchedule',
    path: `${SCHEDULE}/backfill`,
    method: 'POST',
    status: 200,
    ...json({ from: '2026-01-01T00:00:00Z', to: '2026-01-05T00:00:00Z', dryRun: true }),
  },
  {
    of: 'backfillSchedule',
    path: `${SCHEDULE}/backfill`,
    method: 'POST',
    status: 412,
    ...json({ from: '2026-01-01T00:00:00Z', to: '2026-01-05T00:00:00Z', count: 1_000 }),
  },
  { of: 'pauseSchedule', path: `${SCHEDULE}/pause`, method: 'POST', status: 200 },
  { of: 'resumeSchedule', path: `${SCHEDULE}/resume`, method: 'POST', status: 200 },
  { of: 'deleteSchedule', path: SCHEDULE, method: 'DELETE', status: 204 },
  { of: 'getSchedule', path: SCHEDULE, status: 404 },
  {
    of: 'putExpectation',
    path: EXPECTATION,
    method: 'PUT',
    status: 201,
    ...json({ every: '1d', grace: '1h', replicas: 2 }),
  },
  { of: 'getExpectation', path: EXPECTATION, status: 200 },
  { of: 'listExpectedSlots', path: `${EXPECTATION}/slots?n=2`, status: 200 },
  { of: 'listExpectedSlots', path: '/api/v1/expectations/s/none/slots', status: 404 },
  { of: 'listExpectations', path: '/api/v1/expectations', status: 200 },
  { of: 'listAlerts', path: '/api/v1/alerts', status: 200 },
  { of: 'deleteExpectation', path: EXPECTATION, method: 'DELETE', status: 204 },
  {
    of: 'submit',
    path: '/api/v1/submit/t/5',
    method: 'POST',
    status: 202,
    ...json({ worker: 'py', timeout: '1h' }),
  },
  { of: 'listQueues', path: '/api/v1/queues?limit=1', status: 200 },
  { of: 'listQueues', path: '/api/v1/queues?limit=x', status: 400 },
  { of: 'getStatus', path: '/api/v1/status', status: 200 },
  { of: 'takeJob', path: '/api/v1/take/py?candidate=t&lease=1h', method: 'POST', status: 200 },
  { of: 'call', path: '/api/v1/call/t/nobody', method: 'POST', status: 503 },
  {
    of: 'call',
    path: '/api/v1/call/t/nobody?wait=0ms&request=a',
    method: 'POST',
    status: 202,
    ...json({ queue: true, data: 1 }),
  },
  { of: 'call', path: '/api/v1/call/t/nobody?request=a', method: 'POST', status: 409, ...json({ data: 2 }) },
  { of: 'giveUpCall', path: '/api/v1/call/t/nobody?request=a', method: 'DELETE', status: 200 },
  { of: 'call', path: '/api/v1/call/t/nobody?request=a', method: 'POST', status: 200, ...json({ data: 1 }) },
  { of: 'giveUpCall', path: '/api/v1/call/t/nobody?request=b', method: 'DELETE', status: 404 },
  { of: 'takeJob', path: '/api/v1/take/py', method: 'POST', status: 204 },
  { of: 'takeJob', path: '/api/v1/take/rounds', method: 'POST', status: 400 },
  { of: 'giveBack', path: '/api/v1/give-back/t/5?fence=99', method: 'POST', status: 409 },
  { of: 'giveBack', path: '/api/v1/give-back/t/5', method: 'POST', status: 400 },
  { of: 'giveBack', path: '/api/v1/give-back/t/5?fence=1', method: 'POST', status: 200, ...ASK_JSON },
  { of: 'getFleet', path: '/api/v1/fleet', status: 200 },
  { of: 'listInstances', path: '/api/v1/fleet/instances?worker=mail*', status: 200 },
  { of: 'getInstance', path: '/api/v1/fleet/instances/here', status: 200 },
  { of: 'getInstance', path: '/api/v1/fleet/instances/nowhere', status: 404 },
  { of: 'listenToFleet', path: '/api/v1/fleet/events', status: 200 },
  { of: 'listenToFleet', path: '/api/v1/fleet/events?after=another.7', status: 200 },
  { of: 'readFleetLog', path: '/api/v1/fleet/log?worker=mailer&text=error', status: 200 },
  { of: 'readFleetLog', path: '/api/v1/fleet/log?after=another.7', status: 200 },
  { of: 'readFleetLog', path: '/api/v1/fleet/log?limit=0', status: 400 },
  {
    of: 'giveOrder',
    path: '/api/v1/fleet/orders',
    method: 'POST',
    status: 202,
    ...json({ do: 'concurrency', slots: 2, select: { id: 'here' }, count: 1 }),
  },
  {
    of: 'giveOrder',
    path: '/api/v1/fleet/orders',
    method: 'POST',
    status: 200,
    ...json({ do: 'stop', all: true, dryRun: true }),
  },
  { of: 'giveOrder', path: '/api/v1/fleet/orders', method: 'POST', status: 400, ...json({ do: 'stop' }) },
  {
    of: 'giveOrder',
    path: '/api/v1/fleet/orders',
    method: 'POST',
    status: 409,
    ...json({ do: 'stop', all: true, count: 7 }),
  },
  {
    of: 'pulse',
    path: '/api/v1/fleet/pulse',
    method: 'POST',
    status: 200,
    ...json({ id: 'py-1', host: 'h', workers: [{ name: 'py', slots: 2, taken: '2s' }] }),
  },
  { of: 'pulse', path: '/api/v1/fleet/pulse', method: 'POST', status: 400, ...json({ id: 'py-1' }) },
  {
    of: 'putSettings',
    path: '/api/v1/fleet/config/worker/py',
    method: 'PUT',
    status: 200,
    ...json({ concurrency: 2, timeout: '5s', backoff: { type: 'fixed', delay: '1s' }, config: { a: 1 } }),
  },
  { of: 'putSettings', path: '/api/v1/fleet/config/worker/py', method: 'PUT', status: 400, ...json({}) },
  { of: 'putSettings', path: '/api/v1/fleet/config/host/py', method: 'PUT', status: 400, ...json({}) },
  { of: 'getSettings', path: '/api/v1/fleet/config/worker/py', status: 200 },
  { of: 'getSettings', path: '/api/v1/fleet/config/worker/none', status: 404 },
  { of: 'rollBackSettings', path: '/api/v1/fleet/config/worker/py/rollback', method: 'POST', status: 200 },
  { of: 'deleteSettings', path: '/api/v1/fleet/config/worker/py?reason=x', method: 'DELETE', status: 200 },
  { of: 'listSettings', path: '/api/v1/fleet/config', status: 200 },
  {
    of: 'putPool',
    path: '/api/v1/fleet/pools/mail',
    method: 'PUT',
    status: 200,
    ...json({ instances: 2, workers: ['py'], region: 'eu', host: 'eu-*', release: '41', reason: 'x' }),
  },
  { of: 'putPool', path: '/api/v1/fleet/pools/mail', method: 'PUT', status: 400, ...json({}) },
  {
    of: 'putPool',
    path: '/api/v1/fleet/pools/large',
    method: 'PUT',
    status: 429,
    ...json({ instances: 999 }),
  },
  { of: 'getPool', path: '/api/v1/fleet/pools/mail', status: 200 },
  { of: 'getPool', path: '/api/v1/fleet/pools/none', status: 404 },
  { of: 'listPools', path: '/api/v1/fleet/pools', status: 200 },
  { of: 'rollBackPool', path: '/api/v1/fleet/pools/mail/rollback', method: 'POST', status: 409 },
  {
    of: 'deploy',
    path: '/api/v1/fleet/pools/mail/deploy',
    method: 'POST',
    status: 202,
    ...json({ release: '42' }),
  },
  { of: 'rollBackPool', path: '/api/v1/fleet/pools/mail/rollback', method: 'POST', status: 202 },
  {
    of: 'scalePool',
    path: '/api/v1/fleet/pools/mail/scale',
    method: 'POST',
    status: 200,
    ...json({ instances: 3, count: 2, reason: 'x' }),
  },
  {
    of: 'scalePool',
    path: '/api/v1/fleet/pools/mail/scale',
    method: 'POST',
    status: 409,
    ...json({ instances: 4, count: 2 }),
  },
  {
    of: 'scalePool',
    path: '/api/v1/fleet/pools/none/scale',
    method: 'POST',
    status: 404,
    ...json({ instances: 1 }),
  },
  { of: 'deletePool', path: '/api/v1/fleet/pools/mail', method: 'DELETE', status: 204 },
  { of: 'deletePool', path: '/api/v1/fleet/pools/mail', method: 'DELETE', status: 404 },
  {
    of: 'markSeries',
    path: '/api/v1/fleet/marks',
    method: 'POST',
    status: 201,
    ...json({ text: 'campaign begins', worker: 'mailer' }),
  },
  { of: 'markSeries', path: '/api/v1/fleet/marks', method: 'POST', status: 400, ...json({}) },
  { of: 'getSeries', path: '/api/v1/fleet/series?worker=mailer', status: 200 },
  { of: 'getSeries', path: '/api/v1/fleet/series', status: 400 },
  { of: 'listOrders', path: '/api/v1/fleet/orders', status: 200 },
  { of: 'getOrder', path: '/api/v1/fleet/orders/given', status: 200 },
  { of: 'getOrder', path: '/api/v1/fleet/orders/none', status: 404 },
  { of: 'currentSlot', path: '/api/v1/slot?every=1h', status: 200 },
  { of: 'health', path: '/healthz', status: 200 },
  { of: 'readiness', path: '/readyz', status: 200 },
  { of: 'metrics', path: '/metrics', status: 200 },
]

const ajv = new Ajv2020({ strict: false, validateFormats: false })

/** With no member that is not said. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed)
  if (typeof node !== 'object' || node === null) return node
  const inner = Object.fromEntries(Object.entries(node).map(([name, value]) => [name, closed(value)]))
  return inner.type === 'object' && 'required' in inner && !('code' in (inner.properties as object))
    ? { additionalProperties: false, ...inner }
    : inner
}

it('says of every answer what it is: status, type, schema and headers', async () => {
  const operations = new Map(
    Object.values(api.paths).flatMap((methods) =>
      Object.values(methods).map((operation) => [operation.operationId, operation] as const),
    ),
  )
  await registerInstance()
  for (const { of, status, ...call } of CALLS) {
    const answer = await send(server.url, call)
    const shown = `${of}: ${answer.status} ${answer.text.slice(0, 300)}`
    expect(answer.status, shown).toBe(status)
    const reply = operations.get(of)?.responses[status] as Reply
    const type = answer.headers['content-type']?.split(';')[0]
    if (answer.text !== '') expect(Object.keys(reply.content ?? {}), shown).toContain(type)
    const schema = reply.content?.[type ?? '']?.schema
    if (schema && type?.endsWith('json')) {
      const isValid = ajv.validate(closed(schema) as object, JSON.parse(answer.text))
      expect(isValid, `${shown}: ${ajv.errorsText()}`).toBe(true)
    }
    const told = Object.keys(answer.headers).filter((name) => /^(gone-|link$|retry-after$)/.test(name))
    expect(
      Object.keys(reply.headers ?? {}).map((name) => name.toLowerCase()),
      shown,
    ).toEqual(expect.arrayContaining(told))
  }
  const called = new Set(CALLS.map(({ of }) => of))
  expect(
    [...operations.keys()].filter((name) => !called.has(name.replace(/ByGet$/, '')) && !called.has(name)),
  ).toEqual([])
})

/** What runs workers is listed by itself alone. */
async function registerInstance(): Promise<void> {
  const client = connect(server.redis.url, 'waiting', 'test', silentLog)
  const fleet = new RedisFleet(client)
  const workers = { mailer: { running: 1, done: 2, failed: 0, lastTakenAtMs: Date.now() } }
  const facts = {
    id: 'here',
    workers: [{ name: 'mailer', slots: 4 }],
    release: '41',
    region: 'eu',
    host: 'eu-a',
    pid: 4711,
    version: '0.1.0',
    mode: 'registered',
  } as const
  const stats = { workers, cpuPercent: 1.5, rssBytes: 80_000_000, loopDelayMs: 2 }
  await fleet.pulse([{ id: 'here', facts, stats, known: 0 }], 600_000)
  await fleet.order(
    {
      id: 'given',
      task: { verb: 'unregister' },
      actor: 'ops',
      reason: 'a new disk',
      selection: '--id here',
      givenAtMs: 0,
      untilMs: 60_000,
      outcomes: { here: { kind: 'waiting', atMs: 0, detail: '' } },
    },
    600_000,
  )
  const series = new RedisSeries(client)
  const minuteMs = beginOf(await series.now(), MINUTE_MS)
  const times = new Map([[40, 2]])
  const sum = {
    ...NOTHING_DONE,
    done: 2,
    waited: times,
    ran: times,
    minutes: 1,
    instances: 1,
    upMs: 9,
    cpuMs: 1,
  }
  await series.tell({ minuteMs, worker: 'mailer', instance: 'here', release: '41', sum })
  await disconnect(client)
}
