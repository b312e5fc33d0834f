import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { type HistoryMark, isAfter, type ListedRound } from '../../src/core/rounds/round-ports.ts'
import { BullJobQueues } from '../../src/queue/job-queues.ts'
import { BullRoundQueue } from '../../src/queue/round-queue.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { Reader } from '../../src/service/rounds/reader.ts'
import { RoundMemory } from '../../src/service/rounds/round-memory.ts'
import { Sweeper } from '../../src/service/rounds/sweeper.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const DAY_MS = 86_400_000
const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const terms = { deadlineMs: 3_600_000 }
const done = { outcome: 'completed', detail: '' } as const

let redis: TestRedis
let client: RedisClient
let monitor: Redis
let records: RedisRecords
/** The names of the commands that were sent, without those that scripts give. */
const sent: string[] = []

beforeAll(async () => {
  redis = await startRedis({ aof: 'off' })
  client = connect(redis.url, 'commands', 'test', silentLog)
  await new Promise((resolve) => client.once('ready', resolve))
  monitor = await new Redis(redis.url).monitor()
  monitor.on('monitor', (_: string, [name = '']: string[], source: string) => {
    if (source !== 'lua') sent.push(name)
  })
})

afterAll(async () => {
  monitor.disconnect()
  await disconnect(client)
  await redis.stop()
})

beforeEach(async () => {
  await client.flushall()
  records = new RedisRecords(client, DAY_MS)
})

/** Rounds that were led and completed by a process that told no queue of it. */
async function leave(system: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += 100) {
    const ids = Array.from({ length: Math.min(100, count - n) }, (_, index) => ({
      system,
      round: `r${n + index}`,
    }))
    await Promise.all(ids.map((id) => records.decide(id, anna, terms)))
    await Promise.all(ids.map((id) => records.complete(id, anna, done, terms)))
  }
}

/** How many commands it takes. */
async function countOf(act: () => Promise<unknown>): Promise<number> {
  await client.ping()
  const before = sent.length
  await act()
  await client.ping()
  await expect.poll(() => sent.slice(before).includes('ping')).toBe(true)
  return sent.slice(before).filter((name) => name !== 'ping').length
}

it('reads the first page of the rounds of 1,000 systems with a dozen commands, whatever the systems are', {
  timeout: 60_000,
}, async () => {
  for (let n = 0; n < 1_000; n += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        records.decide({ system: `system-${n + index}`, round: 'r' }, anna, terms),
      ),
    )
  const reader = new Reader(records, new RoundMemory(10, DAY_MS, Date.now), Date.now)
  // What scripts are is told at the first time.
  await reader.history({ limit: 100 })
  const count = await countOf(async () => {
    const { rounds } = await reader.history({ limit: 100 })
    expect(rounds).toHaveLength(100)
    expect(new Set(rounds.map(({ id }) => id.system)).size).toBe(100)
  })
  expect(count).toBeLessThanOrEqual(12)
})

it('reads each page of the rounds of 1,000 systems with as few commands as the first, once each, in their order', {
  timeout: 120_000,
}, async () => {
  const [SYSTEMS, ROUNDS] = [1_000, 3_000]
  for (let n = 0; n < ROUNDS; n += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        records.decide({ system: `s${((n + index) * 7) % SYSTEMS}`, round: `r${n + index}` }, anna, terms),
      ),
    )
  const read = async (reads: RedisRecords, after?: HistoryMark) =>
    reads.history({ limit: 100, ...(after && { after }) })
  // Others, to which the first page of this one is as new as any.
  const [walker, jumper] = [new RedisRecords(client, DAY_MS), new RedisRecords(client, DAY_MS)]
  const found: HistoryMark[] = []
  const names = new Set<string>()
  const costs: number[] = []
  const middle: HistoryMark[] = []
  let next: HistoryMark | undefined
  do {
    const after = next
    const page = { rounds: [] as readonly ListedRound[] }
    const cost = await countOf(async () => {
      const { rounds, next: behind } = await read(walker, after)
      page.rounds = rounds
      next = behind
    })
    costs.push(cost)
    found.push(...page.rounds.map(({ mark }) => mark))
    for (const { id } of page.rounds) names.add(`${id.system}/${id.round}`)
    // What comes meanwhile moves nothing that is older.
    await records.decide({ system: `s${found.length}`, round: `new-${found.length}` }, anna, terms)
    if (found.length === ROUNDS / 2) middle.push(...page.rounds.map(({ mark }) => mark))
  } while (next)
  expect([found.length, names.size]).toEqual([ROUNDS, ROUNDS])
  expect(found.every((mark, index) => index === 0 || isAfter(mark, found[index - 1] as HistoryMark))).toBe(
    true,
  )
  // One of the first has looked at all of them.
  expect(costs.slice(2).filter((cost) => cost > 4)).toEqual([])
  const from = middle[49] as HistoryMark
  const { rounds } = await read(jumper, from)
  expect(rounds.map(({ mark }) => mark)).toEqual(found.slice(ROUNDS / 2 - 50, ROUNDS / 2 + 50))
})

