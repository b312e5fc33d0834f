import { spawn } from 'node:child_process'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { FleetNews } from '../../src/client/fleet.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { runCli } from '../support/cli.ts'
import type { Process } from '../support/processes.ts'
import { builtPath, program } from '../support/program.ts'
import { startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const WORKERS = builtPath('test/support/workers')

let server: TestServer
let client: GoneClient
let redis: Redis
const running = new Set<Process>()

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  redis = new Redis(server.redis.url)
})

afterAll(() => redis.disconnect())

afterEach(async () => {
  await Promise.all([...running].map((worker) => worker.kill()))
  running.clear()
})

async function work(env: Record<string, string> = {}): Promise<Process> {
  const worker = await startWorkProcess(WORKERS, { REDIS_URL: server.redis.url, ...env })
  running.add(worker)
  return worker
}

/** The instance of this process, once it is as asked for. */
async function seen(
  worker: Process,
  isIt: (instance: InstanceJson) => boolean = () => true,
): Promise<InstanceJson> {
  let found: InstanceJson | undefined
  await expect
    .poll(
      async () => {
        const all = await client.fleet.instances({
          state: 'registered,unregistered,stopping,stuck,lost,ended',
        })
        found = all.find(({ pid }) => pid === worker.child.pid)
        return found !== undefined && isIt(found)
      },
      { interval: 50 },
    )
    .toBe(true)
  return found as InstanceJson
}

describe('an instance', () => {
  it('is listed with what it runs, and gone when it stops', async () => {
    const worker = await work({ GONE_RELEASE: '41', GONE_REGION: 'eu', GONE_HOST_LABEL: 'eu-a' })
    const instance = await seen(worker)
    expect(instance).toMatchObject({ state: 'registered', release: '41', region: 'eu', host: 'eu-a' })
    expect(instance.workers).toEqual([expect.objectContaining({ name: 'probe', running: 0, done: 0 })])
    expect(instance.rssBytes).toBeGreaterThan(10_000_000)
    expect(await worker.stop()).toBe(0)
    expect(await client.fleet.instances({ id: instance.id })).toEqual([])
    expect(await client.fleet.instance(instance.id)).toMatchObject({ state: 'ended' })
  })

  it('counts what it does', async () => {
    const worker = await work()
    await seen(worker)
    await client.submit('counted', 'a', { worker: 'probe', data: { sleepMs: 0 } })
    await client.wait('counted', 'a')
    const { workers } = await seen(worker, (one) => one.workers[0]?.done === 1)
    expect(workers[0]).toMatchObject({ running: 0, done: 1, failed: 0 })
    expect(Math.abs(Date.parse(workers[0]?.lastTaken ?? '') - Date.now())).toBeLessThan(10_000)
  })

  it('is asked for with the jobs that it runs, however many rounds there were since', async () => {
    const [one, other] = [await work(), await work()]
    const instances = [await seen(one), await seen(other)]
    const names = Array.from({ length: 6 }, (_, n) => `job-${n}`)
    for (const round of names)
      await client.submit('in-hand', round, { worker: 'probe', data: { untilKey: 'in-hand:may-end' } })
    const runs = async ({ id }: InstanceJson) => (await client.fleet.instance(id))?.jobs ?? []
    await expect.poll(async () => (await Promise.all(instances.map(runs))).flat().length).toBe(names.length)
    for (const instance of instances) {
      for (const { worker, system, round, since } of await runs(instance)) {
        expect([worker, system]).toEqual(['probe', 'in-hand'])
        expect((await client.round('in-hand', round))?.leader).toMatch(new RegExp(`:${instance.pid}$`))
        expect(Math.abs(Date.parse(since) - Date.now())).toBeLessThan(10_000)
      }
    }
    await redis.set('in-hand:may-end', 1)
    await Promise.all(names.map((round) => client.wait('in-hand', round)))
    expect(await runs(instances[0] as InstanceJson)).toEqual([])
  })

  it('is lost soon after kill -9, and no sooner than its lease', async () => {
    const worker = await work()
    const { id } = await seen(worker)
    await worker.kill()
    const killedAtMs = performance.now()
    expect((await client.fleet.instance(id))?.state).toBe('registered')
    await expect
      .poll(async () => (await client.fleet.instance(id))?.state, { timeout: 30_000, interval: 100 })
      .toBe('lost')
    // The harness holds it to 12 s.
    expect(performance.now() - killedAtMs).toBeLessThan(30_000)
  })
})

