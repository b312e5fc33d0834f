import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { TOUCH_MS } from '../../src/store/records/system-index.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const ACTIVE = 'gone:{~work}:active'
const DUE = 'gone:{~work}:due'
const OVERDUE = 'gone:{~work}:overdue'
const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const done = { outcome: 'completed', detail: '' } as const

let redis: TestRedis
let client: RedisClient
let records: RedisRecords
let system: string

beforeAll(async () => {
  redis = await startRedis()
  client = connect(redis.url, 'commands', 'test', silentLog)
  await new Promise((resolve) => client.once('ready', resolve))
})
beforeEach(async () => {
  await client.flushall()
  records = new RedisRecords(client, 86_400_000)
  system = `system-${randomUUID()}`
})
afterAll(async () => {
  await disconnect(client)
  await redis.stop()
})

/** As if it had not been used for long. */
const leaveAlone = () => client.zadd(ACTIVE, 1, system)

it('looks no more at a system that was not used of late, until its next deadline comes', async () => {
  await records.decide({ system, round: 'r' }, anna, { deadlineMs: 1_500 })
  await leaveAlone()
  expect((await records.due(10)).due).toEqual([])
  expect([await client.zcard(ACTIVE), await client.zcard(DUE)]).toEqual([0, 1])
  await expect.poll(async () => (await records.due(10)).due, { timeout: 30_000 }).toHaveLength(1)
  expect((await records.expire({ system, round: 'r' })).verdict).toBe('overdue')
  expect((await records.due(10)).due).toEqual([])
  expect(await client.zcard(DUE)).toBe(0)
  expect(await records.overdueCount()).toBe(1)
})

it('goes on looking at a system with something left in its outbox, and at one that is used again', async () => {
  await records.decide({ system, round: 'r' }, anna, { deadlineMs: 60_000 })
  await records.complete({ system, round: 'r' }, anna, done, { deadlineMs: 60_000 })
  await leaveAlone()
  await records.due(10)
  expect(await client.zcard(ACTIVE)).toBe(1)
  const [entry] = await records.outbox(0, 10)
  if (entry) await records.acknowledgeEntries([{ entry, seen: await records.read(entry.id) }])
  await records.due(10)
  expect(await client.zcard(ACTIVE)).toBe(0)
  await new RedisRecords(client, 86_400_000).decide({ system, round: 's' }, anna, { deadlineMs: 60_000 })
  expect(await client.zcard(ACTIVE)).toBe(1)
})

it('keeps the next of several deadlines where one was met', async () => {
  await records.decide({ system, round: 'first' }, anna, { deadlineMs: 200 })
  await records.decide({ system, round: 'second' }, anna, { deadlineMs: 60_000 })
  await records.due(10)
  await records.complete({ system, round: 'first' }, anna, done, { deadlineMs: 200 })
  const left = await records.outbox(0, 10)
  for (const entry of left) await records.acknowledgeEntries([{ entry, seen: await records.read(entry.id) }])
  await leaveAlone()
  // Once the one that was met would have come.
  await expect
    .poll(async () => (await records.due(10)).nextInMs, { timeout: 30_000 })
    .toSatisfy((ms: number) => ms > 30_000 && ms <= 60_000)
  await expect
    .poll(async () => Number(await client.zscore(DUE, system)), { timeout: 30_000 })
    .toBeGreaterThan(Date.now() + 20_000)
})

it('finds what builds without these indexes have left, as it goes round', async () => {
  await records.decide({ system, round: 'late' }, anna, { deadlineMs: 1 })
  await expect.poll(async () => (await records.expire({ system, round: 'late' })).verdict).toBe('overdue')
  await records.decide({ system, round: 'due' }, anna, { deadlineMs: 1 })
  await records.decide({ system, round: 'done' }, anna, { deadlineMs: 60_000 })
  await records.complete({ system, round: 'done' }, anna, done, { deadlineMs: 60_000 })
  await client.del(ACTIVE, DUE, OVERDUE)
  for (let n = 0; n < 600; n += 1) await client.zadd('gone:systems', n, `other-${n}`)
  const restarted = new RedisRecords(client, 86_400_000)
  await expect
    .poll(async () => (await restarted.due(10)).due, { timeout: 30_000 })
    .toEqual([{ system, round: 'due' }])
  const left = async () => (await restarted.outbox(0, 10)).map(({ step }) => step).sort()
  await expect.poll(left, { timeout: 30_000 }).toEqual(['finished', 'overdue'])
  await expect.poll(() => restarted.overdueCount(), { timeout: 30_000 }).toBe(1)
})