it('looks for a name without reading any record that has another', { timeout: 60_000 }, async () => {
  for (let n = 0; n < 1_000; n += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        records.decide({ system: `s${index % 5}`, round: `R${n + index}` }, anna, terms),
      ),
    )
  const reader = new Reader(records, new RoundMemory(10, DAY_MS, Date.now), Date.now)
  await reader.history({ limit: 50, text: 'none' })
  const readings = async () =>
    Number(/cmdstat_hgetall:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
  const before = await readings()
  const { rounds, looked, next } = await reader.history({ limit: 50, text: 'r99' })
  const named = ['R99', ...Array.from({ length: 10 }, (_, n) => `R99${n}`)]
  expect(rounds.map(({ id }) => id.round).sort()).toEqual(named.sort())
  expect([looked.entries, next, (await readings()) - before]).toEqual([1_000, undefined, 11])
  const part = await reader.history({ limit: 2, text: 'r99' })
  const rest = await reader.history({ limit: 50, text: 'r99', ...(part.next && { after: part.next }) })
  expect([...part.rounds, ...rest.rounds].map(({ id }) => id)).toEqual(rounds.map(({ id }) => id))
})

it('looks for a deadline that comes without looking at the 1,000 systems in use', {
  timeout: 60_000,
}, async () => {
  for (let n = 0; n < 1_000; n += 100)
    await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        records.decide({ system: `s${n + index}`, round: 'r' }, anna, terms),
      ),
    )
  // It is noted that their deadlines have come: of rounds of an hour ago, which have ended since.
  await records.due(100)
  for (const system of ['s1', 's2']) await client.zadd('gone:{~work}:due', 1, system)
  const before = sent.length
  const count = await countOf(() => records.due(100, []))
  expect(count).toBeLessThanOrEqual(20)
  expect(sent.slice(before).filter((name) => name.startsWith('zrange')).length).toBeGreaterThan(0)
})

it('delivers what was left of one system a hundred at a time, and of others at the first look', {
  timeout: 60_000,
}, async () => {
  await leave('flood', 2_000)
  const others = Array.from({ length: 20 }, (_, n) => `other-${n}`)
  for (const system of others) await leave(system, 1)
  const queue = new BullRoundQueue(client, { jobRetentionMs: DAY_MS, jobRetentionCount: 10_000 })
  const jobs = new BullJobQueues(client, DAY_MS)
  const sweeper = new Sweeper(records, queue, jobs, silentLog)
  expect(await sweeper.sweep(0)).toBe(true)
  for (const system of others) expect(await client.zcard(`gone:{${system}}:outbox`), system).toBe(0)
  const before = sweeper.redelivered
  const count = await countOf(() => sweeper.sweep(0))
  const delivered = sweeper.redelivered - before
  expect(delivered).toBeGreaterThanOrEqual(450)
  // Half a dozen for a hundred entries, and what a look at 21 systems takes.
  expect(count / delivered).toBeLessThan(0.25)
  while (await sweeper.sweep(0));
  expect(await client.zcard('gone:{flood}:outbox')).toBe(0)
  expect(await client.zcard('{gone}:rounds:completed')).toBe(2_020)
  await Promise.all([queue.stop(), jobs.stop()])
})
