import { afterEach, beforeEach, expect, it } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { roundKey } from '../../src/core/rounds/round.ts'
import { BullRoundQueue } from '../../src/queue/round-queue.ts'
import { SettleWorker } from '../../src/queue/settle-worker.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { whenSettled } from '../../src/redis/readiness.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { type Board, lookAtBoard } from '../support/board.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const ROUND = { system: 'shop', round: 'night' }
const LEADER = { address: '10.0.0.1:4711', identity: tokenIdentity('leader') }
const TERMS = { deadlineMs: 3_600_000 }

let redis: TestRedis
let board: Board
let clients: RedisClient[]
let records: RedisRecords
let queue: BullRoundQueue
let worker: SettleWorker

beforeEach(async () => {
  redis = await startRedis()
  board = lookAtBoard(redis)
  const [commands, waiting] = [
    connect(redis.url, 'commands', 'test', silentLog),
    connect(redis.url, 'waiting', 'settle', silentLog),
  ]
  clients = [commands, waiting]
  await whenSettled(clients)
  records = new CompletedMeanwhile(commands, 86_400_000)
  queue = new BullRoundQueue(commands, { jobRetentionMs: 60_000, jobRetentionCount: 100 })
  worker = new SettleWorker({
    client: waiting,
    records,
    queue,
    log: silentLog,
    jobRetentionMs: 60_000,
    jobRetentionCount: 100,
  })
})

afterEach(async () => {
  await worker.stop()
  await queue.stop()
  await board.stop()
  await Promise.all(clients.map(disconnect))
  await redis.stop()
})

/** The leader reports between what the settle worker was told and what it does then. */
class CompletedMeanwhile extends RedisRecords {
  override async expire(id: typeof ROUND) {
    const ruling = await super.expire(id)
    if (ruling.verdict !== 'pending') return ruling
    const seen = await this.complete(id, LEADER, { outcome: 'completed', detail: '' }, TERMS)
    expect(await queue.show([{ id, ...seen }])).toEqual([false])
    return ruling
  }
}

it('shows a round as completed whose job, of an older build, was due early when the report came', async () => {
  await records.decide(ROUND, LEADER, TERMS)
  // Where the clock of the server that added it was an hour slow, its job is due at once.
  await queue.queue.add(ROUND.system, {}, { jobId: roundKey(ROUND) })
  worker.start()
  await expect.poll(async () => (await board.job(ROUND))?.state, { timeout: 30_000 }).toBe('completed')
})
