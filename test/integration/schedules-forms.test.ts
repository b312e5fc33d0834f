import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { RoundJson } from '../../src/core/rounds/round-wire.ts'
import { startAlertReceiver } from '../support/alert-receiver.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { CLUSTER_NODE, formCluster, redisCli, startPair } from '../support/redis-forms.ts'
import { callSchedules, type ScheduleCalls } from '../support/schedules.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

const EVERY_SECOND = { every: '1s' }
const JSON_TYPE = { 'content-type': 'application/json' }

const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start(args: readonly string[] = []): Promise<TestRedis> {
  const redis = await startRedis({ args })
  closers.push(() => redis.stop())
  return redis
}

async function serve(redis: TestRedis, env: Readonly<Record<string, string>>): Promise<TestServer> {
  const server = await startTestServer({ redis, env })
  closers.push(() => server.stop())
  return server
}

const dueMs = ({ round }: RoundJson) => Date.parse(round.replace(/^[^@]*@/, ''))

/** Waits for a round that was due after `sinceMs`, and says in which states all are. */
async function completedSince(api: ScheduleCalls, name: string, sinceMs: number, timeout = 15_000) {
  await vi.waitFor(
    async () => {
      const rounds = (await api.rounds(name)).filter((round) => dueMs(round) > sinceMs)
      expect(rounds.filter(({ state }) => state === 'completed').length).toBeGreaterThan(1)
    },
    { timeout, interval: 200 },
  )
}

/** Each second from the first round to the last has one. */
async function expectNoGap(api: ScheduleCalls, name: string): Promise<void> {
  const dues = (await api.rounds(name)).map(dueMs)
  expect(dues).toEqual(dues.map((_, index) => (dues[0] as number) + 1_000 * index))
}

/** Schedules and alerts, from the first to the last thing that can be asked of them. */
async function playSchedules(redis: TestRedis, url: string): Promise<void> {
  const receiver = await startAlertReceiver()
  closers.push(() => receiver.stop())
  const env = { REDIS_URL: url, GONE_ALERT_URL: receiver.url, GONE_ALERT_SECRET: receiver.secret }
  const first = await serve(redis, env)
  const before = callSchedules(first.url)
  const worked = { hello: async () => 'done', fails: async () => Promise.reject(new Error('no such list')) }
  await startTestWorkers(redis, worked, { env: { REDIS_URL: url }, attempts: 1 })

  const names = ['daily', 'hourly', 'often', 'rarely', 'seldom', 'b']
  for (const name of names)
    expect((await before.put(name, { ...EVERY_SECOND, job: { worker: 'hello' } })).status).toBe(201)
  const expected = { ...EVERY_SECOND, job: { worker: 'fails' }, expect: { grace: '1s' } }
  expect((await before.put('bad', expected)).status).toBe(201)
  for (const name of names) await completedSince(before, name, 0)

  const list = await fetch(`${first.url}/api/v1/schedules?system=shop`)
  const { schedules } = (await list.json()) as { schedules: { name: string; next: unknown }[] }
  expect(schedules.map(({ name }) => name)).toEqual(['b', 'bad', ...names.filter((name) => name !== 'b')])
  expect(schedules.every(({ next }) => next !== null)).toBe(true)
  expect((await before.call('POST', 'daily/trigger', { id: 'now' })).status).toBe(202)
  expect((await before.call('POST', 'hourly/pause')).status).toBe(200)
  const span = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:05Z' }
  expect((await before.call('POST', 'rarely/backfill', span)).status).toBe(202)
  expect((await before.call('DELETE', 'seldom')).status).toBe(204)
  expect((await receiver.told('opened', 'shop')).alert).toMatchObject({ name: 'bad', kind: 'failed' })

  const path = `${first.url}/api/v1/expectations/other/daily`
  const body = JSON.stringify({ every: '1s', grace: '1s' })
  expect((await fetch(path, { method: 'PUT', headers: JSON_TYPE, body })).status).toBe(201)
  expect((await receiver.told('opened', 'other')).alert).toMatchObject({ kind: 'missed' })
  const open = await fetch(`${first.url}/api/v1/alerts?state=open`)
  expect(((await open.json()) as { alerts: unknown[] }).alerts.length).toBeGreaterThan(1)

  const stoppedAtMs = Date.now()
  await first.stop()
  // Slots that nobody is there for.
  await sleep(3_000)
  const second = await serve(redis, env)
  const after = callSchedules(second.url)
  await completedSince(after, 'often', stoppedAtMs)
  await expectNoGap(after, 'often')
  expect((await after.call('POST', 'hourly/resume')).status).toBe(200)
  await completedSince(after, 'hourly', Date.now())
  expect(await after.metric('gone_schedules')).toBe(names.length)
}

describe('schedules and alerts', () => {
  it('work on a Cluster of three', async () => {
    const nodes = await Promise.all([1, 2, 3].map(() => start(CLUSTER_NODE)))
    const addresses = await formCluster(nodes.map(({ port }) => port))
    const url = `redis+cluster://${addresses}`
    await playSchedules(nodes[0] as TestRedis, url)
    // Schedules, alerts and queues are on a node each.
    for (const { port } of nodes)
      expect(Number(await redisCli(['-p', String(port), 'dbsize']))).toBeGreaterThan(1)
  }, 180_000)

  it('go on by themselves after a Sentinel failover', async () => {
    const { primary, url, failedOver, stop } = await startPair(start)
    closers.push(stop)
    await playSchedules(primary, url)

    const server = await serve(primary, { REDIS_URL: url })
    const api = callSchedules(server.url)
    const killedAtMs = Date.now()
    await primary.kill()
    await failedOver()
    await completedSince(api, 'often', killedAtMs + 5_000, 40_000)
    await expectNoGap(api, 'often')
    const alerts = await fetch(`${server.url}/api/v1/alerts?state=open`)
    expect(alerts.status).toBe(200)
  }, 180_000)
})