describe('an order', () => {
  const ended = async (id: string) => {
    let order = await client.fleet.orderOf(id)
    await expect
      .poll(
        async () => {
          order = await client.fleet.orderOf(id)
          return order?.instances.every(({ outcome }) => outcome !== 'waiting' && outcome !== 'obeying')
        },
        { timeout: 30_000, interval: 20 },
      )
      .toBe(true)
    return order
  }

  it('to unregister is obeyed at once, and not one job is started after it is done', async () => {
    const worker = await work()
    const { id } = await seen(worker)
    const givenAtMs = performance.now()
    const { id: order } = await client.fleet.order({
      do: 'unregister',
      select: { id },
      count: 1,
      atOnce: true,
      reason: 'test',
    })
    expect((await ended(order))?.instances).toMatchObject([{ id, outcome: 'done' }])
    // Without a poke it would be 3 s; the harness holds it to one.
    expect(performance.now() - givenAtMs).toBeLessThan(15_000)
    await client.submit('resting', 'a', { worker: 'probe', data: { sleepMs: 0 } })
    expect(await client.wait('resting', 'a', { timeout: 6_000 })).toBeUndefined()
    await seen(worker, ({ state }) => state === 'unregistered')

    const { id: back } = await client.fleet.order({ do: 'register', select: { id }, count: 1 })
    await ended(back)
    // That it runs now is the proof that nothing but the order kept it.
    expect(await client.wait('resting', 'a', { timeout: 45_000 })).toMatchObject({ state: 'completed' })
  })

  it('to run more jobs at once is obeyed, and one for a worker that is not there fails', async () => {
    const worker = await work()
    const { id } = await seen(worker)
    const more = { do: 'concurrency', select: { id }, count: 1 } as const
    await ended((await client.fleet.order({ ...more, slots: 7 })).id)
    await seen(worker, ({ workers }) => workers[0]?.slots === 7)
    const wrong = await client.fleet.order({ ...more, slots: 7, worker: 'nobody' })
    expect((await ended(wrong.id))?.instances).toMatchObject([
      { outcome: 'failed', detail: 'there is no worker "nobody" here' },
    ])
  })

  it.each([
    ['stop', 0],
    ['restart', 75],
  ] as const)('to %s ends the process with %i when its jobs have ended', async (verb, code) => {
    const worker = await work()
    const { id } = await seen(worker)
    await client.submit('ending', verb, { worker: 'probe', data: { untilKey: `ending:${verb}` } })
    await seen(worker, ({ workers }) => workers[0]?.running === 1)
    const order = await client.fleet.order({ do: verb, select: { id }, count: 1, atOnce: true })
    const exit = new Promise((resolve) => worker.child.once('exit', resolve))
    await redis.set(`ending:${verb}`, 1)
    expect(await exit).toBe(code)
    expect((await ended(order.id))?.instances).toMatchObject([{ outcome: 'done' }])
    expect(await client.wait('ending', verb)).toMatchObject({ state: 'completed' })
    expect(await client.fleet.instance(id)).toMatchObject({ state: 'ended' })
  })

  it('is refused where nobody, or others than were counted, are selected', async () => {
    const worker = await work()
    const { id } = await seen(worker)
    const give = (select: object, count: number) => client.fleet.order({ do: 'register', select, count })
    await expect(give({}, 1)).rejects.toMatchObject({ code: 'EMPTY_SELECTION' })
    await expect(give({ id: 'nobody' }, 1)).rejects.toMatchObject({ code: 'EMPTY_SELECTION' })
    await expect(give({ id }, 2)).rejects.toMatchObject({ code: 'SELECTION_CHANGED' })
    await expect(give({ wroker: 'probe' }, 1)).rejects.toMatchObject({ code: 'INVALID_PARAMETER' })
    await expect(give({ state: 'registred' }, 1)).rejects.toMatchObject({ code: 'INVALID_PARAMETER' })
  })
})

describe('a listener', () => {
  it('is told what is there, then each change', async () => {
    const ending = new AbortController()
    const heard: FleetNews[] = []
    const listening = (async () => {
      for await (const news of client.fleet.listen({ worker: 'probe' }, { signal: ending.signal }))
        heard.push(news)
    })().catch(() => undefined)
    await expect.poll(() => heard.length).toBe(1)
    const worker = await work()
    const { id } = await seen(worker)
    const states = () =>
      heard.flatMap((news) => (news.kind === 'change' && news.id === id ? [news.instance?.state] : []))
    await expect.poll(states, { timeout: 30_000 }).toEqual(['registered'])
    await worker.stop()
    await expect.poll(states, { timeout: 30_000 }).toEqual(['registered', 'stopping', undefined])
    ending.abort()
    await listening
  })

  it('is told by server-sent events, and goes on where it was', async () => {
    const { at } = (await (await fetch(`${server.url}/api/v1/fleet/events`)).json()) as { at: string }
    const worker = await work()
    await seen(worker)
    const text = await readStream(
      `${server.url}/api/v1/fleet/events`,
      { 'last-event-id': at },
      '"registered"',
    )
    const [, id] = /^id: (\S+)\nevent: change\ndata: .*"registered"/m.exec(text) ?? []
    expect(id).toMatch(/^\S+\.\d+$/)
    await worker.stop()
    const rest = await readStream(`${server.url}/api/v1/fleet/events?after=${id}`, {}, '"stopping"')
    expect(rest).not.toContain('"registered"')
  })

  it('is told once to begin anew where changes are not those it knew', async () => {
    const text = await readStream(
      `${server.url}/api/v1/fleet/events`,
      { 'last-event-id': 'another.7' },
      'reset',
    )
    expect(text.match(/event: reset/g)).toHaveLength(1)
  })
})

