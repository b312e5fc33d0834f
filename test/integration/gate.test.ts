import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { RedlockGate } from '../../src/gate/redlock-gate.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer } from '../support/server.ts'

let nodes: TestRedis[]

beforeAll(async () => {
  nodes = await Promise.all([startRedis(), startRedis(), startRedis()])
})

afterEach(async () => {
  for (const node of nodes) await node.restart()
})

afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()))
})

const gateUrls = () => nodes.map((node) => node.url).join(',')
const elect = (url: string, round: string, query = '') => fetch(`${url}/api/v1/elect/gated/${round}${query}`)
const newRound = () => randomUUID()

describe('the gate alone', () => {
  let clients: RedisClient[]
  let gate: RedlockGate
  const id = () => ({ system: 'gated', round: newRound() })

  beforeEach(async () => {
    clients = nodes.map((node) => connect(node.url, 'commands', 'gate', silentLog))
    await Promise.all(clients.map(ready))
    gate = new RedlockGate(clients, silentLog)
  })

  afterEach(async () => {
    await Promise.all(clients.map(disconnect))
  })

  it('is held again by whoever knows its value once it was lost with its nodes, unless another has it', async () => {
    const one = id()
    const pass = await gate.pass(one, 60_000)
    const value = pass.kind === 'passed' ? pass.value : ''
    for (const node of nodes) await flush(node)
    expect(await gate.extend(one, value, 60_000)).toBe(true)
    expect((await gate.pass(one, 60_000)).kind).toBe('held')
    await gate.release(one, value)
    expect((await gate.pass(one, 60_000)).kind).toBe('passed')
    expect(await gate.extend(one, value, 60_000)).toBe(false)
  })

  it('waits for no node that is slow: a majority decides', async () => {
    const slow = new Redis(nodes[2]?.port ?? 0)
    for (let turn = 0; turn < 3; turn += 1) {
      const one = id()
      await slow.client('PAUSE', 3_000, 'ALL')
      const startMs = performance.now()
      const pass = await gate.pass(one, 60_000)
      expect(pass.kind).toBe('passed')
      expect((await gate.pass(one, 60_000)).kind).toBe('held')
      await gate.release(one, pass.kind === 'passed' ? pass.value : '')
      expect(performance.now() - startMs).toBeLessThan(2_500)
      await slow.ping()
    }
    slow.disconnect()
  })

  it('tells three refusals apart: held, no majority, unreachable', async () => {
    const one = id()
    await nodes[0]?.kill()
    expect((await gate.pass(one, 60_000)).kind).toBe('passed')
    expect((await gate.pass(one, 60_000)).kind).toBe('held')
    await nodes[1]?.kill()
    // One node has the lock, two do not answer.
    expect((await gate.pass(one, 60_000)).kind).toBe('unreachable')
    expect((await gate.pass(id(), 60_000)).kind).toBe('unreachable')

    const back = ready(clients[0] as RedisClient)
    await nodes[0]?.restart()
    await back
    // One holds it, one is free, one is down: nobody has a majority.
    expect(await gate.pass(one, 60_000)).toEqual({
      kind: 'noMajority',
      detail: '1 for, 1 held by others, 1 not answering',
    })
  })
})

