import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Queue, Worker } from 'bullmq'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { startProxy } from '../../chaos/proxy.ts'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { callRound } from '../../src/core/rounds/call.ts'
import { RedlockGate } from '../../src/gate/redlock-gate.ts'
import { BullHandBack } from '../../src/queue/hand-back.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { runCli } from '../support/cli.ts'
import { silentLog } from '../support/log.ts'
import { builtPath } from '../support/program.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { registered, seenOn, startSupervisorProcess } from '../support/supervised.ts'

let server: TestServer
let client: GoneClient
let redis: RedisClient
let folder: string
let hosts = 0
const closers: (() => Promise<unknown>)[] = []

/** Its lock is the usual one: BullMQ alone would take half a minute to find its jobs stalled. */
const NAPPER = `import { existsSync, writeFileSync } from 'node:fs'
export default { options: { concurrency: 4 }, handler: async ({ data }, { fence, round }) => {
  console.log('naps', round)
  const isAgain = existsSync(data + round)
  writeFileSync(data + round, '')
  if (!isAgain) await new Promise((done) => setTimeout(done, 60_000))
  return fence
} }\n`

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  redis = connect(server.redis.url, 'commands', 'test', silentLog)
  folder = await mkdtemp(join(tmpdir(), 'gone-hand-back-'))
  await writeFile(join(folder, 'napper.mjs'), NAPPER)
})