it('reads no more systems for the first page of the history than can have a newer round', async () => {
  for (let n = 0; n < 5_000; n += 1000) {
    const scored = Array.from({ length: 1_000 }, (_, i) => [String(n + i), `old-${n + i}`]).flat()
    await client.zadd('gone:systems', ...scored)
  }
  for (let n = 0; n < 5; n += 1)
    await records.decide({ system, round: `r${n}` }, anna, { deadlineMs: 60_000 })
  const readings = async () =>
    Number(/cmdstat_xrevrange:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0)
  const before = await readings()
  const { rounds, next } = await records.history({ limit: 3 })
  expect(rounds.map(({ id }) => id.round)).toEqual(['r4', 'r3', 'r2'])
  expect(next).toBeDefined()
  expect((await readings()) - before).toBeLessThanOrEqual(1_000)
  const rest = await records.history({ limit: 3, ...(next && { after: next }) })
  expect(rest.rounds.map(({ id }) => id.round)).toEqual(['r1', 'r0'])
})

/** As where the node of a Cluster is away that keeps the system: what is asked of these keys fails. */
async function takeAway(...systems: string[]): Promise<void> {
  for (const part of ['deadlines', 'outbox', 'overdue'])
    await client.mset(systems.flatMap((one) => [`gone:{${one}}:${part}`, 'away']))
}

it('finds deadlines and what is left to be told of systems beside one that does not answer', async () => {
  await takeAway('away')
  await client.zadd(ACTIVE, Date.now(), 'away')
  await client.zadd(DUE, 1, 'away')
  await records.decide({ system, round: 'late' }, anna, { deadlineMs: 1 })
  await records.submit({ system, round: 'left' }, { queue: 'q', data: 1, queueTerms: {}, runTerms: {} })
  await expect
    .poll(async () => (await records.due(10)).due, { timeout: 30_000 })
    .toEqual([{ system, round: 'late' }])
  expect((await records.due(10)).trouble).toBeInstanceOf(Error)
  expect((await records.outbox(0, 10)).map(({ id }) => id.round)).toEqual(['left'])
  // No number is better than one that is too small.
  await records.expire({ system, round: 'late' })
  expect(await records.overdueCount()).toBe(1)
  await client.zadd(OVERDUE, 1, 'away')
  await expect(records.overdueCount()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
})

it('says what is wrong where nothing was found, and finds deadlines behind those of many systems that do not answer', async () => {
  const away = Array.from({ length: 1_100 }, (_, n) => `away-${n}`)
  await takeAway(...away)
  await client.zadd(ACTIVE, ...away.flatMap((one) => [Date.now(), one]))
  await client.zadd(DUE, ...away.flatMap((one, n) => [n + 1, one]))
  await expect(records.outbox(0, 10)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect(await records.due(10)).toMatchObject({ due: [], trouble: expect.any(Error) })
  await records.decide({ system, round: 'late' }, anna, { deadlineMs: 1 })
  await client.zadd(DUE, 5_000, system)
  await expect
    .poll(async () => (await records.due(10, [])).due, { timeout: 30_000 })
    .toEqual([{ system, round: 'late' }])
})

it('finds a deadline that nobody has noted in the system that is named, and notes the next one there', async () => {
  const others = new RedisRecords(client, 86_400_000)
  await records.decide({ system, round: 'late' }, anna, { deadlineMs: 1 })
  await records.decide({ system, round: 'next' }, anna, { deadlineMs: 60_000 })
  expect(await others.due(10, [])).toEqual({ due: [], nextInMs: Number.POSITIVE_INFINITY })
  await expect
    .poll(async () => (await records.due(10, [system])).due, { timeout: 30_000 })
    .toEqual([{ system, round: 'late' }])
  await records.expire({ system, round: 'late' })
  expect((await records.due(10, [system])).nextInMs).toBeGreaterThan(20_000)
  // Noted for all.
  expect((await others.due(10, [])).nextInMs).toBeLessThanOrEqual(60_000)
})

it('lets one process empty an outbox at a time', async () => {
  const other = new RedisRecords(client, 86_400_000)
  expect([await records.claim(system), await other.claim(system)]).toEqual([true, false])
  await records.release(system)
  expect(await other.claim(system)).toBe(true)
  await expect.poll(() => records.claim(system), { timeout: 30_000 }).toBe(true)
})

it('lets a system go on that was in use a moment ago while its index cannot be written, and no other', async () => {
  await records.decide({ system, round: 'r' }, anna, { deadlineMs: 60_000 })
  // As where another node of a Cluster keeps it, and is away.
  await client.set('gone:systems', 'no list of systems')
  // Until it would say again that the system is in use.
  await new Promise((resolve) => setTimeout(resolve, TOUCH_MS + 100))
  const decide = (of: string) =>
    records.decide({ system: of, round: randomUUID() }, anna, { deadlineMs: 60_000 })
  expect(await Promise.all([decide(system), decide(system)])).toMatchObject([
    { verdict: 'elected' },
    { verdict: 'elected' },
  ])
  await expect(decide(randomUUID())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  await client.del('gone:systems')
  await decide(system)
  await expect.poll(() => client.zscore('gone:systems', system)).not.toBeNull()
})
