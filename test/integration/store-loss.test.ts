import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pino from 'pino'
import { afterEach, describe, expect, it } from 'vitest'
import { CLUSTER_MARKS } from '../../src/store/redis-marks.ts'
import { runCli } from '../support/cli.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { CLUSTER_NODE, formCluster, startPair } from '../support/redis-forms.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** A server counts once a second, with jitter. */
const NOTICED_WITHIN_MS = 6_000
const LOOKS_MS = 2_600
const KEY = 'gone:{~store}'

interface Watched extends TestServer {
  /** The errors that it has logged of losses. */
  readonly errors: readonly { readonly loss: string; readonly msg: string }[]
  /** How far it has counted in the store. */
  counted(): Promise<number>
}

const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function start(options: Parameters<typeof startRedis>[0] = {}): Promise<TestRedis> {
  const redis = await startRedis(options)
  closers.push(() => redis.stop())
  return redis
}

/** A server that has counted in the store. */
async function watch(redis: TestRedis, url = redis.url, mark = KEY): Promise<Watched> {
  const admin = adminOf(redis)
  const before = new Set(await admin.hkeys(mark))
  const counting = async () =>
    (await admin.hkeys(mark)).filter((field) => field.startsWith('p:') && !before.has(field))
  const errors: { loss: string; msg: string }[] = []
  const write = (line: string) => {
    const { loss, msg } = JSON.parse(line) as { loss?: string; msg: string }
    if (loss !== undefined) errors.push({ loss, msg })
  }
  const server = await startTestServer({
    redis,
    env: { REDIS_URL: url },
    log: pino({ level: 'error' }, { write }),
  })
  closers.push(() => server.stop())
  await expect.poll(counting, { timeout: 30_000, interval: 20 }).toHaveLength(1)
  const [own = ''] = await counting()
  // `beat ms`
  const counted = async () => Number((await admin.hget(mark, own))?.split(' ')[0] ?? 0)
  return { ...server, errors, counted }
}

function adminOf({ port }: TestRedis): Redis {
  const admin = new Redis(port)
  admin.on('error', () => undefined)
  closers.push(async () => admin.disconnect())
  return admin
}

const losses = async ({ url }: TestServer) =>
  Number(/^gone_store_losses_total (\d+)$/m.exec(await (await fetch(`${url}/metrics`)).text())?.[1])

async function expectSaid(server: Watched, loss: string | RegExp, times = 1): Promise<void> {
  await expect.poll(() => losses(server), { timeout: NOTICED_WITHIN_MS, interval: 50 }).toBe(times)
  expect(server.errors).toHaveLength(times)
  expect(server.errors.at(-1)?.loss).toMatch(loss)
  const reply = await fetch(`${server.url}/readyz`)
  expect([reply.status, await reply.json()]).toEqual([
    200,
    { status: 'ready', warning: server.errors.at(-1)?.msg },
  ])
}

/** Waits until the server has looked so often. */
async function looks(server: Watched, times: number): Promise<void> {
  for (let n = 0; n < times; n += 1) {
    const before = await server.counted()
    await expect
      .poll(() => server.counted(), { timeout: NOTICED_WITHIN_MS, interval: 50 })
      .toBeGreaterThan(before)
  }
}

/** That each of them has looked twice since, and that none has said anything of a loss. */
async function expectSilent(...servers: Watched[]): Promise<void> {
  for (const server of servers) await looks(server, 2)
  for (const server of servers) {
    expect([await losses(server), server.errors]).toEqual([0, []])
    expect(await (await fetch(`${server.url}/readyz`)).json()).toEqual({ status: 'ready' })
  }
}

