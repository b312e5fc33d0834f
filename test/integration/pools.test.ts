import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { PoolJson } from '../../src/core/fleet/pool-wire.ts'
import { runCli } from '../support/cli.ts'
import type { Process } from '../support/processes.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startSupervisorProcess } from '../support/supervised.ts'

const SEEN = { timeout: 30_000, interval: 100 }

let server: TestServer
let client: GoneClient
let redis: Redis
let folder: string
const supervisors: Process[] = []

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  redis = new Redis(server.redis.url)
  folder = await mkdtemp(join(tmpdir(), 'gone-pools-'))
})

afterEach(async () => {
  for (const { name } of (await client.fleet.pools.list()).pools) await client.fleet.pools.remove(name)
  await Promise.all(supervisors.splice(0).map((one) => one.stop().catch(() => one.kill())))
})

afterAll(async () => {
  await redis.quit()
  await rm(folder, { recursive: true, force: true })
})

/** A supervisor on a host of its own that takes places of pools. */
async function supervise(host: string): Promise<Process> {
  const env = { REDIS_URL: server.redis.url, GONE_HOST_LABEL: host }
  const one = await startSupervisorProcess({ pools: 4 }, env)
  supervisors.push(one)
  // A place is given to whoever is there when it is asked for.
  const isThere = (text: string) => JSON.parse(text).host === host
  await expect
    .poll(async () => (await redis.hvals('gone:{~fleet}:supervisors')).some(isThere), SEEN)
    .toBe(true)
  return one
}

async function fleetFile(text: string): Promise<string> {
  const path = join(folder, 'fleet.yaml')
  await writeFile(path, text)
  return path
}

const fleet = (...args: string[]) => runCli(['fleet', ...args, '--server', server.url])

/** The pool, once it is as asked for. */
async function seen(name: string, isIt: (pool: PoolJson) => boolean): Promise<PoolJson> {
  let found: PoolJson | undefined
  await expect
    .poll(async () => {
      found = await client.fleet.pools.get(name)
      return found !== undefined && isIt(found)
    }, SEEN)
    .toBe(true)
  return found as PoolJson
}

const worksAll = ({ working, instances, places }: PoolJson) =>
  working === instances && places.length === instances
const hostsOf = ({ places }: PoolJson) => places.map(({ host }) => host).sort()
const registered = (more = {}) => client.fleet.instances({ worker: 'probe', state: 'registered', ...more })

it('a file says how many instances there are, and apply makes it so', async () => {
  await Promise.all([supervise('apply-a'), supervise('apply-b')])
  const file = await fleetFile('pools:\n  probes: { instances: 3, workers: [probe], host: "apply-*" }\n')
  const dry = await fleet('apply', file, '--dry-run')
  expect([dry.code, dry.stdout]).toEqual([
    1,
    '+ probes: instances 3, workers probe, host apply-*\n1 to add; nothing changed by --dry-run\n',
  ])
  expect((await client.fleet.pools.list()).pools).toEqual([])
  const run = await fleet('apply', file, '--reason', 'first')
  expect([run.code, run.stdout]).toEqual([0, expect.stringContaining('1 added')])
  const pool = await seen('probes', worksAll)
  expect(new Set(hostsOf(pool))).toEqual(new Set(['apply-a', 'apply-b']))
  expect(pool).toMatchObject({ reason: 'first', missing: 0 })
  const all = await registered()
  expect(all.map(({ place }) => place).sort()).toEqual(['probes/1', 'probes/2', 'probes/3'])
  await client.submit('pooled', 'a', { worker: 'probe' })
  expect(await client.wait('pooled', 'a')).toMatchObject({ state: 'completed' })

  const more = await fleet('scale', 'probes', '4', '--reason', 'more mail')
  expect([more.code, more.stdout]).toEqual([0, 'probes: 3 -> 4 instances\n'])
  await expect
    .poll(async () => (await client.fleet.pools.get('probes'))?.working, { timeout: 60_000 })
    .toBe(4)
  expect(await client.fleet.pools.get('probes')).toMatchObject({
    instances: 4,
    workers: ['probe'],
    reason: 'more mail',
  })
  expect(await fleet('scale', 'none', '4')).toMatchObject({ code: 1, stdout: 'none: no such pool\n' })
  expect((await fleet('scale', 'probes', '1001')).stderr).toContain('expected an integer from 0 to 1000')
  await expect(client.fleet.pools.scale('probes', 5, { count: 3 })).rejects.toMatchObject({
    code: 'SELECTION_CHANGED',
  })
  await writeFile(file, 'pools:\n  probes: { instances: 1, workers: [probe], host: "apply-*" }\n')
  const fewer = await fleet('apply', file)
  expect(fewer.stdout).toBe('~ probes\n    instances: 4 -> 1\n1 changed\n')
  await expect.poll(async () => (await registered()).length, SEEN).toBe(1)
  expect((await fleet('apply', file, '--dry-run')).stdout).toBe('nothing to change\n')

  await writeFile(file, 'pools: {}\n')
  expect((await fleet('apply', file)).stdout).toContain('1 kept (--prune removes it)')
  expect((await fleet('apply', file, '--prune')).stdout).toBe('- probes\n1 removed\n')
  await expect.poll(async () => (await client.fleet.instances({ worker: 'probe' })).length, SEEN).toBe(0)

  await writeFile(file, 'pools:\n  probes:\n    instances: many\n')
  const wrong = await fleet('apply', file)
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    expect.stringContaining(
      'fleet.yaml:2: probes: instances: expected an integer from 0 to 1000, got "many"',
    ),
  ])
})

it('places go from a host that is lost and come back, and each job ends once', async () => {
  const [lost] = await Promise.all([supervise('move-a'), supervise('move-b')])
  await client.fleet.pools.put('moving', { instances: 2, workers: ['probe'], host: 'move-*' })
  const pool = await seen('moving', worksAll)
  expect(hostsOf(pool)).toEqual(['move-a', 'move-b'])
  const stay = (await registered({ host: 'move-b' }))[0]
  const rounds = ['a', 'b', 'c', 'd']
  await Promise.all(
    rounds.map((round) => client.submit('moved', round, { worker: 'probe', data: { sleepMs: 1_500 } })),
  )
  for (const round of rounds)
    await expect.poll(() => redis.llen(`probe:started:moved~${round}`), SEEN).toBeGreaterThan(0)
  // Its instances end with it, once their jobs have.
  await lost?.kill()
  await seen('moving', (one) => worksAll(one) && hostsOf(one).every((host) => host === 'move-b'))
  expect((await registered({ host: 'move-b' })).map(({ id }) => id)).toContain(stay?.id)
  await supervise('move-a')
  await seen('moving', (one) => worksAll(one) && hostsOf(one).join() === 'move-a,move-b')
  await expect.poll(async () => (await registered()).length, SEEN).toBe(2)
  for (const round of rounds) {
    const { completion } = (await client.wait('moved', round)) ?? {}
    const runs = await redis.lrange(`probe:started:moved~${round}`, 0, -1)
    // One that was cut off is run again, under a higher fence, and only the last one counts.
    const fences = runs.map((run) => Number(run.split(':')[1]))
    expect(new Set(fences).size).toBe(fences.length)
    expect(completion).toMatchObject({ outcome: 'completed', result: { fence: Math.max(...fences) } })
  }
})