afterAll(async () => {
  await disconnect(redis)
  await rm(folder, { recursive: true, force: true })
})

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function supervise(instances: number, env: Record<string, string> = {}, from = folder) {
  hosts += 1
  const host = `back-${hosts}`
  const supervisor = await startSupervisorProcess(
    instances,
    { REDIS_URL: server.redis.url, GONE_HOST_LABEL: host, ...env },
    { folder: from },
  )
  closers.push(async () => {
    const left = await client.fleet.instances({ host })
    await supervisor.kill()
    for (const { pid } of left) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
  return { host, all: await seenOn(client, host, registered(instances)) }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** False too of one that has ended and that its new parent has not cleared away. */
async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  return stat !== '' && !/\) Z /.test(stat)
}

/** The instance that runs the round, once one does. */
async function runnerOf(round: string, all: readonly InstanceJson[]): Promise<InstanceJson> {
  await expect.poll(async () => (await client.round('nap', round))?.state, { interval: 20 }).toBe('led')
  const found = await client.round('nap', round)
  const runner = all.find(({ pid }) => found && 'leader' in found && found.leader?.endsWith(`:${pid}`))
  if (!runner) throw new Error(`nobody runs ${round}: ${JSON.stringify(found)}`)
  return runner
}

async function fenceOf(round: string): Promise<number> {
  const found = await client.round('nap', round)
  return found && 'fence' in found ? (found.fence ?? 0) : 0
}

describe('what a killed instance ran', () => {
  it('starts elsewhere under a higher fence, and why it died is known for a day', async () => {
    const { host, all } = await supervise(2)
    const data = join(folder, 'napped-')
    const rounds = ['a', 'b', 'c', 'd', 'e', 'f']
    for (const round of rounds) await client.submit('nap', round, { worker: 'napper', data })
    const victim = await runnerOf('a', all)
    const runners = await Promise.all(rounds.map((round) => runnerOf(round, all)))
    const ran = rounds.filter((_, index) => runners[index]?.id === victim.id)
    const fences = await Promise.all(ran.map(fenceOf))
    const atMs = performance.now()
    process.kill(victim.pid, 'SIGKILL')
    for (const [index, round] of ran.entries()) {
      const end = await client.wait('nap', round, { timeout: '20s' })
      expect(end?.state).toBe('completed')
      expect(end?.fence).toBeGreaterThan(fences[index] as number)
    }
    // The harness holds it to 3 s, on a machine that has nothing else to do.
    expect(performance.now() - atMs).toBeLessThan(20_000)
    await expect.poll(async () => (await client.fleet.instance(victim.id))?.state).toBe('died')
    const { death } = (await client.fleet.instance(victim.id)) as InstanceJson
    expect(death).toMatchObject({
      cause: 'crash',
      signal: 'SIGKILL',
      memory: expect.arrayContaining([expect.anything()]) as unknown,
    })
    expect(death?.jobs.map(({ round }) => round).sort()).toEqual(ran)
    expect(death?.lines.some((line) => line.startsWith('naps '))).toBe(true)
    const shown = await runCli(['fleet', 'show', victim.id, '--server', server.url])
    expect(shown.stdout).toContain('somebody killed it, or the system did')
    expect(shown.stdout).toMatch(/nap\/a \(napper\), handed back; now completed, under fence \d/)
    await seenOn(client, host, registered(2))
    const died = await runCli(['fleet', 'instances', '--state', 'died', '--server', server.url])
    expect(died.stdout).toContain(victim.id)
  })

  it('and may be started only once, fails at once, and so does such a call; any other is answered all the same', async () => {
    const { all } = await supervise(1)
    const data = join(folder, 'once-')
    await client.submit('nap', 'once', { worker: 'napper', data, ifExecutorDies: 'fail' })
    const asked = { system: 'nap', timeout: '50s' } as const
    const called = client.call('napper', data, { ...asked, request: 'again' })
    const calledOnce = client.callOnce('napper', data, { ...asked, request: 'once' })
    const refused = expect(calledOnce).rejects.toMatchObject({
      code: 'CALL_FAILED',
      message: expect.stringContaining('only once') as string,
    })
    const [again = '', once = ''] = ['again', 'once'].map((token) => callRound('nap', token).round)
    for (const round of [again, once]) await runnerOf(round, all)
    const fence = await fenceOf(again)
    process.kill((await runnerOf('once', all)).pid, 'SIGKILL')
    const end = await client.wait('nap', 'once', { timeout: '20s' })
    expect(end).toMatchObject({ state: 'failed', fence: expect.any(Number) as number })
    await refused
    expect(await called).toBeGreaterThan(fence)
  })

  it('and had left behind in the shell is ended before another runs it', async () => {
    const marks = join(folder, 'commands')
    const catalogue = join(folder, 'catalogue.json')
    const script = `[ -e ${marks} ] || nap=60; echo $$ >> ${marks}; sleep $nap 2>&1 || true`
    await writeFile(catalogue, JSON.stringify({ nap: { command: ['/bin/sh', '-c', script] } }))
    const { all } = await supervise(1, { GONE_SHELL_CATALOGUE: catalogue }, builtPath('workers'))
    await client.submit('nap', 'shell', { worker: 'shell', data: { command: 'nap' } })
    const read = () => readFile(marks, 'utf8').catch(() => '')
    await expect.poll(read, { interval: 20 }).toMatch(/^\d+\n$/)
    const pid = Number(await read())
    expect(isAlive(pid)).toBe(true)
    process.kill((await runnerOf('shell', all)).pid, 'SIGKILL')
    expect(await client.wait('nap', 'shell', { timeout: '20s' })).toMatchObject({ state: 'completed' })
    expect(await runs(pid)).toBe(false)
    expect(await read()).toMatch(/^\d+\n\d+\n$/)
  })
})

describe('jobs are handed back', () => {
  const WORKER_ID = 'dead-worker'
  let name: string
  let queue: Queue
  let gate: RedlockGate
  let handBack: BullHandBack

  beforeAll(() => {
    gate = new RedlockGate([redis], silentLog)
    handBack = new BullHandBack(redis, (...of) => gate.releaseOf(...of))
  })

  /** A job that is active under this lock, by an instance of this name. */
  async function active(token: string, instance: string): Promise<string> {
    name = `queue-${Math.random().toString(36).slice(2)}`
    const connection = { url: server.redis.url }
    queue = new Queue(name, { connection, prefix: QUEUE_PREFIX })
    const worker = new Worker(name, null, { connection, prefix: QUEUE_PREFIX, name: instance })
    closers.push(
      () => queue.close(),
      () => worker.close(),
    )
    await queue.add('x', {}, { jobId: 's~r' })
    await worker.getNextJob(token, { block: false })
    expect(await queue.getJobState('s~r')).toBe('active')
    return `${QUEUE_PREFIX}:${name}:s~r:lock`
  }

  const handedBack = async () =>
    (await handBack.handBack({ id: 'dead', locks: { [name]: `${WORKER_ID}:` } })).map(
      ({ round }) => round.round,
    )

  it('by the lock that their instance held, once, and without an attempt', async () => {
    await active(`${WORKER_ID}:7`, 'dead')
    expect(await handedBack()).toEqual(['r'])
    expect(await queue.getJobState('s~r')).toBe('waiting')
    expect((await queue.getJob('s~r'))?.attemptsMade).toBe(0)
    expect(await handedBack()).toEqual([])
  })

  it('soon also where there are many and Redis is far away', async () => {
    await active(`${WORKER_ID}:0`, 'dead')
    const worker = new Worker(name, null, {
      connection: { url: server.redis.url },
      prefix: QUEUE_PREFIX,
      name: 'dead',
    })
    closers.push(() => worker.close())
    for (let n = 1; n < 30; n += 1) {
      await queue.add('x', {}, { jobId: `s~r${n}` })
      await worker.getNextJob(`${WORKER_ID}:${n}`, { block: false })
    }
    const wire = await startProxy(server.redis.port)
    const far = connect(wire.redisUrl, 'commands', 'far', silentLog)
    closers.push(async () => {
      await disconnect(far)
      await wire.stop()
    })
    await expect.poll(() => far.status).toBe('ready')
    wire.delay(100)
    const asIfNear = handBack
    handBack = new BullHandBack(far, (...of) => new RedlockGate([far], silentLog).releaseOf(...of))
    closers.push(async () => {
      handBack = asIfNear
    })
    const startedMs = performance.now()
    expect(await handedBack()).toHaveLength(30)
    // One after the other they would take thirty times two answers of 200 ms.
    expect(performance.now() - startedMs).toBeLessThan(10_000)
  })

  it('never where another holds the lock', async () => {
    await active('living-worker:7', 'living')
    expect(await handedBack()).toEqual([])
    expect(await queue.getJobState('s~r')).toBe('active')
  })

  it('where the lock has ended and nobody has taken them since', async () => {
    const lock = await active(`${WORKER_ID}:7`, 'dead')
    await redis.del(lock)
    expect(await handedBack()).toEqual(['r'])
    expect(await queue.getJobState('s~r')).toBe('waiting')
    expect(await redis.exists(lock)).toBe(0)
  })

  it('never where the lock has ended of one that another has taken since', async () => {
    const lock = await active('living-worker:7', 'living')
    await redis.del(lock)
    expect(await handedBack()).toEqual([])
    expect(await redis.exists(lock)).toBe(0)
  })
})
