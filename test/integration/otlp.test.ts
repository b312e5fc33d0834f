import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/index.ts'
import type { Process } from '../support/processes.ts'
import { startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import {
  type ReceivedSpan,
  receiveTraces,
  startTraceReceiver,
  type TraceReceiver,
} from '../support/trace-receiver.ts'

const [TRACE_ID, CALLER] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']
const TRACE = `00-${TRACE_ID}-${CALLER}-01`
/** Nobody is told of it. */
const UNTOLD = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'
const [SERVER, INTERNAL, PRODUCER, CONSUMER] = [2, 1, 4, 5]

const SOON = { OTEL_BSP_SCHEDULE_DELAY: '100' }

let receiver: TraceReceiver
let server: TestServer
let client: GoneClient
/** A second server of the same Redis. */
let other: TestServer
let folder: string
let worker: Process

beforeAll(async () => {
  receiver = await startTraceReceiver()
  const told = {
    ...SOON,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'api-key=a%20b',
  }
  server = await startTestServer({ env: told })
  client = createClient({ url: server.url })
  other = await startTestServer({ redis: server.redis, env: told })
  folder = await mkdtemp(join(tmpdir(), 'gone-otlp-'))
  await writeFile(join(folder, 'echo.mjs'), 'export default (_, { traceparent }) => ({ traceparent })\n')
  await writeFile(
    join(folder, 'asks.mjs'),
    "export default ({ data }, { call }) => call('echo', null, { system: 'other', token: data })\n",
  )
  await writeFile(join(folder, 'breaks.mjs'), "export default () => { throw new Error('no such file') }\n")
  const env = { REDIS_URL: server.redis.url, OTEL_SERVICE_NAME: 'jobs', OTEL_RESOURCE_ATTRIBUTES: 'team=ops' }
  worker = await startWorkProcess(folder, { ...told, ...env })
})

afterAll(async () => {
  await worker.stop()
  await other.stop()
  await server.stop()
  await receiver.stop()
  await rm(folder, { recursive: true, force: true })
})

/** Its spans by name, once they have come. */
async function spansOf(round: string, ...names: string[]): Promise<Record<string, ReceivedSpan>> {
  const found = () => receiver.spans.filter(({ attributes }) => attributes['gone.round'] === round)
  await expect
    .poll(
      () =>
        found()
          .map(({ name }) => name)
          .sort(),
      { timeout: 30_000 },
    )
    .toEqual([...names].sort())
  return Object.fromEntries(found().map((span) => [span.name, span]))
}

const resultOf = async (system: string, round: string) =>
  (await client.wait(system, round, { timeout: '20s' }))?.completion.result

describe('the spans of a submitted round', () => {
  it('are one trace from the submission to the completion, within that of whoever submits', async () => {
    await client.submit('traced', '1', { worker: 'echo', traceparent: TRACE })
    const result = await resultOf('traced', '1')
    const all = ['submit echo', 'wait echo', 'run echo', 'complete echo']
    const {
      'submit echo': submit,
      'wait echo': wait,
      'run echo': run,
      'complete echo': complete,
    } = await spansOf('1', ...all)
    if (!submit || !wait || !run || !complete) throw new Error('some are missing')
    expect([submit, wait, run, complete].map(({ traceId }) => traceId)).toEqual(Array(4).fill(TRACE_ID))
    expect([submit.parentSpanId, wait.parentSpanId, run.parentSpanId, complete.parentSpanId]).toEqual([
      CALLER,
      submit.spanId,
      submit.spanId,
      run.spanId,
    ])
    expect([submit.kind, wait.kind, run.kind, complete.kind]).toEqual([
      PRODUCER,
      INTERNAL,
      CONSUMER,
      INTERNAL,
    ])
    expect(result).toEqual({ traceparent: `00-${TRACE_ID}-${run.spanId}-01` })
    expect(submit.attributes).toMatchObject({ 'gone.system': 'traced', 'gone.first': true })
    const { fence } = (await client.round('traced', '1')) ?? {}
    expect(run.attributes).toMatchObject({
      'gone.fence': fence,
      'gone.attempt': 1,
      'gone.outcome': 'completed',
    })
    for (const { startMs, endMs } of [submit, wait, run, complete])
      expect(endMs).toBeGreaterThanOrEqual(startMs)
    expect(wait.endMs).toBeLessThanOrEqual(run.startMs + 5)
    expect(complete.startMs).toBeGreaterThanOrEqual(run.startMs - 1)
    expect([submit.service, run.service]).toEqual(['gone', 'jobs'])
    expect(receiver.resources).toContainEqual(
      expect.objectContaining({ 'service.name': 'jobs', team: 'ops' }),
    )
    expect(receiver.headers[0]).toMatchObject({ 'api-key': 'a b', 'content-type': 'application/json' })
  })

  it('go on where its handler calls another worker', async () => {
    await client.submit('traced', '2', { worker: 'asks', data: 'token-2', traceparent: TRACE })
    const result = (await resultOf('traced', '2')) as { traceparent: string }
    const { 'run asks': asks } = await spansOf('2', 'submit asks', 'wait asks', 'run asks', 'complete asks')
    const called = () =>
      receiver.spans.filter(({ attributes }) => attributes['gone.system'] === 'other').map(({ name }) => name)
    await expect.poll(() => called().length, { timeout: 30_000 }).toBe(4)
    const inner = receiver.spans.filter(({ attributes }) => attributes['gone.system'] === 'other')
    const spanOf = (name: string) => inner.find((span) => span.name === name)
    expect(spanOf('submit echo')).toMatchObject({ traceId: TRACE_ID, parentSpanId: asks?.spanId })
    expect(result.traceparent).toBe(`00-${TRACE_ID}-${spanOf('run echo')?.spanId}-01`)
  })

  it('begin a trace of their own where the caller is in none, and say what went wrong', async () => {
    await client.submit('traced', '3', { worker: 'breaks', attempts: 1 })
    await client.wait('traced', '3', { timeout: '20s' })
    const spans = await spansOf('3', 'submit breaks', 'wait breaks', 'run breaks', 'complete breaks')
    const { 'submit breaks': submit, 'run breaks': run } = spans
    expect(submit).not.toHaveProperty('parentSpanId')
    expect(run).toMatchObject({ traceId: submit?.traceId, error: 'no such file' })
    expect(new Set(Object.values(spans).map(({ traceId }) => traceId)).size).toBe(1)
  })

  it('are told by nobody where the caller has decided so', async () => {
    await client.submit('traced', '4', { worker: 'echo', traceparent: UNTOLD })
    expect(await resultOf('traced', '4')).toEqual({ traceparent: UNTOLD })
    await client.submit('traced', '5', { worker: 'echo', traceparent: TRACE })
    await spansOf('5', 'submit echo', 'wait echo', 'run echo', 'complete echo')
    await spansOf('4')
  })

  it('go by HTTP where its job is taken so, whichever server takes the report', async () => {
    await client.submit('traced', '6', { worker: 'taken', traceparent: TRACE })
    const token = 'of-one-taker-6'
    const first = await client.take('taken', { wait: '10s', token })
    const job = await createClient({ url: other.url }).take('taken', { token })
    expect(job?.traceparent).toBe(first?.traceparent)
    await job?.complete()
    const spans = await spansOf('6', 'submit taken', 'wait taken', 'run taken', 'complete')
    const { 'submit taken': submit, 'wait taken': wait, 'run taken': run, complete } = spans
    if (!submit || !wait || !run || !complete) throw new Error('some are missing')
    expect(job?.traceparent).toBe(`00-${TRACE_ID}-${run.spanId}-01`)
    expect([wait.parentSpanId, run.parentSpanId, complete.parentSpanId]).toEqual([
      submit.spanId,
      submit.spanId,
      run.spanId,
    ])
    expect([run.kind, complete.kind]).toEqual([CONSUMER, SERVER])
    const led = { 'gone.fence': job?.fence }
    expect(run.attributes).toMatchObject({ ...led, 'gone.attempt': 1, 'gone.outcome': 'completed' })
    expect(complete.attributes).toMatchObject({ ...led, 'gone.state': 'completed' })
    expect(run.endMs - run.startMs).toBeGreaterThan(0)
    expect(run.startMs).toBeGreaterThanOrEqual(submit.startMs - 5)
  })

  it('say of each attempt that was taken how it ended', async () => {
    await client.submit('traced', '8', {
      worker: 'taken',
      attempts: 2,
      backoff: { type: 'fixed', delay: '100ms' },
    })
    const take = () => client.take('taken', { wait: '20s' })
    await (await take())?.giveBack()
    await (await take())?.fail('no paper')
    await (await take())?.fail('no ink')
    const isOfIt = ({ name, attributes }: ReceivedSpan) =>
      name === 'run taken' && attributes['gone.round'] === '8'
    await expect.poll(() => receiver.spans.filter(isOfIt).length, { timeout: 30_000 }).toBe(3)
    const runs = receiver.spans.filter(isOfIt)
    expect(runs.map(({ attributes }) => [attributes['gone.attempt'], attributes['gone.outcome']])).toEqual([
      [1, 'putOff'],
      [1, 'failed'],
      [2, 'failed'],
    ])
    expect(runs.map(({ error }) => error)).toEqual([undefined, 'no paper', 'no ink'])
    expect(new Set(runs.map(({ spanId }) => spanId)).size).toBe(3)
    expect(new Set(runs.map(({ traceId }) => traceId)).size).toBe(1)
  })
})

describe('the spans of a round that is led over HTTP', () => {
  it('are of who asks, and say under which fence', async () => {
    const { leads, fence } = await client.elect('traced', '7', { traceparent: TRACE })
    expect(leads).toBe(true)
    await client.complete('traced', '7', { traceparent: TRACE })
    const { elect, complete } = await spansOf('7', 'elect', 'complete')
    expect(elect).toMatchObject({ kind: SERVER, traceId: TRACE_ID, parentSpanId: CALLER })
    expect(elect?.attributes).toMatchObject({
      'http.response.status_code': 202,
      'http.request.method': 'POST',
      'gone.fence': fence,
      'gone.leader': expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      'gone.state': 'led',
    })
    expect(complete?.attributes).toMatchObject({
      'http.response.status_code': 200,
      'gone.fence': fence,
      'gone.state': 'completed',
    })
    expect([elect?.error, complete?.error]).toEqual([undefined, undefined])
  })
})

it('are kept while their receiver takes none, and told as the process ends', async () => {
  const own = await receiveTraces()
  own.status = 503
  const { redis } = server
  const short = await startTestServer({
    redis,
    env: { ...SOON, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${own.url}/v1/traces` },
  })
  await createClient({ url: short.url }).elect('kept', '1')
  await expect.poll(() => own.headers.length, { timeout: 30_000 }).toBeGreaterThan(0)
  own.status = 200
  await expect.poll(() => own.spans.map(({ name }) => name), { timeout: 30_000 }).toEqual(['elect'])
  await createClient({ url: short.url }).elect('kept', '2')
  await short.stop()
  expect(own.spans.map(({ name }) => name)).toEqual(['elect', 'elect'])
})
