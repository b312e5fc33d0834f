import { execFile, spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { freeLoopbackPort } from '../../src/redis/child.ts'
import { defaultCacheDir, findRedisServer } from '../../src/redis/redis-server.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer } from '../support/server.ts'

const run = promisify(execFile)
const closers: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start(options: Parameters<typeof startRedis>[0] = {}): Promise<TestRedis> {
  const redis = await startRedis(options)
  closers.push(() => redis.stop())
  return redis
}

function findBinary() {
  return findRedisServer({
    cacheDir: defaultCacheDir(process.env, homedir()),
    env: process.env,
    say: () => {},
  })
}

async function redisCli(args: string[]): Promise<string> {
  const { path, env } = await findBinary()
  const { stdout } = await run(join(dirname(path), 'redis-cli'), args, { env: { ...process.env, ...env } })
  return stdout
}

/** A round from election to board, on a server with this REDIS_URL. */
async function playRound(redis: TestRedis, url: string): Promise<void> {
  const server = await startTestServer({ redis, env: { REDIS_URL: url } })
  const ask = (path: string) => fetch(`${server.url}/api/v1/${path}`)
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
  await expect
    .poll(async () => (await fetch(`${server.url}/metrics`)).text(), { timeout: 10_000 })
    .toMatch(jobs)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
  await server.stop()
}

describe('REDIS_URL', () => {
  it('takes a password and a database', async () => {
    const redis = await start()
    await redisCli(['-p', String(redis.port), 'config', 'set', 'requirepass', 'secret:/?'])
    await playRound(redis, `redis://:${encodeURIComponent('secret:/?')}@127.0.0.1:${redis.port}/3`)
  })

  it('takes a cluster', async () => {
    const nodes = await Promise.all(
      [1, 2, 3].map(() => start({ args: ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'] })),
    )
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
    await redisCli(['--cluster', 'create', ...addresses, '--cluster-yes'])
    const state = () => redisCli(['-p', String(nodes[0]?.port), 'cluster', 'info'])
    await expect.poll(state, { timeout: 20_000, interval: 200 }).toContain('cluster_state:ok')
    await playRound(nodes[0] as TestRedis, `redis+cluster://${addresses.join(',')}`)
  }, 60_000)

  it('takes sentinels', async () => {
    const primary = await start()
    const port = await freeLoopbackPort()
    const file = join(primary.dir, 'sentinel.conf')
    await writeFile(
      file,
      `port ${port}\nbind 127.0.0.1\nsentinel monitor rounds 127.0.0.1 ${primary.port} 1\n`,
    )
    const { path, env } = await findBinary()
    const sentinel = spawn(path, [file, '--sentinel'], { env: { ...process.env, ...env }, stdio: 'ignore' })
    closers.push(async () => void sentinel.kill('SIGKILL'))
    const ping = () => redisCli(['-p', String(port), 'ping']).catch(() => 'not yet')
    await expect.poll(ping, { timeout: 10_000, interval: 100 }).toBe('PONG\n')
    await playRound(primary, `redis+sentinel://127.0.0.1:${port}/rounds`)
  })
})
