import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { spawnCli } from '../support/cli.ts'
import { endOf, type Process, startProcess } from '../support/processes.ts'
import { program } from '../support/program.ts'
import { startRedis } from '../support/redis.ts'

const PROCESSES = 2
/** What a process takes that begins on a busy machine. */
const SOON = { timeout: 60_000, interval: 100 }

let folder: string
let server: Process
interface Entry {
  readonly msg: string
  readonly pid: number
}
const log: Entry[] = []

function serve(env: Readonly<Record<string, string>>, onLine: (line: string) => void): Promise<Process> {
  return startProcess({
    name: 'gone serve --processes',
    args: [...program('src/cli/main.ts'), 'serve', '--port', '0', '--processes', String(PROCESSES)],
    env: { GONE_LOG_LEVEL: 'info', ...env },
    onLine,
  })
}

const entryOf = (line: string) => JSON.parse(line) as Entry

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-processes-'))
  // With a Redis of its own.
  server = await serve({ GONE_DATA_DIR: join(folder, 'data') }, (line) => log.push(entryOf(line)))
}, 90_000)

afterAll(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

/** One request on a connection of its own, which is the next process' turn; undefined where nobody answers. */
function ask(path: string, withinMs = 20_000): Promise<{ status: number; text: string } | undefined> {
  return new Promise((resolve) => {
    const agent = new Agent({ keepAlive: false })
    const request = get(`${server.url}${path}`, { agent, timeout: withinMs }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.once('error', () => resolve(undefined))
    })
    request.once('timeout', () => request.destroy())
    request.once('error', () => resolve(undefined))
  })
}

/** Those that serve and have not ended. */
const pids = () => log.flatMap(({ msg, pid }) => (msg === SERVES && isThere(pid) ? [pid] : []))
const SERVES = 'a process of the server serves'
const ENDED = 'a process of the server has ended by itself; another is started'

/** One that nobody waits for is dead, although its number is still taken. */
function isThere(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

async function redisPidIn(dataDir: string): Promise<number> {
  const client = new Redis({ path: join(dataDir, 'redis.sock') })
  try {
    return Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1])
  } finally {
    client.disconnect()
  }
}

/** A sample of `/metrics`, as whoever's turn it is tells it. */
async function metric(sample: string): Promise<number> {
  const { text = '' } = (await ask('/metrics')) ?? {}
  const line = text.split('\n').find((one) => one.startsWith(`${sample} `))
  return Number(line?.slice(sample.length + 1))
}

const LED = 'gone_elections_total{outcome="elected"}'
let led = 0

/** So many rounds are led, each asked for on another connection. */
async function lead(count: number): Promise<void> {
  for (let n = 0; n < count; n += 1) {
    led += 1
    expect((await ask(`/api/v1/elect/joint/${led}`))?.status).toBe(202)
  }
}

const ready = async () => {
  const { status, text = '{}' } = (await ask('/readyz', 3_000)) ?? {}
  const { trouble, warning } = JSON.parse(text) as { trouble?: string; warning?: string }
  return { status, ...(trouble && { trouble }), ...(warning && { warning }) }
}

it('serves one port by several processes, one of which elects what another has elected', async () => {
  // A line that another process has printed may come after that of their parent.
  await expect.poll(() => new Set(pids()).size, SOON).toBe(PROCESSES)
  expect(pids()).not.toContain(server.pid)
  const listed = async () => {
    const { text = '{}' } = (await ask('/api/v1/status')) ?? {}
    const { servers } = JSON.parse(text) as { servers: { pid: number; url: string }[] }
    return servers.map(({ pid, url }) => `${pid} ${url}`).sort()
  }
  await expect.poll(listed, SOON).toEqual(
    pids()
      .map((pid) => `${pid} ${server.url}`)
      .sort(),
  )
  const statuses = await Promise.all(
    Array.from({ length: 20 }, async () => (await ask('/api/v1/elect/joint/one'))?.status),
  )
  expect(statuses.filter((status) => status === 202)).toHaveLength(1)
  expect(statuses.filter((status) => status === 204)).toHaveLength(19)
  expect(await ready()).toEqual({ status: 200 })
})