describe('a server with three independent gate nodes', () => {
  it('elects one of many over two facades, though candidates split the nodes between them', async () => {
    const redis = await startRedis()
    const env = { GATE_REDIS_URLS: gateUrls() }
    const servers = await Promise.all([startTestServer({ redis, env }), startTestServer({ redis, env })])
    for (let n = 0; n < 30; n += 1) {
      const round = newRound()
      const replies = await Promise.all(
        Array.from({ length: 20 }, (_, index) => elect(servers[index % 2]?.url ?? '', round)),
      )
      expect(replies.filter((reply) => reply.status === 202)).toHaveLength(1)
      expect(replies.filter((reply) => reply.status === 204)).toHaveLength(19)
      expect(new Set(replies.map((reply) => reply.headers.get('gone-leader'))).size).toBe(1)
    }
    await Promise.all(servers.map((server) => server.stop()))
    await redis.stop()
  })

  it('does not let a second candidate lead when the Redis of the record was replaced by an empty one', async () => {
    const redis = await startRedis()
    const env = { GATE_REDIS_URLS: gateUrls() }
    const first = await startTestServer({ redis, env })
    const round = newRound()
    expect((await elect(first.url, round, '?candidate=anna')).status).toBe(202)
    await redis.kill()
    const empty = await startRedis({ port: redis.port })
    const second = await startTestServer({ redis: empty, env })

    const refused = await elect(second.url, round, '?candidate=bert')
    expect(refused.status).toBe(204)
    expect((await elect(second.url, round)).status).toBe(204)
    expect((await fetch(`${second.url}/api/v1/elected/gated/${round}`)).status).toBe(204)

    // The leader's report is kept, so nobody runs the round again when the gate has ended.
    expect((await fetch(`${second.url}/api/v1/complete/gated/${round}?candidate=anna`)).status).toBe(200)
    for (const node of nodes) await flush(node)
    expect((await elect(second.url, round, '?candidate=bert')).status).toBe(204)
    await Promise.all([first.stop(), second.stop()])
    await Promise.all([redis.stop(), empty.stop()])
  })

  it('holds the gate for a leader who asks again, though it was given back because nobody was told of the record', async () => {
    const redis = await startRedis()
    const env = { GATE_REDIS_URLS: gateUrls() }
    const servers = await Promise.all([startTestServer({ redis, env }), startTestServer({ redis, env })])
    const round = newRound()
    await elect(servers[0].url, round, '?candidate=anna')
    for (const node of nodes) await flush(node)
    expect((await elect(servers[1].url, round, '?candidate=anna')).status).toBe(202)
    expect(await heldMs(round)).toBeGreaterThan(3_000_000)
    await Promise.all(servers.map((server) => server.stop()))
    await redis.stop()
  })

  it('goes on with one node down; with two it answers 500 and nobody leads', async () => {
    const server = await startTestServer({ env: { GATE_REDIS_URLS: gateUrls() } })
    await nodes[0]?.kill()
    expect((await elect(server.url, newRound())).status).toBe(202)

    await nodes[1]?.kill()
    const round = newRound()
    const reply = await elect(server.url, round)
    expect(reply.status).toBe(500)
    expect(await reply.json()).toMatchObject({ code: 'GATE_UNREACHABLE', retryable: true })
    expect((await fetch(`${server.url}/api/v1/elected/gated/${round}`)).status).toBe(204)

    await nodes[1]?.restart()
    await expect.poll(async () => (await elect(server.url, round)).status, { timeout: 30_000 }).toBe(202)
    await server.stop()
  })

  it('gives the gate back when the record cannot be written', async () => {
    const redis = await startRedis()
    const env = { GATE_REDIS_URLS: gateUrls() }
    const [full, later] = await Promise.all([
      startTestServer({ redis, env }),
      startTestServer({ redis, env }),
    ])
    const admin = connect(redis.url, 'waiting', 'admin', silentLog)
    await admin.config('SET', 'maxmemory', '1')
    const round = newRound()
    expect((await elect(full.url, round)).status).toBe(500)
    await admin.config('SET', 'maxmemory', '0')
    expect((await elect(later.url, round)).status).toBe(202)
    await disconnect(admin)
    await Promise.all([full.stop(), later.stop()])
    await redis.stop()
  })

  it('holds the gate for the lease, extends it with it, and releases it at the end', async () => {
    const server = await startTestServer({ env: { GATE_REDIS_URLS: gateUrls() } })
    const round = newRound()
    await elect(server.url, round, '?candidate=anna&lease=30s')
    expect(await heldMs(round)).toBeGreaterThan(20_000)
    expect(await heldMs(round)).toBeLessThanOrEqual(30_000)
    await fetch(`${server.url}/api/v1/renew/gated/${round}?candidate=anna&lease=90s`, { method: 'POST' })
    expect(await heldMs(round)).toBeGreaterThan(60_000)
    await fetch(`${server.url}/api/v1/complete/gated/${round}?candidate=anna`)
    expect(await heldMs(round)).toBe(-2)
    await server.stop()
  })

  it('lets a stand-by take over when leader and lease have ended', async () => {
    const server = await startTestServer({ env: { GATE_REDIS_URLS: gateUrls() } })
    const round = newRound()
    await elect(server.url, round, '?candidate=anna&lease=1s')
    const reply = await elect(server.url, round, '?candidate=bert&lease=1s&wait=10s')
    expect(reply.status).toBe(202)
    expect(reply.headers.get('gone-fence')).toBe('2')
    await server.stop()
  })
})

function ready(client: RedisClient): Promise<unknown> {
  return new Promise((resolve) => client.once('ready', resolve))
}

/** How long most gate nodes still hold the round, in ms; -2 for not at all. */
async function heldMs(round: string): Promise<number> {
  const rests = await Promise.all(
    nodes.map((node) => withAdmin(node, (admin) => admin.pttl(`gone:gate:gated~${round}`))),
  )
  return rests.sort((a, b) => a - b)[1] ?? Number.NaN
}

async function flush(node: TestRedis): Promise<void> {
  await withAdmin(node, (admin) => admin.flushall())
}

async function withAdmin<T>(node: TestRedis, run: (admin: RedisClient) => Promise<T>): Promise<T> {
  const admin = connect(node.url, 'waiting', 'admin', silentLog)
  try {
    return await run(admin)
  } finally {
    await disconnect(admin)
  }
}