/** What a stream tells until this text has come. */
async function readStream(url: string, headers: Record<string, string>, until: string): Promise<string> {
  const ending = AbortSignal.timeout(5_000)
  const response = await fetch(url, { headers: { ...headers, accept: 'text/event-stream' }, signal: ending })
  expect(response.headers.get('content-type')).toContain('text/event-stream')
  let text = ''
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString()
    if (text.includes(until)) return text
  }
  throw new Error(`the stream ended without ${until}: ${text}`)
}

describe('gone fleet top', () => {
  const PTY = ['-qfec']

  it('is one table where nobody watches, or so many', async () => {
    const worker = await work()
    const { id } = await seen(worker)
    const once = await runCli(['fleet', 'top', '--server', server.url, '--sort', 'memory'])
    expect(once).toMatchObject({ code: 0 })
    expect(once.stdout).toContain(id)
    const json = await runCli([
      'fleet',
      'top',
      '--server',
      server.url,
      '-n',
      '2',
      '--every',
      '10ms',
      '--json',
    ])
    const looks = json.stdout.trim().split('\n')
    expect(looks.map((line) => (JSON.parse(line) as InstanceJson[]).some((one) => one.id === id))).toEqual([
      true,
      true,
    ])
  })

  it('is drawn again and again on a terminal, and obeys its keys', async () => {
    const worker = await work()
    const { id } = await seen(worker)
    const words = [...program('src/cli/main.ts'), 'fleet', 'top', '--server', server.url, '--every', '200ms']
    const line = [process.execPath, ...words].map((word) => `'${word}'`).join(' ')
    const terminal = spawn('script', [...PTY, `stty cols 120 rows 60; exec ${line}`, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let shown = ''
    terminal.stdout.on('data', (data: Buffer) => {
      shown += data.toString()
    })
    const shows = (text: string) =>
      expect.poll(() => shown, { timeout: 30_000, interval: 50 }).toContain(text)
    try {
      await shows(id.slice(0, 8))
      await shows('by cpu')
      terminal.stdin.write('m')
      await shows('by memory')
      const ended = new Promise((resolve) => terminal.once('exit', resolve))
      terminal.stdin.write('q')
      expect(await ended).toBe(0)
    } finally {
      terminal.kill('SIGKILL')
    }
  })
})

describe('an alert of the fleet', () => {
  const alertOf = async (kind: string, name: string) =>
    (await client.alerts({ system: 'fleet' })).find((one) => one.kind === kind && one.name === name)
  const stateOf = (kind: string, name: string) =>
    expect.poll(async () => (await alertOf(kind, name))?.state, { timeout: 75_000, interval: 250 })

  it('is opened where jobs wait for nobody, and resolved when somebody serves them', async () => {
    await client.submit('unserved', 'a', { worker: 'probe' })
    await stateOf('no-worker', 'probe').toBe('open')
    expect(await alertOf('no-worker', 'probe')).toMatchObject({
      detail: expect.stringContaining('jobs wait'),
    })
    await work()
    await stateOf('no-worker', 'probe').toBe('resolved')
  }, 180_000)

  it('is opened where an instance is silent, and resolved when another has come in its place', async () => {
    const worker = await work()
    const { id } = await seen(worker)
    await worker.kill()
    await stateOf('unresponsive', id).toBe('open')
    await work()
    await stateOf('unresponsive', id).toBe('resolved')
  }, 180_000)

  it('is counted, as instances and slots are, without their ids', async () => {
    const worker = await work()
    const { id } = await seen(worker)
    const metrics = await (await fetch(`${server.url}/metrics`)).text()
    expect(metrics).toMatch(/gone_instances\{worker="probe",state="registered"\} [1-9]/)
    expect(metrics).toMatch(/gone_worker_slots\{worker="probe",state="free"\} [1-9]/)
    expect(metrics).toMatch(/gone_alerts_open\{kind="no-worker"\} \d/)
    for (const event of ['opened', 'resolved'])
      expect(metrics).toMatch(new RegExp(`gone_alerts_total\\{kind="no-worker",event="${event}"\\} [1-9]`))
    expect(metrics).not.toContain(id)
  })
})

it('counts how orders went, and restarts, in metrics without ids', async () => {
  const worker = await work()
  const { id } = await seen(worker)
  const { id: order } = await client.fleet.order({ do: 'restart', select: { id }, count: 1, atOnce: true })
  await expect
    .poll(async () => (await client.fleet.orderOf(order))?.outcomes, { timeout: 30_000 })
    .toEqual({ done: 1 })
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  expect(metrics).toMatch(/gone_orders_total\{do="restart",outcome="done"\} [1-9]/)
  expect(metrics).toMatch(/gone_instance_restarts_total\{worker="probe",cause="order"\} [1-9]/)
  expect(Number(/^gone_fleet_registry_age_seconds (\S+)$/m.exec(metrics)?.[1])).toBeLessThan(10)
  expect(metrics).not.toContain(id)
})