it('tells the sum of what all have counted, whichever is asked', async () => {
  const before = await metric(LED)
  await lead(9)
  const told = [await metric(LED), await metric(LED), await metric(LED), await metric(LED)]
  expect(told).toEqual(told.map(() => before + 9))
  // The same from each, and so not added up.
  expect(await metric('gone_schedules')).toBe(0)
  expect(await metric('process_resident_memory_bytes')).toBeGreaterThan(PROCESSES * 40_000_000)
})

it('starts another for one that was killed, answers meanwhile, and its sum does not fall', async () => {
  const before = await metric(LED)
  const [victim = -1] = pids()
  process.kill(victim, 'SIGKILL')
  // Until then its parent may still give it connections, which break: their callers ask again.
  await expect.poll(() => log.filter(({ msg }) => msg === ENDED).length, SOON).toBe(1)
  await lead(5)
  expect(await metric(LED)).toBe(before + 5)
  await expect.poll(() => pids().length, SOON).toBe(PROCESSES)
  await expect.poll(ready, SOON).toEqual({ status: 200 })
  await lead(4)
  expect(await metric(LED)).toBe(before + 9)
}, 120_000)

it('is not ready while one of them does not answer', async () => {
  const [silent = -1] = pids()
  process.kill(silent, 'SIGSTOP')
  await expect
    .poll(async () => (await ready()).trouble, SOON)
    .toBe(`1 of ${PROCESSES} processes of this server do not answer`)
  process.kill(silent, 'SIGCONT')
  await expect.poll(ready, SOON).toEqual({ status: 200 })
}, 120_000)

it('says in one line why it cannot serve', async () => {
  const { port } = new URL(server.url)
  const args = ['serve', '--port', port, '--processes', '2']
  const { code, stderr } = await endOf(spawnCli(args, { GONE_DATA_DIR: join(folder, 'another') }))
  expect(code).toBe(2)
  expect(stderr.trim().split('\n')).toEqual([expect.stringMatching(/^gone: port \d+ of 127.0.0.1 is taken/)])
}, 60_000)

it.each(['0', '65', 'all', '1.5'])('takes no %s processes', async (count) => {
  const { code, stderr } = await endOf(spawnCli(['serve', '--processes', count]))
  expect(code).toBe(2)
  expect(stderr).toContain('expected an integer from 1 to 64, or auto')
})

it('leaves nobody behind where it is killed itself', async () => {
  const redis = await startRedis()
  const served: number[] = []
  const killed = await serve({ REDIS_URL: redis.url }, (line) => {
    const { msg, pid } = entryOf(line)
    if (msg === SERVES) served.push(pid)
  })
  await expect.poll(() => served.length, SOON).toBe(PROCESSES)
  await killed.kill()
  await expect.poll(() => served.filter(isThere), SOON).toEqual([])
  await redis.stop()
}, 90_000)

it('drains and exits with 0 also where it is told to stop before all of them serve', async () => {
  const redis = await startRedis()
  const args = ['serve', '--port', '0', '--processes', String(PROCESSES)]
  const child = spawnCli(args, { REDIS_URL: redis.url, GONE_LOG_LEVEL: 'info' })
  const served: number[] = []
  for (const stream of [child.stdout, child.stderr])
    if (stream)
      createInterface(stream).on('line', (line) => {
        if (!line.includes(SERVES)) return
        if (served.push(entryOf(line).pid) === 1) child.kill()
      })
  const { code, stdout, stderr } = await endOf(child)
  expect({ code, said: stdout + stderr }).toMatchObject({
    code: 0,
    said: expect.stringContaining('"stopped"'),
  })
  expect(served.filter(isThere)).toEqual([])
  await redis.stop()
}, 90_000)

it('answers who waits, ends all of them and its Redis, and then itself', async () => {
  await lead(1)
  const waiting = Array.from({ length: 4 }, () => ask(`/api/v1/elect/joint/${led}?wait=40s`))
  await new Promise((resolve) => setTimeout(resolve, 500))
  const redis = await redisPidIn(join(folder, 'data'))
  const ended = pids()
  expect(await server.stop()).toBe(0)
  for (const answer of await Promise.all(waiting)) expect([204, 503]).toContain(answer?.status)
  expect([...ended, redis].filter(isThere)).toEqual([])
}, 60_000)
