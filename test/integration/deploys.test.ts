import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { PoolJson } from '../../src/core/fleet/pool-wire.ts'
import { runCli } from '../support/cli.ts'
import type { Process } from '../support/processes.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startSupervisorProcess } from '../support/supervised.ts'

const SEEN = { timeout: 60_000, interval: 100 }
const WORKERS = ['steady', 'broken', 'dying', 'checked']

let server: TestServer
let client: GoneClient
let root: string
const supervisors: Process[] = []
const lines: string[] = []

/** What the workers are in a release: good ones, or one that does not load, one that dies soon and one that is not ready. */
async function release(name: string, isGood: boolean): Promise<void> {
  const workers = join(root, name, 'workers')
  await mkdir(workers, { recursive: true })
  const good = `export default async () => ${JSON.stringify(name)}\n`
  await writeFile(join(workers, 'steady.mjs'), good)
  await writeFile(join(workers, 'broken.mjs'), isGood ? good : `throw new Error('not in ${name}')\n`)
  await writeFile(
    join(workers, 'dying.mjs'),
    isGood ? good : `${good}setTimeout(() => process.exit(7), 2_000)\n`,
  )
  const ready = `async () => { ${isGood ? '' : "throw new Error('no table of invoices')"} }`
  const checked = `export default { options: { ready: ${ready} }, handler: async () => ${JSON.stringify(name)} }\n`
  await writeFile(join(workers, 'checked.mjs'), checked)
}

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  root = await mkdtemp(join(tmpdir(), 'gone-deploys-'))
  await release('41', true)
  await release('42', false)
  await mkdir(join(`${root}-outside`, 'workers'), { recursive: true })
  await symlink(`${root}-outside`, join(root, 'evil'))
  for (const host of ['deploy-a', 'deploy-b'])
    supervisors.push(
      await startSupervisorProcess(
        { pools: 6 },
        { REDIS_URL: server.redis.url, GONE_HOST_LABEL: host },
        { folder: 'workers', options: ['--releases', root], onLine: (line) => lines.push(line) },
      ),
    )
  for (const worker of WORKERS)
    await client.fleet.pools.put(worker, {
      instances: worker === 'broken' ? 2 : 1,
      workers: [worker],
      release: '41',
    })
  for (const worker of WORKERS) await settled(worker)
}, 90_000)

afterAll(async () => {
  await Promise.all(supervisors.map((one) => one.stop().catch(() => one.kill())))
  await rm(root, { recursive: true, force: true })
  await rm(`${root}-outside`, { recursive: true, force: true })
})

/** The pool once nothing of it is under way. */
function settled(name: string): Promise<PoolJson> {
  return vi.waitFor(async () => {
    const pool = await client.fleet.pools.get(name)
    expect(pool?.working).toBe(pool?.instances)
    expect(['done', 'rolled-back', undefined]).toContain(pool?.rollout?.state)
    return pool as PoolJson
  }, SEEN)
}

const registered = (worker: string) => client.fleet.instances({ worker, state: 'registered' })
const ids = async (worker: string) => (await registered(worker)).map(({ id }) => id).sort()

/** How few instances of the worker were registered while that went on. */
async function fewestDuring(worker: string, during: () => Promise<void>): Promise<number> {
  let fewest = Number.POSITIVE_INFINITY
  let isOver = false
  const watching = (async () => {
    while (!isOver) {
      fewest = Math.min(fewest, (await registered(worker)).length)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  await during().finally(() => {
    isOver = true
  })
  await watching
  return fewest
}

const deploy = (pool: string, name: string) =>
  runCli(['fleet', 'deploy', pool, '--release', name, '--server', server.url])

it('a release is nothing but a folder below the root that the host allows', async () => {
  for (const [name, code, why] of [
    ['evil', 'NO_SUCH_RELEASE', 'it has no release evil; there are'],
    ['43', 'NO_SUCH_RELEASE', 'it has no release 43'],
    ['../41', 'INVALID_BODY', 'release: expected a release'],
  ] as const)
    await expect(client.fleet.pools.deploy('broken', name)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(why) as string,
    })
  const { supervisors: hosts } = await client.fleet.pools.list()
  expect(hosts.map(({ host, most, releases }) => [host, most, [...(releases ?? [])].sort()])).toEqual([
    ['deploy-a', 6, ['41', '42']],
    ['deploy-b', 6, ['41', '42']],
  ])
})

it('that is for what is selected needs whole pools, and to be meant', async () => {
  const run = (...words: string[]) =>
    runCli(['fleet', 'deploy', '--release', '42', ...words, '--server', server.url])
  const { host = '' } = (await registered('broken'))[0] ?? {}
  const some = await run('--worker', 'broken', '--host', host, '--yes')
  expect([some.code, some.stderr]).toEqual([
    2,
    expect.stringContaining('broken: 1 of its 2 instances are selected'),
  ])
  const none = await run('--worker', 'nobody', '--yes')
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('got none of any')])
  const unmeant = await run('--pool', 'broken,dying')
  expect([unmeant.code, unmeant.stderr]).toEqual([
    1,
    expect.stringContaining('deploy broken, dying? say --yes'),
  ])
  expect((await run('--yes')).stderr).toContain('expected a filter such as --worker mailer')
})

