import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freeLoopbackPort } from '../../src/embedded/redis-child.ts'
import { runCli } from '../support/cli.ts'
import { builtPath } from '../support/program.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import {
  type Certificates,
  CLUSTER_NODE,
  formCluster,
  makeCertificates,
  redisCli,
  startSentinel,
  tlsArgs,
} from '../support/redis-forms.ts'
import { startServeProcess, startWorkProcess } from '../support/serve-process.ts'
import { startTestServer } from '../support/server.ts'

const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start(options: Parameters<typeof startRedis>[0] = {}): Promise<TestRedis> {
  const redis = await startRedis(options)
  closers.push(() => redis.stop())
  return redis
}

/** Rounds from election to board, on the server at this address. */
async function playRounds(url: string): Promise<void> {
  const ask = (path: string) => fetch(`${url}/api/v1/${path}`)
  for (let n = 0; n < 20; n += 1) {
    const round = `system-${n}/round`
    expect((await ask(`elect/${round}?candidate=anna`)).status).toBe(202)
    expect((await ask(`elect/${round}`)).status).toBe(204)
    expect((await ask(`complete/${round}?candidate=anna`)).status).toBe(200)
    expect((await ask(`completed/${round}`)).status).toBe(200)
  }
  const { rounds } = (await (await ask('rounds?state=completed')).json()) as { rounds: unknown[] }
  expect(rounds).toHaveLength(20)
  const jobs = /gone_queue_jobs\{queue="rounds",state="completed"\} 20/
  await expect.poll(async () => (await fetch(`${url}/metrics`)).text(), { timeout: 30_000 }).toMatch(jobs)
  expect((await fetch(`${url}/readyz`)).status).toBe(200)
}

async function play(redis: TestRedis, url: string): Promise<void> {
  const server = await startTestServer({ redis, env: { REDIS_URL: url } })
  await playRounds(server.url)
  await server.stop()
}

