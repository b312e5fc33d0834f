import { beforeAll, describe, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/index.ts'
import { runCli } from '../support/cli.ts'
import { startServeProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let client: GoneClient

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
})

const gone = (...args: string[]) => runCli(args, { GONE_URL: server.url })
const fits = (stdout: string) => {
  for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
}

it('says on one screen that all is well, also of a server of which nothing was asked yet', async () => {
  const { code, stdout, stderr } = await gone('status')
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC\nserver +gone +Node +listens at\n/)
  expect(stdout).toMatch(new RegExp(`:${process.pid} +\\d+\\.\\d+\\.\\d+ +${process.versions.node} +http`))
  expect(stdout).toMatch(/\nredis {6}ready, (Redis|Valkey) \d\S+, \d+ MiB, with(out)? an AOF\n/)
  expect(stdout).toMatch(/\nrounds {5}0 led, 0 waiting, 0 overdue, 0 completed, 0 failed\n/)
  expect(stdout).toMatch(
    /\nschedules {2}none\nalerts {5}none open\nworkers {4}none: .*\nqueues {5}nothing waits\n/,
  )
  expect(stdout).toMatch(/\nall is well\n$/)
  fits(stdout)
  expect(await gone('queues')).toEqual({
    code: 0,
    stdout: 'no queues: nothing has been submitted to a worker\n',
    stderr: '',
  })
})

describe('with work', () => {
  beforeAll(async () => {
    await client.elect('db', '1')
    await client.fail('db', '2', { reason: 'disk full' })
    await client.submit('mail', '1', { worker: 'mailer' })
    await client.submit('mail', '2', { worker: 'mailer', priority: 3 })
    await client.submit('mail', '3', { worker: 'printer', delay: '1h' })
    await client.schedules.put('mail', 'hourly', { every: '1h', job: { worker: 'mailer' } })
    await client.take('mailer')
  })

  it('counts the jobs of each queue, by name and page by page', async () => {
    const { code, stdout } = await gone('queues')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^queue +waiting +running +delayed +completed +failed\n/)
    expect(stdout).toMatch(/\nmailer +1 +1 +0 +0 +0\nprinter +0 +0 +1 +0 +0\n$/)
    fits(stdout)
    const none = { waiting: 0, active: 0, delayed: 0, prioritized: 0, completed: 0, failed: 0 }
    const queues = await client.queues()
    expect(queues).toEqual([
      { ...none, name: 'mailer', prioritized: 1, active: 1 },
      { ...none, name: 'printer', delayed: 1 },
    ])
    expect(JSON.parse((await gone('queues', '--json')).stdout)).toEqual(queues)
    const page = await (await fetch(`${server.url}/api/v1/queues?limit=1`)).json()
    expect(page).toEqual({ queues: queues.slice(0, 1), next: 'mailer' })
    const rest = await (await fetch(`${server.url}/api/v1/queues?limit=1&cursor=mailer`)).json()
    expect(rest).toEqual({ queues: queues.slice(1) })
  })

  it('shows what is there, and exits 1 with what is wrong', async () => {
    // Rounds are counted once in two seconds for all who ask.
    await expect.poll(async () => (await client.tally()).counts.failed).toBe(1)
    const well = await gone('status')
    expect(well.code).toBe(0)
    expect(well.stdout).toMatch(/\nrounds {5}2 led, 2 waiting, 0 overdue, 0 completed, 1 failed\n/)
    expect(well.stdout).toMatch(/\nschedules {2}1, next mail\/hourly at \S+ \S+ UTC\n/)
    expect(well.stdout).toMatch(/\nqueues {5}mailer 1 waiting, 1 running\n/)
    await client.elect('db', 'late', { deadline: '1s' })
    await expect.poll(async () => (await client.status()).overdue).toBe(1)
    const wrong = await gone('status')
    expect(wrong.code).toBe(1)
    expect(wrong.stdout).toMatch(/\nwrong {6}1 round is overdue\n$/)
    fits(wrong.stdout)
    expect(JSON.parse((await gone('status', '--json')).stdout)).toMatchObject({
      wrong: ['1 round is overdue'],
      servers: [{ pid: process.pid }],
      redis: { ready: true, hasAof: expect.any(Boolean), usedMemoryBytes: expect.any(Number) },
      rounds: { counts: { failed: 1 } },
      schedules: [{ name: 'hourly' }],
      alerts: [],
    })
  })

  it('lists every server of the same Redis, until it ends', async () => {
    const other = await startServeProcess({ REDIS_URL: server.redis.url })
    const pids = async () => (await client.status()).servers.map(({ pid }) => pid).toSorted()
    await expect.poll(pids).toEqual([process.pid, other.pid].toSorted())
    const urlOfOther = async () => (await client.status()).servers.find(({ pid }) => pid === other.pid)?.url
    await expect.poll(urlOfOther).toBe(other.url)
    await other.stop()
    await expect.poll(pids).toEqual([process.pid])
  })

  it('forgets a server that was killed', async () => {
    const other = await startServeProcess({ REDIS_URL: server.redis.url })
    const count = async () => (await client.status()).servers.length
    await expect.poll(count).toBe(2)
    await other.kill()
    await expect.poll(count).toBe(1)
  })
})

it('cannot tell where no server answers', async () => {
  const nowhere = await startTestServer({ redis: server.redis })
  await nowhere.stop()
  const { code, stdout } = await runCli(['status', '--server', nowhere.url, '--timeout', '1s'])
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
})