describe.concurrent('a release', () => {
  it('is deployed with never fewer instances, and rolled back to the one before', async () => {
    const fewest = await fewestDuring('steady', async () => {
      const run = await deploy('steady', '42')
      expect([run.code, run.stdout]).toEqual([0, expect.stringContaining('41 -> 42: done')])
    })
    expect(fewest).toBeGreaterThanOrEqual(1)
    expect((await settled('steady')).places.map(({ release }) => release)).toEqual(['42'])
    await client.submit('deployed', 'a', { worker: 'steady' })
    expect(await client.wait('deployed', 'a')).toMatchObject({ completion: { result: '42' } })
    const back = await runCli(['fleet', 'rollback', 'steady', '--detach', '--server', server.url])
    expect([back.code, back.stdout]).toEqual([0, expect.stringContaining('42 -> 41: rolling')])
    const again = await runCli(['fleet', 'rollback', 'steady', '--from', '42', '--server', server.url])
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('42 -> 41: done')])
    const pool = await settled('steady')
    expect(pool).toMatchObject({ release: '41', before: ['42'], rollout: { state: 'done' } })
    // The instances label what they are, by which series have a mark.
    await vi.waitFor(async () => {
      const { marks } = await client.fleet.series({ worker: 'steady' })
      expect(marks.map(({ release }) => release)).toContain('42')
    }, SEEN)
  })

  it('that does not begin stops at the first place, and nothing of what ran has ended', async () => {
    const before = await ids('broken')
    const fewest = await fewestDuring('broken', async () => {
      const run = await deploy('broken', '42')
      expect(run.code).toBe(1)
      expect(run.stdout).toMatch(
        /41 -> 42: rolled-back, broken\/1 on deploy-[ab]: its successor did not begin: exit code 2/,
      )
    })
    expect(fewest).toBe(2)
    expect(await ids('broken')).toEqual(before)
    expect(await settled('broken')).toMatchObject({ release: '41', before: [], working: 2 })
    const tried = lines.filter((line) => /"place":"broken\/\d".*"an instance died"/.test(line))
    expect(tried).toHaveLength(1)
  })

  it('whose workers say that they are not ready is rolled back, and why is known', async () => {
    const before = await ids('checked')
    const words = ['--worker', 'checked', '--release', '42', '--yes']
    const run = await runCli(['fleet', 'deploy', ...words, '--server', server.url])
    expect([run.code, run.stdout]).toEqual([1, expect.stringContaining('rolled-back')])
    const pool = await settled('checked')
    expect(pool.rollout?.why).toContain('its successor did not begin: exit code 2')
    expect(await ids('checked')).toEqual(before)
    await vi.waitFor(async () => {
      const [died] = await client.fleet.instances({ pool: 'checked', state: 'died' })
      const { death } = (await client.fleet.instance(died?.id ?? '')) ?? {}
      expect(death?.lines.join('\n')).toContain('worker checked is not ready: no table of invoices')
    }, SEEN)
  })

  it('that dies soon after it has begun is rolled back, too', async () => {
    const before = await ids('dying')
    const fewest = await fewestDuring('dying', async () => {
      const run = await deploy('dying', '42')
      expect([run.code, run.stdout]).toEqual([
        1,
        expect.stringContaining('its successor died soon: exit code 7'),
      ])
    })
    expect(fewest).toBeGreaterThanOrEqual(1)
    await vi.waitFor(async () => expect(await ids('dying')).toEqual(before), SEEN)
  })
})
