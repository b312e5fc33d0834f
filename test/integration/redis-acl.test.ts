import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Queue } from 'bullmq'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freeLoopbackPort } from '../../src/embedded/redis-child.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { runCli } from '../support/cli.ts'
import { startCluster } from '../support/cluster.ts'
import { silentLog } from '../support/log.ts'
import { builtPath } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { type Certificates, makeCertificates, tlsArgs } from '../support/redis-forms.ts'
import { type Call, send } from '../support/requests.ts'
import { startServeProcess, startWorkProcess } from '../support/serve-process.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

let folder: string
let certificates: Certificates
let redis: TestRedis
let gates: TestRedis[]
/** Of a Cluster, once it is there. */
let nodes: readonly TestRedis[] = []
let tlsPort: number
/** The commands that docs/redis.md gives, as words. */
let users: string[][]
const closers: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gone-acl-'))
  certificates = await makeCertificates(folder)
  tlsPort = await freeLoopbackPort()
  redis = await startRedis({ args: tlsArgs(tlsPort, certificates) })
  gates = await Promise.all([1, 2, 3].map(() => startRedis()))
  const docs = await readFile(join(ROOT, 'docs/redis.md'), 'utf8')
  const block = /^```redis\n([\s\S]*?)^```/m.exec(docs)?.[1] ?? ''
  users = block
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
  for (const { port } of [redis, ...gates]) await putUsers(port)
})

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close()
  for (const one of [redis, ...gates]) await one.stop()
  await rm(folder, { recursive: true, force: true })
})

async function putUsers(port: number): Promise<void> {
  const admin = new Redis(port)
  for (const [command = '', ...words] of users) await admin.call(command, ...words)
  await admin.acl('SETUSER', 'admin', 'on', '>admin', '~*', '&*', '+@all')
  await admin.acl('SETUSER', 'default', 'off')
  admin.disconnect()
}

const passwordOf = (user: string) =>
  users
    .find(([, , name]) => name === user)
    ?.find((word) => word.startsWith('>'))
    ?.slice(1) ?? ''
const plainUrl = (user: string) => `redis://${user}:${passwordOf(user)}@127.0.0.1:${redis.port}`
const tlsUrl = (user: string) => `rediss://${user}:${passwordOf(user)}@localhost:${tlsPort}`
const gateUrls = () =>
  gates.map(({ port }) => `redis://gone-gate:${passwordOf('gone-gate')}@127.0.0.1:${port}`).join(',')

async function connected(url: string): Promise<RedisClient> {
  const client = connect(url, 'commands', 'test', silentLog)
  await new Promise((resolve) => client.once('ready', resolve))
  return client
}

/** What Redis refused to whom since the last look. */
async function refusals(): Promise<string[]> {
  const found: string[] = []
  for (const { port } of [redis, ...gates, ...nodes]) {
    const admin = new Redis(`redis://admin:admin@127.0.0.1:${port}`)
    for (const entry of (await admin.acl('LOG')) as unknown[][]) {
      const fields = entry.map(String)
      const field = (name: string) => fields[fields.indexOf(name) + 1]
      found.push(`${field('username')} ${field('reason')} ${field('object')}`)
    }
    await admin.acl('LOG', 'RESET')
    admin.disconnect()
  }
  return found
}

/** All that servers and workers do, with nothing refused. */
async function playAll(env: (user: string) => Record<string, string>, system: string): Promise<void> {
  const made = await runCli(['key', 'create', '--name', system, '--actions', 'admin'], env('gone-keys'))
  expect(made).toMatchObject({ code: 0 })
  const authorization = `Bearer ${made.stdout.trim()}`
  const server = await startServeProcess({ ...env('gone-server'), GONE_BOARD: 'read-write' })
  closers.push(() => server.stop())
  const work = await startWorkProcess(builtPath('workers'), { ...env('gone-worker') })
  closers.push(() => work.stop())
  const ask = async (call: Call) => {
    const headers = { authorization, 'content-type': 'application/json', origin: server.url, ...call.headers }
    return send(server.url, { ...call, headers })
  }
  const step = (name: string, round: string, query = '') =>
    ask({ method: 'POST', path: `/api/v1/${name}/${system}/${round}${query}` }).then(({ status }) => status)

  expect(await step('elect', '1', '?candidate=a&lease=1s&deadline=2s')).toBe(202)
  expect(await step('elect', '1', '?candidate=b')).toBe(204)
  expect(await step('renew', '1', '?candidate=a&lease=1s')).toBe(200)
  expect(await step('elect', '1', '?candidate=b&wait=10s&deadline=2s')).toBe(202)
  expect(await step('elect', '2', '?deadline=1s')).toBe(202)
  expect(await step('elect', '3')).toBe(202)
  expect(await step('fail', '3', '?reason=x')).toBe(200)
  const waiting = ask({ path: `/api/v1/rounds/${system}/1?wait=10s` })
  expect(await step('complete', '1', '?candidate=b')).toBe(200)
  expect((await waiting).text).toContain('"state":"completed"')
  const body = JSON.stringify({ worker: 'hello', data: { names: ['Ada'] }, deadline: '1m', priority: 1 })
  expect((await ask({ method: 'POST', path: `/api/v1/submit/${system}/4`, body })).status).toBe(202)
  const delayed = JSON.stringify({ worker: 'hello', data: { names: [] }, delay: '1s', attempts: 2 })
  expect((await ask({ method: 'POST', path: `/api/v1/submit/${system}/5`, body: delayed })).status).toBe(202)
  expect((await ask({ path: `/api/v1/rounds/${system}/4?wait=20s` })).text).toContain('"state":"completed"')
  expect((await ask({ path: `/api/v1/rounds/${system}/5?wait=20s` })).text).toMatch(
    /"state":"(completed|failed)"/,
  )
  await expect
    .poll(async () => (await ask({ path: '/metrics' })).text, { timeout: 30_000 })
    .toMatch(/gone_queue_jobs\{queue="rounds",state="failed"\} [1-9]/)
  for (const path of [
    '/api/v1/rounds',
    '/readyz',
    '/board',
    '/board/api/queues?activeQueue=rounds',
    '/docs/json',
  ])
    expect([path, (await ask({ path })).status]).toEqual([path, 200])
  const board = (path: string) => ask({ method: 'PUT', path: `/board/api/queues/rounds/${path}` })
  expect((await board('pause')).status).toBe(200)
  expect((await board('resume')).status).toBe(200)
  expect(await work.stop()).toBe(0)
  expect(await server.stop()).toBe(0)
  expect((await runCli(['key', 'list'], env('gone-keys'))).stdout).toContain(system)
  expect(await refusals()).toEqual([])
}

