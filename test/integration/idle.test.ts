import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { makeKey } from '../support/keys.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { callSchedules } from '../support/schedules.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const SERVERS = 3
/** Longer than nothing must be wanted before it is calm, and all have heard so. */
const CALM_WITHIN_MS = 30_000
/** How long a server that rests may not have looked. */
const NOTICED_WITHIN_MS = 6_000

let redis: TestRedis
let client: Redis
let monitor: Redis
let servers: TestServer[]
/** The first words of each command, but for those that scripts give. */
const sent: string[] = []

beforeAll(async () => {
  redis = await startRedis()
  client = new Redis(redis.url)
  monitor = await client.monitor()
  monitor.on('monitor', (_: string, [name = '', ...rest]: string[], source: string) => {
    if (source !== 'lua') sent.push(`${name} ${rest[2] ?? rest[0] ?? ''}`)
  })
  servers = await Promise.all(Array.from({ length: SERVERS }, () => startTestServer({ redis })))
})

afterAll(async () => {
  for (const server of servers) await server.stop()
  monitor.disconnect()
  client.disconnect()
  await redis.stop()
})

/** What is sent to Redis for so long, by the first words. */
async function sentWithin(ms: number): Promise<string[]> {
  const before = sent.length
  await new Promise((resolve) => setTimeout(resolve, ms))
  return sent.slice(before)
}

/** The question, and that a server is still there. */
const SENT_IN_CALM = ['evalsha gone:{~store}', 'evalsha gone:{~servers}:heard']

/** Until the servers ask nothing but whether something is to be done. */
async function whenCalm(): Promise<void> {
  const giveUpMs = performance.now() + CALM_WITHIN_MS
  for (;;) {
    const last = await sentWithin(4_000)
    if (last.length > 0 && last.every((command) => SENT_IN_CALM.includes(command))) return
    if (performance.now() > giveUpMs) throw new Error(`not calm: ${last.join(', ')}`)
  }
}

/** Lets nothing be to be done, without waiting for the time after which a system is not used any more. */
async function clear(): Promise<void> {
  await client.flushall()
  await whenCalm()
}

async function states(server: TestServer, path: string): Promise<string[]> {
  const { text } = await send(server.url, { path })
  return (JSON.parse(text) as { rounds: { state: string }[] }).rounds.map(({ state }) => state)
}

it('asks Redis one question now and then where nothing is to be done, all servers together about one a second', {
  timeout: 60_000,
}, async () => {
  await whenCalm()
  const asked = await sentWithin(10_000)
  expect(asked.filter((command) => !SENT_IN_CALM.includes(command))).toEqual([])
  expect(asked).toContain(SENT_IN_CALM[0])
  expect(asked.length).toBeGreaterThanOrEqual(5)
  expect(asked.length).toBeLessThanOrEqual(16)
})

it('does at once what a server that rests is asked, and has others that rest see to it where that one has ended', {
  timeout: 60_000,
}, async () => {
  const [first, second] = servers as [TestServer, TestServer]
  const led = await send(first.url, { path: '/api/v1/elect/idle/a?deadline=5s' })
  expect(led.status).toBe(202)
  servers = servers.slice(1)
  await first.stop()
  // Whoever has not led it judges it, and shows it on the board.
  await vi.waitFor(async () => expect(await client.zcard('{gone}:rounds:failed')).toBe(1), {
    timeout: 45_000 + NOTICED_WITHIN_MS,
    interval: 100,
  })
  expect(await states(second, '/api/v1/rounds?system=idle')).toEqual(['overdue'])
})

it('ticks a schedule in time that comes due in the calm', { timeout: 120_000 }, async () => {
  await clear()
  const [server] = servers as [TestServer]
  const { put, rounds } = callSchedules(server.url)
  const atMs = Math.ceil(Date.now() / 1_000) * 1_000 + 55_000
  expect((await put('later', { at: new Date(atMs).toISOString().replace('.000', '') })).status).toBe(201)
  await whenCalm()
  expect(Date.now()).toBeLessThan(atMs - 10_000)
  await vi.waitFor(async () => expect(await rounds('later')).toHaveLength(1), {
    timeout: atMs - Date.now() + 15_000,
    interval: 100,
  })
  expect(Date.now()).toBeGreaterThanOrEqual(atMs - 100)
})

it('lets nobody in without a key when one was made in the calm', { timeout: 60_000 }, async () => {
  await clear()
  const key = await makeKey(redis, { actions: ['elect'] })
  for (const server of servers) {
    const path = '/api/v1/elect/idle/keyed'
    expect((await send(server.url, { path })).status).toBe(401)
    expect([202, 204]).toContain((await send(server.url, { path, headers: key.headers })).status)
  }
})
