import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import { afterEach, expect, it } from 'vitest'
import type { Process } from '../support/processes.ts'
import { builtPath } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { type Pair, redisCli, startPair } from '../support/redis-forms.ts'
import { startServeProcess, startWorkProcess } from '../support/serve-process.ts'

/** As many as a hung primary once kept from being started at all. */
const JOBS = Array.from({ length: 62 }, (_, i) => `job-${i}`)
/** How long the clients go on hearing nothing before it can be told from a slow answer, on a slow machine. */
const NOTICED_WITHIN_MS = 40_000

const closers: (() => unknown)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
}, 30_000)

it('has servers and workers go on after a failover from a primary that is stopped, not dead', async () => {
  const { primary, replica, url, failedOver } = await pair()
  const server = await serve(url)
  const said: string[] = []
  await work(url, said)
  expect(await submit(server, 'before')).toBe(202)
  await expect.poll(() => stateOf(server, 'before'), { timeout: 30_000 }).toBe('completed')
  await elect(server, 'silent?candidate=ann&deadline=1s')

  primary.pause()
  await failedOver()
  for (const job of JOBS) {
    await expect.poll(() => submit(server, job), { timeout: 30_000 }).toSatisfy(isDone)
  }
  const open = async () => {
    const states = await Promise.all(JOBS.map((job) => stateOf(server, job)))
    return states.filter((state) => state !== 'completed').length
  }
  await expect.poll(open, { timeout: NOTICED_WITHIN_MS, interval: 250 }).toBe(0)
  await expect
    .poll(async () => (await fetch(`${server.url}/metrics`)).text(), { timeout: NOTICED_WITHIN_MS })
    .toMatch(/^gone_overdue_rounds 1$/m)
  const onReplica = new Redis(replica.port)
  closers.push(() => onReplica.disconnect())
  await expect
    .poll(() => onReplica.zcount('{gone}:rounds:failed', '-inf', '+inf'), { timeout: NOTICED_WITHIN_MS })
    .toBe(1)
  const toldBy = /(the sentinels name another primary|Redis did not answer in time|Redis is not reachable)"/
  expect(said.filter((line) => toldBy.test(line))).not.toEqual([])
}, 180_000)

it('acknowledges nothing at an old primary that answers again after a failover', async () => {
  const { primary, replica, url, failedOver } = await pair()
  const said: string[] = []
  const server = await serve(url)
  server.child.stdout?.setEncoding('utf8').on('data', (text: string) => said.push(...text.split('\n')))
  await elect(server, 'before')
  primary.pause()
  await failedOver()
  // Until then they would send who asks to the old one.
  await expect
    .poll(() => said.some((line) => line.includes('the sentinels name another primary')), { timeout: 30_000 })
    .toBe(true)
  primary.resume()
  const rounds = Array.from({ length: 40 }, (_, i) => `round-${i}`)
  for (const round of rounds) {
    await expect
      .poll(() => elect(server, `${round}?candidate=ann`), { timeout: 30_000, interval: 20 })
      .toBe(202)
  }
  const role = () => redisCli(['-p', String(primary.port), 'role']).catch(() => '')
  await expect.poll(role, { timeout: 60_000 }).toMatch(/^slave/)
  const kept = await Promise.all(rounds.map((round) => elect(server, `${round}?candidate=ben`)))
  expect(kept).toEqual(rounds.map(() => 204))
  expect(replica.port).not.toBe(primary.port)
}, 180_000)

it('asks the other sentinels where one takes connections and says nothing', async () => {
  const { url } = await pair()
  const mute = createServer(() => undefined)
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
  closers.push(() => mute.close())
  const { port } = mute.address() as { port: number }
  const server = await serve(url.replace('://', `://127.0.0.1:${port},`))
  expect(await elect(server, 'round')).toBe(202)
}, 90_000)

it('has a worker go on whose connections go silent without being closed', async () => {
  const redis = await startRedis()
  closers.push(() => redis.stop())
  const said: string[] = []
  const server = await serve(redis.url)
  await work(redis.url, said)
  redis.pause()
  await expect
    .poll(() => said.some((line) => line.includes('Redis did not answer in time')), {
      timeout: NOTICED_WITHIN_MS,
    })
    .toBe(true)
  redis.resume()
  await expect.poll(() => submit(server, 'after'), { timeout: 30_000 }).toSatisfy(isDone)
  await expect.poll(() => stateOf(server, 'after'), { timeout: NOTICED_WITHIN_MS }).toBe('completed')
}, 120_000)

async function pair(): Promise<Pair> {
  const started: TestRedis[] = []
  const pair = await startPair(async (args) => {
    const redis = await startRedis({ args })
    closers.push(() => redis.stop())
    started.push(redis)
    return redis
  })
  closers.push(() => pair.stop())
  return pair
}

async function serve(url: string): Promise<Process> {
  const server = await startServeProcess({ REDIS_URL: url })
  closers.push(() => server.kill())
  return server
}

async function work(url: string, said: string[]): Promise<void> {
  const worker = await startWorkProcess(builtPath('chaos/workers'), {
    REDIS_URL: url,
    CHAOS_EFFECTS: '/dev/null',
  })
  worker.child.stdout?.setEncoding('utf8').on('data', (text: string) => said.push(...text.split('\n')))
  closers.push(() => worker.kill())
}

const isDone = (status: number) => status === 202 || status === 200

async function submit({ url }: Process, round: string): Promise<number> {
  const reply = await fetch(`${url}/api/v1/submit/jobs/${round}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ worker: 'probe' }),
  })
  await reply.text()
  return reply.status
}

async function elect({ url }: Process, round: string): Promise<number> {
  const reply = await fetch(`${url}/api/v1/elect/led/${round}`, { method: 'POST' })
  await reply.text()
  return reply.status
}

async function stateOf({ url }: Process, round: string): Promise<string> {
  const reply = await fetch(`${url}/api/v1/rounds/jobs/${round}`)
  const text = await reply.text()
  return reply.status === 200 ? JSON.parse(text).state : text
}