describe('REDIS_URL', () => {
  it('takes a password and a database', async () => {
    const redis = await start()
    await redisCli(['-p', String(redis.port), 'config', 'set', 'requirepass', 'secret:/?'])
    await play(redis, `redis://:${encodeURIComponent('secret:/?')}@127.0.0.1:${redis.port}/3`)
  })

  it('takes a cluster', async () => {
    const nodes = await Promise.all([1, 2, 3].map(() => start({ args: CLUSTER_NODE })))
    const addresses = await formCluster(nodes.map(({ port }) => port))
    await play(nodes[0] as TestRedis, `redis+cluster://${addresses}`)
  })

  it('takes sentinels', async () => {
    const primary = await start()
    const sentinel = await startSentinel(primary.port)
    closers.push(() => sentinel.stop())
    await play(primary, `redis+sentinel://${sentinel.addresses}/rounds`)
  })

  it('takes sentinels that want a password of their own, beside that of the primary', async () => {
    const primary = await start({ args: ['--requirepass', 'of-redis'] })
    const sentinels = [1, 2, 3].map(() => startSentinel(primary.port, undefined, 'of-s3ntinels'))
    for (const sentinel of await Promise.all(sentinels)) closers.push(() => sentinel.stop())
    const addresses = (await Promise.all(sentinels)).map((sentinel) => sentinel.addresses).join(',')
    const url = `redis+sentinel://:of-redis@${addresses}/rounds/2`
    await play(primary, `${url}?sentinel-password=of-s3ntinels`)
    for (const wrong of [url, `${url}?sentinel-password=of-nobody`]) {
      const ended = await runCli(['serve', '--port', '0'], { REDIS_URL: wrong })
      expect(ended.code).toBe(2)
      expect(ended.stderr).toMatch(/^[^\n]*the sentinels want other credentials \(\?sentinel-user=[^\n]*\n$/m)
      expect(ended.stderr + ended.stdout).not.toMatch(/of-redis|of-nobody/)
    }
  })

  it('takes a socket with a password and a database', async () => {
    const redis = await start({ args: ['--requirepass', 'secret', '--unixsocket', 'its.sock'] })
    await play(redis, `unix://:secret@${redis.dir}/its.sock?database=4`)
  })
})

describe('a database that cannot be selected', () => {
  const none =
    /^[^\n]*REDIS_URL: cannot reach redis:[^\n]*\/99: Redis does not give us that database \(ERR DB index is out of range\)\n$/m

  it.each([[['serve', '--port', '0']], [['work']], [['key', 'list']]])(
    'stops gone %j in one line',
    async (args) => {
      const redis = await start()
      const ended = await runCli(args, { REDIS_URL: `${redis.url}/99` })
      expect(ended.code).toBe(2)
      expect(ended.stderr).toMatch(none)
      expect(await redisCli(['-p', String(redis.port), 'dbsize'])).toBe('0\n')
    },
  )

  it('stops the start where a gate node has it not, or its user may not select', async () => {
    const [redis, ...gates] = await Promise.all([1, 2, 3, 4].map(() => start()))
    const [one, two, three] = gates.map(({ url }) => url)
    const refused = await runCli(['serve', '--port', '0'], {
      REDIS_URL: redis?.url ?? '',
      GATE_REDIS_URLS: `${one},${two}/16,${three}`,
    })
    expect(refused.stderr).toMatch(/GATE_REDIS_URLS: Redis does not give us that database/)
    await redisCli(['-p', String(redis?.port), ...'acl setuser me on >pw ~* &* +@all -select'.split(' ')])
    const url = `redis://me:pw@127.0.0.1:${redis?.port}/1`
    const forbidden = await runCli(['serve', '--port', '0'], { REDIS_URL: url })
    expect(forbidden.stderr).toMatch(/does not give us that database \(NOPERM/)
    expect([refused.code, forbidden.code]).toEqual([2, 2])
  })

  it('is an error that says retry where it is gone later, and nothing is written to another', async () => {
    const redis = await start()
    const cli = (...words: string[]) => redisCli(['-p', String(redis.port), ...words])
    const server = await startTestServer({ redis, env: { REDIS_URL: `${redis.url}/3` } })
    closers.push(() => server.stop())
    expect((await fetch(`${server.url}/api/v1/elect/a/1`)).status).toBe(202)
    await cli(...'acl setuser default -select'.split(' '))
    await cli(...'client kill type normal skipme yes'.split(' '))
    await cli(...'client kill type pubsub'.split(' '))
    for (let n = 0; n < 20; n += 1) {
      expect((await fetch(`${server.url}/api/v1/elect/a/later-${n}`)).status).toBe(500)
    }
    expect(await cli('dbsize')).toBe('0\n')
    await cli(...'acl setuser default +select'.split(' '))
    await expect
      .poll(async () => (await fetch(`${server.url}/api/v1/elect/a/2`)).status, { timeout: 30_000 })
      .toBe(202)
  })
})

describe('with TLS and an authority of our own', () => {
  let folder: string
  let certificates: Certificates

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gone-tls-'))
    certificates = await makeCertificates(folder)
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  /** Another test may take a port between our look and our start, and a node of a cluster takes one more. */
  async function startSecured(args: readonly string[] = [], attempts = 5): Promise<number> {
    const port = await freeLoopbackPort()
    try {
      await start({ args: [...args, ...tlsArgs(port, certificates)] })
      return port
    } catch (error) {
      if (attempts === 1) throw error
      return startSecured(args, attempts - 1)
    }
  }

  const forms: Readonly<Record<string, () => Promise<string>>> = {
    async 'a cluster'() {
      const named = [
        '--cluster-announce-hostname',
        'localhost',
        '--cluster-preferred-endpoint-type',
        'hostname',
      ]
      const node = () => startSecured([...CLUSTER_NODE, '--tls-cluster', 'yes', ...named])
      const addresses = await formCluster(await Promise.all([node(), node(), node()]), certificates)
      return `rediss+cluster://${addresses.replaceAll('127.0.0.1', 'localhost')}`
    },
    async sentinels() {
      const sentinel = await startSentinel(await startSecured(), certificates)
      closers.push(() => sentinel.stop())
      return `rediss+sentinel://${sentinel.addresses.replace('127.0.0.1', 'localhost')}/rounds`
    },
  }

  it.each(Object.entries(forms))(
    'servers and workers use %s',
    async (_, startForm) => {
      const env = { REDIS_URL: await startForm(), NODE_EXTRA_CA_CERTS: certificates.ca }
      const server = await startServeProcess(env)
      closers.push(() => server.stop())
      await playRounds(server.url)
      const work = await startWorkProcess(builtPath('workers'), env)
      closers.push(() => work.stop())
      const submitted = await fetch(`${server.url}/api/v1/submit/greeter/1`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ worker: 'hello', data: { names: ['Ada'] } }),
      })
      expect(submitted.status).toBe(202)
      const ended = await fetch(`${server.url}/api/v1/rounds/greeter/1?wait=20s`)
      expect(await ended.json()).toMatchObject({ state: 'completed' })
      expect([await work.stop(), await server.stop()]).toEqual([0, 0])
    },
    90_000,
  )

  it.each(Object.entries(forms))(
    'a server does not start where the authority of %s is unknown to it',
    async (_, startForm) => {
      const url = await startForm()
      const ended = await runCli(['serve', '--port', '0'], { REDIS_URL: url })
      expect(ended, ended.stderr).toMatchObject({ code: 2 })
      const line = new RegExp(
        `^[^\\n]*REDIS_URL: cannot reach ${url.replace(/[+.]/g, '\\$&')}: the certificate of Redis is not accepted \\(self-signed certificate in certificate chain\\); ` +
          'a private authority is named in NODE_EXTRA_CA_CERTS$',
        'm',
      )
      expect(ended.stderr).toMatch(line)
    },
    60_000,
  )
})