describe('a Redis that loses what it acknowledged', () => {
  it('by FLUSHALL is said by every server, once each, and what was known of it is written again', async () => {
    const redis = await start()
    const [one, two] = [await watch(redis), await watch(redis)]
    expect((await fetch(`${one.url}/api/v1/elect/kept/a`)).status).toBe(202)
    await expectSilent(one, two)
    await adminOf(redis).flushall()
    await Promise.all([one, two].map((server) => expectSaid(server, /^(emptied|another)$/)))
    expect([one, two].map(({ errors }) => errors[0]?.loss)).toContain('emptied')
    expect(one.errors[0]?.msg).toMatch(
      /^noticed 20\S+Z: Redis has lost what it acknowledged before 20\S+Z: .*docs\/redis\.md/,
    )
    expect((await fetch(`${one.url}/api/v1/elect/kept/b`)).status).toBe(202)
    const { rounds } = (await (await fetch(`${two.url}/api/v1/rounds`)).json()) as { rounds: unknown[] }
    expect(rounds).toHaveLength(1)
    const ready = await runCli(['ready', '--server', one.url])
    expect(ready).toMatchObject({ code: 0, stdout: 'ready\n' })
    expect(ready.stderr).toContain('warning: noticed ')

    const late = await watch(redis)
    await expectSilent(late)
    expect([await losses(one), await losses(two)]).toEqual([1, 1])
    await adminOf(redis).flushall()
    await Promise.all([one, two].map((server) => expectSaid(server, /^(emptied|another)$/, 2)))
    await expectSaid(late, /^(emptied|another)$/)
  })

  it.each(['before', 'after'])(
    'is said where a backup is restored, by a server that started %s it',
    async (when) => {
      const redis = await start({ aof: 'always' })
      const early = when === 'before' ? await watch(redis) : undefined
      const other = await watch(redis)
      if (!early) await other.stop()
      const backup = await mkdtemp(join(tmpdir(), 'gone-test-backup-'))
      closers.push(() => rm(backup, { recursive: true, force: true }))
      await cp(redis.dir, backup, { recursive: true })
      const server = early ?? (await watch(redis))
      await looks(server, 1)
      await redis.kill()
      await rm(redis.dir, { recursive: true })
      await cp(backup, redis.dir, { recursive: true })
      await redis.restart()
      await expectSaid(server, /^(setBack|another)$/)
      if (early) await expectSaid(other, /^(setBack|another)$/)
      else expect(server.errors[0]?.loss).toBe('setBack')
    },
    60_000,
  )

  it('is said after a failover to a replica that lagged', async () => {
    const { primary, replica, url, cutOff, stop } = await startPair((args) => start({ args }))
    closers.push(stop)
    const server = await watch(primary, url)
    const follower = adminOf(replica)
    await expect.poll(() => follower.hget(KEY, 'id')).not.toBeNull()

    await cutOff()
    await sleep(LOOKS_MS)
    await primary.kill()
    await expect.poll(() => losses(server), { timeout: 30_000, interval: 200 }).toBe(1)
    expect(server.errors.map(({ loss }) => loss)).toEqual(['setBack'])
    expect(server.errors[0]?.msg).toMatch(/Redis has lost what it acknowledged since 20\S+Z:/)
  }, 90_000)

  it('is said where one node of a Cluster does', async () => {
    const nodes = await Promise.all([1, 2, 3].map(() => start({ args: CLUSTER_NODE })))
    const addresses = await formCluster(nodes.map(({ port }) => port))
    const server = await watch(nodes[0] as TestRedis, `redis+cluster://${addresses}`, CLUSTER_MARKS[0])
    await expectSilent(server)
    for (const [index, node] of nodes.entries()) {
      await adminOf(node).flushall()
      await expectSaid(server, 'emptied', index + 1)
    }
  })
})

describe('nothing is said', () => {
  it('of an empty store, of servers that come and go, and of a Redis that forgets its scripts', async () => {
    const redis = await start()
    const one = await watch(redis)
    const two = await watch(redis)
    await adminOf(redis).script('FLUSH')
    await expectSilent(one, two)
    await two.stop()
    const three = await watch(redis)
    await expectSilent(one, three)
  })

  it('of a Redis that is restarted, killed, or silent', async () => {
    const redis = await start()
    const servers = [await watch(redis), await watch(redis)]
    await redis.restart()
    await expectSilent(...servers)
    await redis.kill()
    await sleep(1_000)
    await redis.restart()
    await expectSilent(...servers)
    redis.pause()
    await sleep(3_000)
    redis.resume()
    // The clients give up a silent connection, and come back.
    await sleep(1_500)
    await expectSilent(...servers)
  })

  it('of a Redis that is full, or read-only for a while', async () => {
    const redis = await start()
    const admin = adminOf(redis)
    const server = await watch(redis)
    await admin.config('SET', 'maxmemory', 1)
    await sleep(LOOKS_MS)
    await admin.config('SET', 'maxmemory', 0)
    await expectSilent(server)
    const other = await start()
    const beat = await admin.hget(KEY, 'beat')
    // A replica whose primary does not let it in keeps its data, and refuses writes.
    await adminOf(other).config('SET', 'requirepass', 'secret')
    await admin.replicaof('127.0.0.1', other.port)
    await sleep(LOOKS_MS)
    await admin.replicaof('NO', 'ONE')
    await expectSilent(server)
    expect(Number(await admin.hget(KEY, 'beat'))).toBeGreaterThan(Number(beat))
  })
})

describe('the mark', () => {
  it('forgets processes that are long gone, and takes none of them for one that lost something', async () => {
    const redis = await start()
    const admin = adminOf(redis)
    const first = await watch(redis)
    const own = (await admin.hkeys(KEY)).filter((field) => field.startsWith('p:'))
    expect(own).toHaveLength(1)
    await admin.hset(KEY, 'p:gone', '1 1')
    // As if others had counted for days while this one was stopped.
    await admin.hincrby(KEY, 'beat', 100_000)
    await admin.hdel(KEY, ...own)
    await expectSilent(first)
    const second = await watch(redis)
    expect((await admin.hkeys(KEY)).filter((field) => field.startsWith('p:'))).toHaveLength(2)
    expect(await admin.hexists(KEY, 'p:gone')).toBe(0)
    await expectSilent(first, second)
  })

  it('is in every part of a Cluster that has 1028 slots in a row', async () => {
    const node = await start({ args: CLUSTER_NODE })
    const slots = await Promise.all(CLUSTER_MARKS.map((mark) => adminOf(node).cluster('KEYSLOT', mark)))
    expect(slots.map((slot, index) => slot - 1024 * index)).toSatisfy((offsets: number[]) =>
      offsets.every((offset) => offset >= 0 && offset < 4),
    )
  })
})