describe('the users of docs/redis.md', () => {
  it('are four', () => {
    expect(users.map(([, , name]) => name)).toEqual(['gone-server', 'gone-worker', 'gone-gate', 'gone-keys'])
  })

  it('may do all that servers and workers do', async () => {
    await playAll((user) => ({ REDIS_URL: plainUrl(user) }), 'plain')
  }, 90_000)

  it('may do so over TLS with a CA of our own, and with a gate of three nodes', async () => {
    const secured = (user: string) => ({
      REDIS_URL: tlsUrl(user),
      NODE_EXTRA_CA_CERTS: certificates.ca,
      ...(user !== 'gone-keys' && { GATE_REDIS_URLS: gateUrls() }),
    })
    await playAll(secured, 'secured')
  }, 90_000)

  it('may do so on a Cluster, and move what an older build has left there', async () => {
    const cluster = await startCluster()
    closers.push(() => cluster.stop())
    nodes = cluster.nodes
    for (const { port } of nodes) await putUsers(port)
    const addresses = cluster.redis.url.replace(/^.*\/\//, '')
    const url = (user: string) => `redis+cluster://${user}:${passwordOf(user)}@${addresses}`
    await playAll((user) => ({ REDIS_URL: url(user) }), 'clustered')
    const old = await connected(url('gone-server'))
    const queue = new Queue('hello', { connection: old, prefix: QUEUE_PREFIX })
    await queue.add('clustered', { names: [] }, { jobId: 'clustered~old' })
    const adopted = await runCli(['queues', 'adopt'], { REDIS_URL: url('gone-server') })
    expect([adopted.code, adopted.stdout]).toEqual([0, 'hello: 1 moved\n'])
    await queue.close()
    await disconnect(old)
    expect(await refusals()).toEqual([])
  }, 120_000)

  it('may do no more', async () => {
    const denied: [string, string[]][] = [
      ['gone-server', ['HSET', 'gone:keys', 'a', 'b']],
      ['gone-server', ['HDEL', 'gone:keys', 'a']],
      ['gone-server', ['GET', 'other']],
      ['gone-server', ['GET', 'gone:other']],
      ['gone-server', ['KEYS', '*']],
      ['gone-server', ['FLUSHALL']],
      ['gone-server', ['CONFIG', 'GET', '*']],
      ['gone-server', ['ACL', 'LIST']],
      ['gone-server', ['SCRIPT', 'FLUSH']],
      ['gone-server', ['SUBSCRIBE', 'other']],
      ['gone-worker', ['HGETALL', 'gone:keys']],
      ['gone-worker', ['HGETALL', 'gone:sessions']],
      ['gone-worker', ['FLUSHDB']],
      ['gone-worker', ['SHUTDOWN', 'NOSAVE']],
      ['gone-gate', ['GET', 'gone:{a}:fence']],
      ['gone-gate', ['HGETALL', 'gone:keys']],
      ['gone-gate', ['EVAL', "return redis.call('set', 'x', 1)", '0']],
      ['gone-keys', ['GET', 'gone:{a}:fence']],
      ['gone-keys', ['DEL', 'gone:keys']],
    ]
    for (const [user, [command = '', ...words]] of denied) {
      const client = new Redis(plainUrl(user))
      await expect(client.call(command, ...words), `${user} ${command}`).rejects.toThrow(
        /NOPERM|permission|ACL|executing the script can't/i,
      )
      client.disconnect()
    }
    await refusals()
  })
})

describe('TLS', () => {
  it('is refused in one line where the certificate is of nobody known', async () => {
    const ended = await runCli(['key', 'list'], { REDIS_URL: tlsUrl('gone-keys') })
    expect(ended).toMatchObject({ code: 2, stdout: '' })
    expect(ended.stderr).toMatch(/certificate/)
    expect(ended.stderr).not.toContain(passwordOf('gone-keys'))
  })

  it('is refused where the certificate is of another name', async () => {
    const url = tlsUrl('gone-keys').replace('localhost', '127.0.0.2')
    const env = { REDIS_URL: url, NODE_EXTRA_CA_CERTS: certificates.ca }
    expect((await runCli(['key', 'list'], env)).code).toBe(2)
  })
})
