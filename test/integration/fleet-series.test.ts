import { QueueEvents } from 'bullmq'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { SeriesJson } from '../../src/core/fleet/series-wire.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { pause } from '../../src/waiting.ts'
import { runCli } from '../support/cli.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let server: TestServer
let other: TestServer
let client: GoneClient

beforeAll(async () => {
  server = await startTestServer()
  other = await startTestServer({ redis: server.redis })
  client = createClient({ url: server.url })
})

afterAll(() => other.stop())

/** What BullMQ itself tells of a queue: jobs that were completed, and attempts that failed. */
async function listenTo(queue: string) {
  const { hostname, port } = new URL(server.redis.url)
  const events = new QueueEvents(queue, {
    connection: { host: hostname, port: Number(port) },
    prefix: QUEUE_PREFIX,
  })
  const counts = { done: 0, failed: 0 }
  events.on('completed', () => {
    counts.done += 1
  })
  events.on('failed', () => {
    counts.failed += 1
  })
  // A job whose attempt failed waits for the next one.
  events.on('delayed', () => {
    counts.failed += 1
  })
  await events.waitUntilReady()
  return { counts, close: () => events.close() }
}

/** What all points of a series say together. */
function sumOf({ points }: SeriesJson) {
  return points.reduce((sum, { done, failed }) => ({ done: sum.done + done, failed: sum.failed + failed }), {
    done: 0,
    failed: 0,
  })
}

const JOBS = 60

it('counts what BullMQ counts, by minutes and by hours', async () => {
  const events = await listenTo('counted')
  const handler = async (job: { readonly data: unknown }, { attempt }: { readonly attempt: number }) => {
    const { n } = job.data as { readonly n: number }
    await pause(n % 20)
    // Each fifth is tried twice, each tenth in vain.
    if (n % 10 === 0 || (n % 5 === 0 && attempt === 1)) throw new Error('not this time')
    return n
  }
  const handlers = { counted: handler }
  const env = { GONE_RELEASE: '41' }
  const workers = [
    await startTestWorkers(server.redis, handlers, { env, attempts: 2 }),
    await startTestWorkers(server.redis, handlers, { env: { GONE_RELEASE: '42' }, attempts: 2 }),
  ]
  await Promise.all(
    Array.from({ length: JOBS }, async (_, n) => {
      await client.submit('series', `round-${n}`, { worker: 'counted', data: { n } })
      await client.wait('series', `round-${n}`, { timeout: '30s' })
    }),
  )
  const right = { done: JOBS * 0.9, failed: JOBS * 0.1 + JOBS * 0.2 }
  await expect.poll(() => events.counts, { timeout: 30_000 }).toEqual(right)
  // What they still have to tell they tell as they stop.
  await Promise.all(workers.map((running) => running.stop()))
  const series = await client.fleet.series({ worker: 'counted' })
  expect(sumOf(series)).toEqual(right)
  expect(series.step).toBe('1m')
  expect(series.marks.map(({ release }) => release).sort()).toEqual(['41', '42'])
  const from = new Date(Date.now() - 3 * 86_400_000)
  const hours = await client.fleet.series({ worker: 'counted', from })
  expect(sumOf(hours)).toEqual(right)
  expect(hours.step).toBe('1h')
  const [point] = (await client.fleet.series({ worker: 'counted', step: '1h' })).points
  expect(point?.instances).toBeGreaterThanOrEqual(1)
  expect(point?.rssBytes).toBeGreaterThan(10_000_000)
  expect(point?.ran?.p50Ms).toBeGreaterThan(5)
  expect(point?.ran?.p50Ms).toBeLessThan(point?.ran?.p99Ms as number)
  expect(point?.waited?.p99Ms).toBeGreaterThan(0)
  await events.close()
})

it('counts jobs that are taken over HTTP where they are reported, and their instances', async () => {
  const elsewhere = createClient({ url: other.url })
  for (const [n, how] of ['complete', 'fail', 'giveBack'].entries()) {
    await client.submit('taken', `round-${n}`, { worker: 'py', data: how, attempts: 1 })
    const job = await client.take('py', { wait: '20s' })
    if (how === 'complete') await job?.complete()
    if (how === 'fail') await job?.fail('no')
    if (how === 'giveBack') await job?.giveBack()
  }
  const again = await elsewhere.take('py', { wait: '20s' })
  await again?.complete()
  await elsewhere.fleet.pulse({
    id: 'py-1',
    host: 'eu-a',
    workers: [{ name: 'py' }],
    rssBytes: 7,
    release: '9',
  })
  await other.stop()
  await expect
    .poll(async () => sumOf(await client.fleet.series({ worker: 'py' })), { timeout: 40_000 })
    .toEqual({ done: 2, failed: 1 })
  const { points, marks } = await client.fleet.series({ worker: 'py', step: '1h' })
  expect(points.at(-1)).toMatchObject({ rssBytes: 7 })
  expect(marks.map(({ release }) => release)).toEqual(['9'])
}, 60_000)

it('has what somebody said of a moment beside the releases, by client and by command', async () => {
  const { worker } = { worker: 'marked' }
  const before = Date.now()
  const said = await client.fleet.mark('campaign begins')
  expect(said).toMatchObject({ text: 'campaign begins', actor: expect.any(String) as string })
  expect(Math.abs(Date.parse(said.at) - before)).toBeLessThan(60_000)
  const command = await runCli(['fleet', 'mark', 'new index', '--worker', worker, '--server', server.url])
  expect(command).toMatchObject({ code: 0, stdout: expect.stringMatching(/^marked 20/) as string })
  expect((await client.fleet.series({ worker })).marks).toEqual([
    said,
    { at: expect.any(String) as string, text: 'new index', worker, actor: expect.any(String) as string },
  ])
  expect((await client.fleet.series({ worker: 'other' })).marks).toEqual([said])
  // Numbers are kept for 30 days, marks for 90.
  const from = new Date(Date.now() - 80 * 86_400_000)
  expect((await client.fleet.series({ worker, from })).marks).toHaveLength(2)
  for (const [text, told] of [
    ['', 'text: expected a text of 1 to 200 characters, got ""'],
    ['x'.repeat(201), 'text: expected a text of 1 to 200 characters, got 201'],
  ])
    await expect(client.fleet.mark(text as string)).rejects.toMatchObject({
      code: 'INVALID_BODY',
      message: expect.stringContaining(told as string) as string,
    })
  await expect(client.fleet.mark('x', { worker: 'no worker' })).rejects.toMatchObject({
    code: 'INVALID_BODY',
  })
})
