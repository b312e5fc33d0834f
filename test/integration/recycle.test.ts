import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { RedisFleet } from '../../src/store/fleet/redis-fleet.ts'
import { silentLog } from '../support/log.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { registered, seenOn, startSupervisorProcess } from '../support/supervised.ts'

const KEY_OF_RECYCLES = 'gone:{~fleet}:recycles'

let server: TestServer
let client: GoneClient
let folder: string
let hosts = 0
const closers: (() => Promise<unknown>)[] = []

const LEAKER = `const kept = []
export default { options: { concurrency: 4 }, handler: async ({ data }) => {
  kept.push(Buffer.alloc(data.mib * 1_048_576, 1))
  await new Promise((done) => setTimeout(done, 50))
} }\n`
const SLEEPER = `export default async () => new Promise((done) => setTimeout(done, 500))\n`

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  folder = await mkdtemp(join(tmpdir(), 'gone-recycle-'))
  await writeFile(join(folder, 'leaker.mjs'), LEAKER)
  await writeFile(join(folder, 'sleeper.mjs'), SLEEPER)
})

afterAll(() => rm(folder, { recursive: true, force: true }))

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function supervise(instances: number, only: string, ...options: readonly string[]) {
  hosts += 1
  const host = `recycle-${hosts}`
  const lines: string[] = []
  const supervisor = await startSupervisorProcess(
    instances,
    { REDIS_URL: server.redis.url, GONE_HOST_LABEL: host },
    { folder, options: ['--only', only, ...options], onLine: (line) => lines.push(line) },
  )
  closers.push(async () => {
    const left = await client.fleet.instances({ host })
    await supervisor.kill()
    for (const { pid } of left) signal(pid, 'SIGKILL')
  })
  const seen = (areThey: Parameters<typeof seenOn>[2]) =>
    seenOn(client, host, areThey).catch((error: Error) => {
      throw new Error(`${error.message}; its supervisor: ${lines.slice(-20).join(' ')}`)
    })
  return { host, lines, seen, all: await seen(registered(instances)) }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended.
  }
}

it('an instance that stands still is unresponsive, is ended, and another runs what it ran', async () => {
  const { seen, all } = await supervise(1, 'sleeper', '--hung', '8s')
  const [victim] = all as [InstanceJson]
  await client.submit('still', 'a', { worker: 'sleeper' })
  await expect.poll(async () => (await client.round('still', 'a'))?.state, { interval: 20 }).toBe('led')
  signal(victim.pid, 'SIGSTOP')
  await seen(([one]) => one?.state === 'unresponsive')
  await expect
    .poll(async () => (await client.fleet.instance(victim.id))?.death?.cause, { timeout: 45_000 })
    .toBe('unresponsive')
  expect(await client.wait('still', 'a', { timeout: '20s' })).toMatchObject({ state: 'completed' })
  await seen(registered(1))
  // Servers judge it every five seconds.
  await expect.poll(() => client.alerts({ state: 'open' }), { timeout: 45_000 }).toEqual([])
})

it('one that goes on before is well again, and is not restarted', async () => {
  const { seen, all } = await supervise(1, 'sleeper')
  const [one] = all as [InstanceJson]
  signal(one.pid, 'SIGSTOP')
  await seen(([found]) => found?.state === 'unresponsive')
  signal(one.pid, 'SIGCONT')
  const [after] = await seen(registered(1))
  expect([after?.id, after?.pid]).toEqual([one.id, one.pid])
})

it('one that leaks is replaced before it has all the memory that it may have, and no job fails', async () => {
  const { lines, seen, all } = await supervise(1, 'leaker', '--memory', '160m')
  const rounds = Array.from({ length: 60 }, (_, n) => `r${n}`)
  for (const round of rounds) {
    await client.submit('leak', round, { worker: 'leaker', data: { mib: 4 } })
    await new Promise((resolve) => setTimeout(resolve, 150))
  }
  for (const round of rounds)
    expect(await client.wait('leak', round, { timeout: '30s' })).toMatchObject({ state: 'completed' })
  const [now] = await seen((found) => found.some(({ state }) => state === 'registered'))
  expect(now?.id).not.toBe(all[0]?.id)
  expect(lines.some((line) => line.includes('"cause":"memory"'))).toBe(true)
})

it('one that is stuck is replaced, of a worker one at a time, and then it is only told', async () => {
  const { host, lines, all } = await supervise(2, 'sleeper')
  const redis = connect(server.redis.url, 'commands', 'test', silentLog)
  closers.push(() => disconnect(redis))
  await new Promise((resolve) => redis.once('ready', resolve))
  // The tests before have had one ended of the same worker, some seconds ago.
  await redis.del(KEY_OF_RECYCLES)
  const fleet = new RedisFleet(redis)
  const first = new Set(all.map(({ id }) => id))
  // Servers find that out by what waits for 30 s, and the harness by a worker that is wedged; here they are told.
  let isOver = false
  const marking = (async () => {
    const { nowMs } = await fleet.latest()
    while (!isOver) {
      for (const id of first) await fleet.judge(id, nowMs)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  })()
  closers.push(async () => {
    isOver = true
    await marking
  })
  const left = async () => (await client.fleet.instances({ host })).filter(({ id }) => first.has(id)).length
  /** Longer than a supervisor looks from one time to the next. */
  const stays = async () => {
    await new Promise((resolve) => setTimeout(resolve, 7_000))
    return left()
  }
  await expect.poll(left, { timeout: 30_000 }).toBe(1)
  expect(await stays()).toBe(1)
  const recycles = (...agoS: readonly number[]) =>
    redis.hset(KEY_OF_RECYCLES, 'sleeper', agoS.map((s) => Date.now() - s * 1_000).join(' '))
  // One at a time is not enough where it was done three times.
  await recycles(500, 400, 300)
  expect(await stays()).toBe(1)
  await recycles(500, 400)
  await expect.poll(left, { timeout: 30_000 }).toBe(0)
  // It is in the registry no more a moment before its supervisor has seen it end.
  await expect.poll(() => lines.filter((line) => line.includes('"cause":"stuck"'))).toHaveLength(2)
  expect(lines.some((line) => line.includes('an instance died'))).toBe(false)
})

it('a limit below what an instance begins with is told, and not looped', async () => {
  const { lines, seen, all } = await supervise(1, 'sleeper', '--memory', '50m')
  await expect.poll(() => lines.filter((line) => line.includes('it is not applied')).length).toBe(1)
  await new Promise((resolve) => setTimeout(resolve, 2_000))
  const [now] = await seen(registered(1))
  expect(now?.id).toBe(all[0]?.id)
  expect(lines.filter((line) => line.includes('it is not applied'))).toHaveLength(1)
})

it('one that has run so many jobs is replaced', async () => {
  const { seen, all } = await supervise(1, 'sleeper', '--max-jobs', '2')
  for (const round of ['a', 'b']) await client.submit('many', round, { worker: 'sleeper' })
  const isOther = ([one]: readonly InstanceJson[]) => one?.state === 'registered' && one.id !== all[0]?.id
  await seen((found) => found.length === 1 && isOther(found))
  for (const round of ['a', 'b'])
    expect(await client.wait('many', round, { timeout: '20s' })).toMatchObject({ state: 'completed' })
})
