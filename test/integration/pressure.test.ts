import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { FleetNews } from '../../src/client/fleet.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { runCli } from '../support/cli.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { registered, seenOn, startSupervisorProcess } from '../support/supervised.ts'

let server: TestServer
let client: GoneClient
let folder: string
const closers: (() => Promise<unknown>)[] = []

/** Burns processor time until it is over, or it is told to end. */
const BURNER = `export default { options: { concurrency: 4 }, handler: async ({ data }, { signal }) => {
  const untilMs = Date.now() + data.ms
  while (Date.now() < untilMs && !signal.aborted) {
    const stepMs = Date.now() + 100
    while (Date.now() < stepMs);
    await new Promise((done) => setImmediate(done))
  }
} }\n`

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  folder = await mkdtemp(join(tmpdir(), 'gone-pressure-'))
  await writeFile(join(folder, 'burner.mjs'), BURNER)
})

afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function supervise(host: string, instances: number, ...options: readonly string[]) {
  const supervisor = await startSupervisorProcess(
    instances,
    { REDIS_URL: server.redis.url, GONE_HOST_LABEL: host, GONE_SHUTDOWN: '2s' },
    { folder, options },
  )
  closers.push(() => supervisor.stop())
  return seenOn(client, host, registered(instances))
}

const isOut = ({ state, pressure }: InstanceJson) => state === 'unregistered' && pressure !== undefined

it('one that burns processor time takes no jobs until that is over, and then takes them again', async () => {
  // On a machine that is busy one that burns all that it gets has little of a core; one that does nothing has less than 1 %.
  await supervise('busy', 2, '--max-cpu', '3', '--pressure', '4s')
  await client.submit('burn', 'long', { worker: 'burner', data: { ms: 300_000 } })
  const isBurning = (one: InstanceJson) => isOut(one) && one.workers[0]?.running === 1
  const all = await seenOn(client, 'busy', (found) => found.some(isBurning), 120_000)
  const [burning] = all.filter(isBurning) as [InstanceJson]
  expect(burning.pressure).toBe('cpu')
  expect(burning.workers[0]?.running).toBe(1)
  expect(all.filter(({ state }) => state === 'registered')).toHaveLength(1)
  const shown = await runCli(['fleet', 'show', burning.id, '--server', server.url])
  expect(shown.stdout).toContain('it uses too much processor time: it takes no jobs until that is over')
  // Whatever comes meanwhile is the other's.
  await client.submit('burn', 'short', { worker: 'burner', data: { ms: 1 } })
  expect(await client.wait('burn', 'short', { timeout: '30s' })).toMatchObject({ state: 'completed' })
  expect((await client.fleet.instance(burning.id))?.workers[0]).toMatchObject({ done: 0 })
  await client.cancel('burn', 'long', { reason: 'it has burnt enough' })
  await seenOn(client, 'busy', registered(2))
  expect((await client.fleet.instance(burning.id))?.pid).toBe(burning.pid)
})

it('of those that are all under pressure as many go on as must, also where others leave', async () => {
  // No machine that runs this has less to do.
  await supervise('loaded', 3, '--max-load', '0.01', '--pressure', '2s', '--min-registered', '2')
  const ending = new AbortController()
  closers.push(async () => ending.abort())
  const news = client.fleet.listen({ host: 'loaded' }, { signal: ending.signal })[Symbol.asyncIterator]()
  const states = new Map<string, string | undefined>()
  let least = Number.POSITIVE_INFINITY
  const count = (state: string) => [...states.values()].filter((one) => one === state).length
  const listen = async (until: () => boolean) => {
    while (!until()) {
      const { value } = (await news.next()) as { readonly value: FleetNews }
      if (value.kind === 'change') states.set(value.id, value.instance?.state)
      else for (const one of value.instances) states.set(one.id, one.state)
      least = Math.min(least, count('registered'))
    }
  }
  await listen(() => count('unregistered') === 1 && count('registered') === 2)
  expect(least).toBe(2)
  const [other] = (await client.fleet.instances({ host: 'loaded', state: 'registered' })) as [InstanceJson]
  await client.fleet.order({
    do: 'unregister',
    select: { id: other.id },
    count: 1,
    atOnce: true,
    reason: 'test',
  })
  await listen(() => states.get(other.id) === 'unregistered')
  // The one that was out is missed, and comes back.
  await listen(() => count('registered') === 2)
  expect(states.get(other.id)).toBe('unregistered')
})
