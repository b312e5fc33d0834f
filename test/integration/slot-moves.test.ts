import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { CLUSTER_NODE, formCluster, redisCli } from '../support/redis-forms.ts'

let nodes: TestRedis[]
let client: RedisClient

beforeAll(async () => {
  nodes = await Promise.all([1, 2, 3].map(() => startRedis({ args: CLUSTER_NODE })))
  const addresses = await formCluster(nodes.map(({ port }) => port))
  client = connect(`redis+cluster://${addresses}`, 'commands', 'test', silentLog)
  await new Promise((resolve) => client.once('ready', resolve))
})

afterAll(async () => {
  await disconnect(client)
  await Promise.all(nodes.map((node) => node.stop()))
})

const on = (port: number, ...args: (string | number)[]) => redisCli(['-p', port, ...args].map(String))
const DEADLINE = { deadlineMs: 60_000 }
const leader = { address: '10.0.0.1:1', identity: tokenIdentity('leader') }

it('gives fences that grow while the slot of the system moves to another node, by hand', async () => {
  const system = `moves-${randomUUID().slice(0, 8)}`
  const records = new RedisRecords(client, 86_400_000)
  const fences: number[] = []
  let rounds = 0
  /** Asks until it is decided: what is refused meanwhile says retry. */
  const elect = async (): Promise<number> => {
    const id = { system, round: `r${rounds++}` }
    for (;;) {
      const ruling = await records.decide(id, leader, DEADLINE).catch((error) => {
        expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE' })
      })
      if (ruling) return ruling.record.fence
      await sleep(20)
    }
  }
  for (let n = 0; n < 20; n += 1) fences.push(await elect())

  const slot = Number(await on(nodes[0]?.port ?? 0, 'cluster', 'keyslot', `gone:{${system}}:fence`))
  const ids = await Promise.all(nodes.map(async ({ port }) => (await on(port, 'cluster', 'myid')).trim()))
  const owner = await ownerOf(slot, ids)
  const target = (owner + 1) % nodes.length
  const [from, to] = [nodes[owner]?.port ?? 0, nodes[target]?.port ?? 0]
  await on(to, 'cluster', 'setslot', slot, 'importing', ids[owner] ?? '')
  await on(from, 'cluster', 'setslot', slot, 'migrating', ids[target] ?? '')
  let isMoving = true
  const meanwhile = (async () => {
    while (isMoving) fences.push(await elect())
  })()
  await sleep(300)
  for (;;) {
    const keys = (await on(from, 'cluster', 'getkeysinslot', slot, 10))
      .split('\n')
      .filter((key) => key !== '')
    if (keys.length === 0) break
    await on(from, 'migrate', '127.0.0.1', to, '', 0, 5_000, 'keys', ...keys)
  }
  for (const port of [to, from, nodes[(target + 1) % nodes.length]?.port ?? 0]) {
    await on(port, 'cluster', 'setslot', slot, 'node', ids[target] ?? '')
  }
  isMoving = false
  await meanwhile
  for (let n = 0; n < 20; n += 1) fences.push(await elect())
  expect(fences.length).toBeGreaterThan(40)
  expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
  const { rounds: listed } = await records.history({ system, limit: 1_000 })
  expect(listed).toHaveLength(fences.length)
})

/** Which node has the slot. */
async function ownerOf(slot: number, ids: readonly string[]): Promise<number> {
  const table = await on(nodes[0]?.port ?? 0, 'cluster', 'nodes')
  const line = table.split('\n').find((row) =>
    row
      .split(' ')
      .slice(8)
      .some((range) => {
        const [first, last = first] = range.split('-').map(Number)
        return first !== undefined && last !== undefined && slot >= first && slot <= last
      }),
  )
  return ids.findIndex((id) => line?.startsWith(id))
}
