import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import type { PoolJson } from '../../src/core/fleet/pool-wire.ts'
import { runCli } from '../support/cli.ts'
import { keysOnNodes, startCluster, type TestCluster } from '../support/cluster.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { registered, seenOn, startSupervisorProcess } from '../support/supervised.ts'

/** What it is told to do once it does not do again: its first runner is dead by then. */
const CLERK = `import { existsSync, writeFileSync } from 'node:fs'
export default { options: { concurrency: 1, attempts: 3 }, handler: async ({ data }, { round, fence, call }) => {
  console.log('said', round)
  const mark = data?.once
  const isAgain = mark !== undefined && existsSync(mark)
  if (mark !== undefined) writeFileSync(mark, '')
  if (data?.sleepMs && !isAgain) await new Promise((done) => setTimeout(done, data.sleepMs))
  while (data?.until && !existsSync(data.until)) await new Promise((done) => setTimeout(done, 50))
  if (data?.asks) return call('clerk', { of: data.asks })
  return { region: process.env.GONE_REGION, fence, of: data?.of }
} }\n`
const SEEN = { timeout: 60_000, interval: 100 }

let cluster: TestCluster
let server: TestServer
let client: GoneClient
let folder: string
const closers: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  cluster = await startCluster()
  server = await startTestServer({ redis: cluster.redis })
  client = createClient({ url: server.url })
  folder = await mkdtemp(join(tmpdir(), 'gone-cluster-'))
  await writeFile(join(folder, 'clerk.mjs'), CLERK)
  await Promise.all([supervise('eu', { pools: 2 }), supervise('us', 1)])
  await seenOn(client, 'in-us', registered(1))
}, 120_000)

afterAll(async () => {
  for (const { name } of (await client.fleet.pools.list()).pools) await client.fleet.pools.remove(name)
  await Promise.all(closers.map((close) => close()))
  await server.stop()
  await cluster.stop()
  await rm(folder, { recursive: true, force: true })
})

async function supervise(region: string, instances: Parameters<typeof startSupervisorProcess>[0]) {
  const env = { REDIS_URL: cluster.redis.url, GONE_HOST_LABEL: `in-${region}`, GONE_REGION: region }
  const one = await startSupervisorProcess(instances, env, { folder })
  closers.push(() => one.stop().catch(() => one.kill()))
}

const submit = (round: string, data: object = {}, more: object = {}) =>
  client.submit('shop', round, { worker: 'clerk', data, ...more })
const endOf = async (round: string) => (await client.wait('shop', round, { timeout: '60s' }))?.completion
const regionOf = async (round: string) => (await endOf(round))?.result

it('has the queues of each worker in a slot of their own, so that all nodes have some', async () => {
  const workers = Array.from({ length: 12 }, (_, n) => `spread-${n}`)
  for (const worker of workers) {
    await client.submit('spread', worker, { worker })
    await client.submit('spread', `${worker}-late`, { worker, delay: '1h' })
  }
  const keys = await keysOnNodes(cluster)
  for (const worker of workers) {
    const having = keys.filter((all) => all.some((key) => key.startsWith(`{gone:${worker}}:${worker}:`)))
    expect(having).toHaveLength(1)
  }
  expect(keys.filter((all) => all.some((key) => key.startsWith('{gone:spread-')))).toHaveLength(3)
  expect(keys.flat().filter((key) => key.startsWith('{gone}'))).toEqual(['{gone}:~queues'])
  const counted = await client.queues()
  expect(counted.filter(({ name }) => name.startsWith('spread-'))).toHaveLength(12)
  await expect
    .poll(async () => (await fetch(`${server.url}/metrics`)).text(), SEEN)
    .toMatch(/gone_queue_jobs\{queue="spread-7",state="waiting"\} 1/)
  const board = await (await fetch(`${server.url}/board/api/queues?activeQueue=spread-3`)).text()
  expect(board).toContain('"spread-3"')
  expect((await runCli(['queues', 'adopt'], { REDIS_URL: cluster.redis.url })).stdout).toBe(
    'nothing is left where older builds kept queues\n',
  )
})

it('answers calls, also those of a handler', async () => {
  const pool = { instances: 2, workers: ['clerk'], host: 'in-eu' }
  await client.fleet.pools.put('clerks', pool)
  let found: PoolJson | undefined
  const works = async () => {
    found = await client.fleet.pools.get('clerks')
    return found?.working
  }
  await expect.poll(works, SEEN).toBe(2)
  expect(found?.places.map(({ host }) => host)).toEqual(['in-eu', 'in-eu'])
  await seenOn(client, 'in-eu', registered(2))
  expect(await client.call('clerk', { of: 'me' }, { timeout: '30s' })).toMatchObject({ of: 'me' })
  expect(await client.call('clerk', { asks: 'other' }, { timeout: '30s' })).toMatchObject({ of: 'other' })
})

it('hands back what a killed instance ran, and shows what instances print', async () => {
  const once = join(folder, 'handed-back')
  await submit('back', { sleepMs: 60_000, once })
  await expect.poll(async () => (await client.round('shop', 'back'))?.state, SEEN).toBe('led')
  const jobs = async (one: InstanceJson) => (await client.fleet.instance(one.id))?.jobs ?? []
  const runner = async () => {
    const all = await client.fleet.instances({ worker: 'clerk' })
    const ran = await Promise.all(all.map(jobs))
    return all.find((_, at) => ran[at]?.some(({ round }) => round === 'back'))
  }
  await expect.poll(async () => (await runner())?.id, SEEN).toBeTruthy()
  const atMs = performance.now()
  process.kill((await runner())?.pid ?? 0, 'SIGKILL')
  expect(await endOf('back')).toMatchObject({ outcome: 'completed', result: { fence: 2 } })
  // BullMQ alone would find its lock lapsed after half a minute.
  expect(performance.now() - atMs).toBeLessThan(25_000)
  const printed = await client.fleet.log({ host: 'in-*' }, { text: 'said back' })
  expect(printed.lines.map(({ text }) => text)).toContain('said back')
})

it('runs what is for a region there, and moves it on where nobody takes any more', async () => {
  await seenOn(client, 'in-eu', registered(2))
  const until = join(folder, 'go-on')
  const eu = ['long-1', 'long-2', 'left-1', 'left-2']
  for (const round of eu) await submit(round, round.startsWith('long') ? { until } : {}, { region: 'eu' })
  const led = async () => (await client.rounds({ system: 'shop', state: 'led' })).length
  await expect.poll(led, SEEN).toBe(2)
  const select = { host: 'in-eu' }
  await client.fleet.order({ do: 'unregister', select, count: 2, atOnce: true })
  const left = () => client.fleet.instances({ ...select, state: 'unregistered' })
  await expect.poll(left, SEEN).toHaveLength(2)
  await writeFile(until, '')
  const drain = ['fleet', 'drain', 'in-eu', '--yes', '--at-once', '--server', server.url]
  expect(await runCli(drain)).toMatchObject({ code: 0 })
  expect(await Promise.all(eu.map(regionOf))).toMatchObject(
    ['eu', 'eu', 'us', 'us'].map((region) => ({ region })),
  )
}, 120_000)
