import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { createClient, type GoneClient } from '../../src/index.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTrouble } from '../support/trouble.ts'

const PROGRAM = join(fileURLToPath(new URL('../../examples', import.meta.url)), 'worker.py')
const ECHO = ['python3', '-c', 'import sys; print(sys.stdin.read())']
const SLEEP = ['sleep', '60']

let server: TestServer
let client: GoneClient
const running = new Set<Python>()
let count = 0

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
})

afterEach(async () => {
  await Promise.all([...running].map((one) => one.kill('SIGKILL')))
})

interface Python {
  readonly pid: number
  readonly ended: Promise<number | null>
  kill(signal: NodeJS.Signals): Promise<number | null>
}

/** A queue of this test's own, and a Python worker of it. */
function start(worker: string, words: readonly string[], env: Record<string, string> = {}): Python {
  const child = spawn('python3', [PROGRAM, worker, ...words], {
    env: { ...process.env, GONE_URL: server.url, GONE_LEASE: '2s', ...env },
    stdio: 'ignore',
  })
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
  const python: Python = {
    pid: child.pid as number,
    ended,
    kill(signal) {
      child.kill(signal)
      return ended
    },
  }
  running.add(python)
  void ended.then(() => running.delete(python))
  return python
}

const newWorker = () => `python-${count++}`

/** Its instance, once it is so. */
async function seen(
  worker: string,
  isIt: (one: InstanceJson) => boolean = () => true,
): Promise<InstanceJson> {
  let found: InstanceJson | undefined
  await expect
    .poll(
      async () => {
        ;[found] = await client.fleet.instances({
          worker,
          state: 'registered,unregistered,stopping,lost,ended',
        })
        return found !== undefined && isIt(found)
      },
      { timeout: 30_000, interval: 100 },
    )
    .toBe(true)
  return found as InstanceJson
}

async function order(
  worker: string,
  what: 'register' | 'unregister' | 'concurrency' | 'restart',
  slots?: number,
) {
  const given = await client.fleet.order({
    do: what,
    select: { worker },
    count: 1,
    atOnce: true,
    ...(slots && { slots }),
  })
  await expect
    .poll(async () => (await client.fleet.orderOf(given.id))?.outcomes, { timeout: 30_000, interval: 100 })
    .toEqual({ done: 1 })
}

