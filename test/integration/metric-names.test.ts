import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { VERSION } from '../../src/version.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let text: string

beforeAll(async () => {
  server = await startTestServer()
  // Of each kind something, so that none is empty.
  await fetch(`${server.url}/api/v1/elect/metrics/one`, { method: 'POST' })
  await fetch(`${server.url}/api/v1/complete/metrics/one`, { method: 'POST' })
  text = await vi.waitFor(async () => {
    // So that some of it is collected.
    Array.from({ length: 1_000_000 }, (_, n) => ({ n }))
    const told = await (await fetch(`${server.url}/metrics`)).text()
    expect(told).toContain('nodejs_gc_duration_seconds_count')
    return told
  }, 30_000)
})

afterAll(() => server.stop())

it('promtool has nothing to say of them', async () => {
  const promtool = spawn('promtool', ['check', 'metrics'])
  let said = ''
  for (const stream of [promtool.stdout, promtool.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      said += part
    })
  promtool.once('error', ({ message }) => {
    said += `${message}: install prometheus, as .ci/run does`
  })
  promtool.stdin.end(text)
  const [code] = (await once(promtool, 'close')) as [number | null]
  expect([said, code]).toEqual(['', 0])
})

it.each([
  'process_cpu_seconds_total',
  'process_resident_memory_bytes',
  'process_open_fds',
  'process_start_time_seconds',
  'nodejs_eventloop_lag_seconds',
  'nodejs_heap_size_used_bytes',
  'nodejs_gc_duration_seconds_count',
  'nodejs_active_handles',
])('has %s under its usual name', (name) => {
  expect(text).toMatch(new RegExp(`^${name}(?:\\{.*\\})? `, 'm'))
  expect(text).not.toContain(`gone_${name}`)
})

it('says what is built', () => {
  const { node } = process.versions
  expect(text).toContain(`gone_build_info{version="${VERSION}",node="${node}"} 1\n`)
})
