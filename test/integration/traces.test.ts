import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { traceparentIn } from '../../src/core/rounds/traceparent.ts'
import { createClient, type GoneClient } from '../../src/index.ts'
import type { Process } from '../support/processes.ts'
import { builtPath } from '../support/program.ts'
import { startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const OTHER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'

let server: TestServer
let client: GoneClient
let folder: string
let receiver: Server
const workers: Process[] = []
const received: (string | undefined)[] = []

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  folder = await mkdtemp(join(tmpdir(), 'gone-traces-'))
  await writeFile(join(folder, 'echo.mjs'), 'export default (_, { traceparent }) => ({ traceparent })\n')
  receiver = createServer((request, response) => {
    received.push(request.headers.traceparent as string | undefined)
    response.end()
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  const env = { REDIS_URL: server.redis.url, GONE_WEBHOOK_ALLOW_PRIVATE: 'true' }
  workers.push(await startWorkProcess(folder, env))
  workers.push(await startWorkProcess(builtPath('workers'), env))
})

afterAll(async () => {
  for (const worker of workers) await worker.stop()
  await new Promise((resolve) => receiver.close(resolve))
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

/** As a caller does whose HTTP client is instrumented. */
function submit(round: string, traceparent: string, body: object): Promise<Response> {
  return fetch(`${server.url}/api/v1/submit/traces/${round}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent },
    body: JSON.stringify(body),
  })
}

const resultOf = async (round: string) =>
  (await client.wait('traces', round, { timeout: '20s' }))?.completion.result

describe('the trace of a submission', () => {
  it('is told to the handler, and is that of the first', async () => {
    expect((await submit('1', TRACE, { worker: 'echo', delay: '1s' })).status).toBe(202)
    expect((await submit('1', OTHER, { worker: 'echo', delay: '1s' })).status).toBe(200)
    expect(await resultOf('1')).toEqual({ traceparent: TRACE })
    await client.submit('traces', '2', { worker: 'echo', traceparent: OTHER })
    expect(await resultOf('2')).toEqual({ traceparent: OTHER })
  })

  it('is none where the caller is in none, or says something else', async () => {
    await client.submit('traces', '3', { worker: 'echo' })
    expect(await resultOf('3')).toEqual({})
    expect((await submit('4', 'nonsense', { worker: 'echo' })).status).toBe(202)
    expect(await resultOf('4')).toEqual({})
  })

  it('goes on to the receiver of a webhook', async () => {
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
    await submit('5', TRACE, { worker: 'webhook', data: { url } })
    expect(await resultOf('5')).toBeDefined()
    expect(received).toEqual([TRACE])
  })

  it('is told to who takes the job over HTTP, also once it was opened again', async () => {
    await submit('6', TRACE, { worker: 'taken' })
    const first = await client.take('taken')
    expect(first?.traceparent).toBe(TRACE)
    await first?.fail('no', { final: true })
    expect((await client.retry('traces', '6')).kind).toBe('opened')
    expect((await client.take('taken', { wait: '10s' }))?.traceparent).toBe(TRACE)
  })
})

it.each([
  [TRACE, TRACE],
  [`01${TRACE.slice(2)}-more`, `01${TRACE.slice(2)}`],
  [`ff${TRACE.slice(2)}`, undefined],
  [TRACE.toUpperCase(), undefined],
  [TRACE.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32)), undefined],
  [TRACE.replace('00f067aa0ba902b7', '0'.repeat(16)), undefined],
  [`${TRACE}0`, undefined],
  ['', undefined],
  [undefined, undefined],
])('reads %s as W3C says', (text, trace) => {
  expect(traceparentIn(text)).toBe(trace)
})