describe('examples/worker.py', () => {
  it('runs jobs, reports how they end, and is listed', async () => {
    const worker = newWorker()
    start(worker, ECHO, { GONE_RELEASE: '7', GONE_REGION: 'eu', GONE_HOST_LABEL: 'eu-a' })
    await client.submit('python', worker, { worker, data: { names: ['Ada'] } })
    expect(await client.wait('python', worker, { timeout: '30s' })).toMatchObject({
      state: 'completed',
      completion: { result: { names: ['Ada'] } },
    })
    const listed = await seen(worker, (one) => one.workers[0]?.done === 1)
    expect(listed).toMatchObject({ state: 'registered', release: '7', region: 'eu', host: 'eu-a' })
  })

  it('fails attempts with what the command said', async () => {
    const worker = newWorker()
    start(worker, ['sh', '-c', 'echo no paper >&2; exit 3'])
    await client.submit('python', worker, { worker })
    expect(await client.wait('python', worker, { timeout: '30s' })).toMatchObject({
      state: 'failed',
      completion: { reason: 'no paper' },
    })
  })

  it('is done also where the record does not keep what came out, and fails in words that it takes', async () => {
    const large = newWorker()
    start(large, ['python3', '-c', 'print(chr(34) + "x" * 5000 + chr(34))'])
    await client.submit('python', large, { worker: large })
    const done = await client.wait('python', large, { timeout: '30s' })
    expect(done).toMatchObject({ state: 'completed', job: { starts: 1 } })
    expect(done?.completion).not.toHaveProperty('result')

    const none = newWorker()
    start(none, ['echo', 'NaN'])
    await client.submit('python', none, { worker: none })
    expect(await client.wait('python', none, { timeout: '30s' })).toMatchObject({ state: 'completed' })

    const smiling = newWorker()
    start(smiling, ['python3', '-X', 'utf8', '-c', 'import sys; sys.exit(chr(0x1f600) * 1001)'], {
      PYTHONUTF8: '1',
    })
    await client.submit('python', smiling, { worker: smiling })
    expect(await client.wait('python', smiling, { timeout: '30s' })).toMatchObject({
      state: 'failed',
      completion: { reason: '😀'.repeat(500) },
      job: { starts: 1 },
    })
  })

  it('keeps a result where it is not that which is refused', async () => {
    const worker = newWorker()
    const proxy = await startTrouble(server.url, ({ verb, count }) =>
      verb === 'complete' && count === 1 ? { status: 403, body: '<html>no</html>' } : 'pass',
    )
    start(worker, ECHO, { GONE_URL: proxy.url })
    await client.submit('python', worker, { worker, data: 1 })
    expect(await client.wait('python', worker, { timeout: '40s' })).toMatchObject({
      completion: { result: 1 },
    })
  })

  it.each(['garble', 'trickle'] as const)('goes on after answers that %s', async (fate) => {
    const worker = newWorker()
    const proxy = await startTrouble(server.url, ({ verb, count }) =>
      verb === 'take' && count <= 2 ? fate : 'pass',
    )
    start(worker, ECHO, { GONE_URL: proxy.url })
    await client.submit('python', worker, { worker, data: 1 })
    expect(await client.wait('python', worker, { timeout: '30s' })).toMatchObject({ state: 'completed' })
    expect(proxy.asked.take).toBeGreaterThan(2)
  })

  it('ends the command, and what that has started, before another can have the job', async () => {
    const [worker, folder] = [newWorker(), await newFolder()]
    const proxy = await startTrouble(server.url, ({ verb }) => (verb === 'renew' ? 'hold' : 'pass'))
    const script = `sleep 60 & echo $! >${folder}/pid; wait`
    start(worker, ['sh', '-c', script], { GONE_URL: proxy.url, GONE_LEASE: '3s' })
    await client.submit('python', worker, { worker })
    const pid = await pidIn(join(folder, 'pid'))
    expect(await isRunning(pid)).toBe(true)
    const job = await client.take(worker, { wait: '30s' })
    expect(job).toBeDefined()
    expect(await isRunning(pid)).toBe(false)
    await job?.complete()
  })

  it('has as many threads after its jobs as before', async () => {
    const worker = newWorker()
    const python = start(worker, ECHO)
    await seen(worker)
    const threads = async () => (await readdir(`/proc/${python.pid}/task`)).length
    const before = await threads()
    for (const round of ['a', 'b', 'c', 'd', 'e']) {
      await client.submit('python', `${worker}-${round}`, { worker })
      await client.wait('python', `${worker}-${round}`, { timeout: '30s' })
    }
    await expect.poll(threads, { timeout: 30_000 }).toBeLessThanOrEqual(before)
  })

  it('keeps a job for longer than its lease, and gives it back when it is drained', async () => {
    const worker = newWorker()
    const python = start(worker, SLEEP, { GONE_DRAIN: '0' })
    await client.submit('python', worker, { worker, ifExecutorDies: 'fail' })
    const { fence } = await led(worker)
    expect(await client.take(worker, { wait: '6s' })).toBeUndefined()
    expect(await python.kill('SIGTERM')).toBe(0)
    const job = await client.take(worker, { wait: '20s' })
    expect(job?.fence).toBeGreaterThan(fence)
    await seen(worker, ({ state }) => state === 'ended')
  })

  it.each(['SIGHUP', 'SIGQUIT'] as const)(
    'gives its job back at %s, and leaves no command',
    async (signal) => {
      const [worker, folder] = [newWorker(), await newFolder()]
      const script = `echo $$ >${folder}/pid; exec sleep 60`
      const python = start(worker, ['sh', '-c', script], { GONE_DRAIN: '0' })
      await client.submit('python', worker, { worker })
      const pid = await pidIn(join(folder, 'pid'))
      expect(await python.kill(signal)).toBe(0)
      await expect.poll(() => isRunning(pid), { timeout: 30_000 }).toBe(false)
      await seen(worker, ({ state }) => state === 'ended')
      const job = await client.take(worker, { wait: '20s' })
      expect(job?.attempt).toBe(1)
      await job?.complete()
    },
  )

  it('is listed as stopping while it drains, however long that takes', async () => {
    const worker = newWorker()
    const python = start(worker, SLEEP, { GONE_DRAIN: '13' })
    await client.submit('python', worker, { worker })
    await led(worker)
    let isOver = false
    void python.kill('SIGTERM').then(() => {
      isOver = true
    })
    await seen(worker, ({ state }) => state === 'stopping')
    const states = new Set<string>()
    await expect
      .poll(
        async () => {
          for (const { state } of await client.fleet.instances({ worker, state: 'stopping,lost,ended' }))
            states.add(state)
          return isOver
        },
        { timeout: 60_000, interval: 200 },
      )
      .toBe(true)
    expect(states).not.toContain('lost')
    await seen(worker, ({ state }) => state === 'ended')
  })

  it('obeys: takes no job, takes them again, runs more at once, and ends to be started again', async () => {
    const worker = newWorker()
    const python = start(worker, ECHO)
    await seen(worker)
    await order(worker, 'unregister')
    await client.submit('python', worker, { worker })
    expect(await client.wait('python', worker, { timeout: '4s' })).toBeUndefined()
    expect(await seen(worker)).toMatchObject({ state: 'unregistered' })
    await order(worker, 'register')
    expect(await client.wait('python', worker, { timeout: '30s' })).toMatchObject({ state: 'completed' })
    await order(worker, 'concurrency', 3)
    await seen(worker, (one) => one.workers[0]?.slots === 3)
    await order(worker, 'restart')
    expect(await python.ended).toBe(75)
  })

  it('takes what is set of it from one place, and lets go of it', async () => {
    const worker = newWorker()
    start(worker, ['sh', '-c', 'echo "$GONE_CONFIG"'])
    await seen(worker)
    const target = { of: 'worker', name: worker } as const
    const { revision } = await client.fleet.config.put(target, { concurrency: 3, config: { from: 'a@b' } })
    const listed = await seen(worker, (one) => one.workers[0]?.settings?.revision === revision)
    expect(listed.workers[0]?.slots).toBe(3)
    await client.submit('python', worker, { worker })
    expect((await client.wait('python', worker, { timeout: '30s' }))?.completion?.result).toEqual({
      from: 'a@b',
    })
    const removed = await client.fleet.config.remove(target)
    const after = await seen(worker, (one) => one.workers[0]?.settings?.revision === removed.revision)
    expect(after.workers[0]?.slots).toBe(1)
  })

  it('that is killed is lost, and its job is run by another, under a higher fence', async () => {
    const worker = newWorker()
    const python = start(worker, SLEEP)
    await client.submit('python', worker, { worker })
    const { fence } = await led(worker)
    await python.kill('SIGKILL')
    const job = await client.take(worker, { wait: '30s' })
    expect(job?.fence).toBeGreaterThan(fence)
    await job?.complete()
    await seen(worker, ({ state }) => state === 'lost')
  })

  it('that stood still reports in vain, and goes on with the next job', async () => {
    const worker = newWorker()
    const python = start(worker, ['sh', '-c', 'sleep 3; echo 1'])
    await client.submit('python', worker, { worker })
    await led(worker)
    process.kill(python.pid, 'SIGSTOP')
    const job = await client.take(worker, { wait: '30s' })
    expect(job).toBeDefined()
    process.kill(python.pid, 'SIGCONT')
    await job?.complete('mine')
    await client.submit('python', `${worker}-next`, { worker })
    expect(await client.wait('python', `${worker}-next`, { timeout: '40s' })).toMatchObject({
      state: 'completed',
    })
    expect(await client.round('python', worker)).toMatchObject({ completion: { result: 'mine' } })
  })
})

async function led(round: string) {
  await expect
    .poll(async () => (await client.round('python', round))?.state, { timeout: 30_000, interval: 50 })
    .toBe('led')
  return { fence: (await client.round('python', round))?.fence ?? 0 }
}

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'gone-python-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** What the file says, once it is there. */
async function pidIn(file: string): Promise<number> {
  const read = async () => Number(await readFile(file, 'utf8').catch(() => '0'))
  await expect.poll(read, { timeout: 30_000 }).toBeGreaterThan(0)
  return read()
}

/** One that has ended stays in the list until somebody has asked how. */
async function isRunning(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  return !stat.includes(') Z')
}
