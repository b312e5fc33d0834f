import { randomUUID } from 'node:crypto'
import { type Job, Queue, QueueEvents, Worker } from 'bullmq'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { ROUNDS_QUEUE } from '../../src/core/rounds/job.ts'
import type { Outcome, RoundRecord } from '../../src/core/rounds/record.ts'
import { type RoundId, roundKey } from '../../src/core/rounds/round.ts'
import type { RoundQueue, SeenRound } from '../../src/core/rounds/round-ports.ts'
import { MemoryRoundQueue } from '../../src/queue/memory-round-queue.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { BullRoundQueue } from '../../src/queue/round-queue.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

interface Shown {
  readonly state: string
  readonly data: object
  readonly addedAtMs: number
  readonly endedAtMs: number | undefined
  /** What it returned, or why it failed. */
  readonly end: unknown
}

interface World {
  readonly rounds: RoundQueue
  /** The round's job as the board shows it; undefined if there is none. */
  shown(id: RoundId): Promise<Shown | undefined>
  stop?(): Promise<void>
}

let redis: TestRedis
let client: RedisClient
let waiting: RedisClient

beforeAll(async () => {
  redis = await startRedis()
  client = connect(redis.url, 'commands', 'test', silentLog)
  waiting = connect(redis.url, 'waiting', 'test-worker', silentLog)
  await Promise.all([client, waiting].map((one) => new Promise((resolve) => one.once('ready', resolve))))
})

afterAll(async () => {
  await Promise.all([client, waiting].map(disconnect))
  await redis.stop()
})

function inMemory(): World {
  const rounds = new MemoryRoundQueue()
  return {
    rounds,
    async shown(id) {
      const job = rounds.job(id)
      if (job === undefined) return undefined
      const { as: state, data, addedAtMs, endedAtMs, result, reason } = job
      return { state, data, addedAtMs, endedAtMs, end: result ?? reason }
    },
  }
}

const KEPT = { jobRetentionMs: 10 * 365 * 86_400_000, jobRetentionCount: 1_000 }

async function inBullMQ(): Promise<World> {
  await client.flushall()
  const rounds = new BullRoundQueue(client, KEPT)
  const board = new Queue(ROUNDS_QUEUE, { connection: client, prefix: QUEUE_PREFIX })
  return {
    rounds,
    async shown(id) {
      const job = (await board.getJob(roundKey(id))) as Job | undefined
      if (job === undefined) return undefined
      const state = await job.getState()
      return {
        state,
        data: job.data as object,
        addedAtMs: job.timestamp,
        endedAtMs: job.finishedOn,
        end: state === 'completed' ? job.returnvalue : job.failedReason,
      }
    },
    async stop() {
      await Promise.all([rounds.stop(), board.close()])
    },
  }
}

const worlds: Record<string, () => World | Promise<World>> = { 'in memory': inMemory, 'in BullMQ': inBullMQ }

const NOW_MS = 1_795_000_000_000
const DEADLINE_MS = 60_000
const submission = { queue: 'mailer', submittedAtMs: NOW_MS - 5_000, digest: '', runTerms: {} }
const watched = { ...submission, runTerms: { deadlineMs: DEADLINE_MS } }

function led(id: RoundId, leader: string, fence: number, over: Partial<RoundRecord> = {}): SeenRound {
  const electedAtMs = NOW_MS + fence
  const identity = tokenIdentity(leader)
  const record = { leader, identity, fence, electedAtMs, deadlineMs: DEADLINE_MS, ...over }
  return { id, nowMs: electedAtMs, record }
}

const late = (seen: SeenRound): SeenRound => ({ ...seen, nowMs: seen.nowMs + DEADLINE_MS })

function ended(seen: SeenRound, outcome: Outcome, detail = ''): SeenRound {
  const record = seen.record as RoundRecord
  const completion = { outcome, by: 'reporter', atMs: seen.nowMs + 100, detail }
  return { ...seen, nowMs: completion.atMs, record: { ...record, completion } }
}

describe.each(Object.entries(worlds))('the queue of rounds %s', (_, makeWorld) => {
  let world: World
  let rounds: RoundQueue
  let id: RoundId
  const state = async (of = id) => (await world.shown(of))?.state

  beforeEach(async () => {
    world = await makeWorld()
    rounds = world.rounds
    id = { system: 'shop', round: randomUUID() }
  })

  afterEach(() => world.stop?.())

  it('is empty at first, and while rounds are led', async () => {
    expect(await rounds.show([])).toEqual([])
    expect(await rounds.show([led(id, 'anna', 1)])).toEqual([true])
    expect(await rounds.counts()).toEqual({ waiting: 0, active: 0, delayed: 0, completed: 0, failed: 0 })
    expect(await world.shown(id)).toBeUndefined()
  })

  it('shows how rounds ended, by whom and when, once, however often it is told', async () => {
    const other = { ...id, round: randomUUID() }
    const told = [
      ended(led(id, 'anna', 1), 'completed', '{"sent":"é"}'),
      ended(led(other, 'bert', 2), 'failed', 'disk "full"'),
    ]
    expect(await rounds.show(told)).toEqual([true, true])
    expect(await rounds.show(told)).toEqual([true, true])
    expect(await world.shown(id)).toEqual({
      state: 'completed',
      data: { leader: 'anna', fence: 1 },
      addedAtMs: NOW_MS + 1,
      endedAtMs: NOW_MS + 101,
      end: { outcome: 'completed', completedBy: 'reporter', result: { sent: 'é' } },
    })
    expect(await world.shown(other)).toMatchObject({ state: 'failed', end: 'disk "full"' })
    expect(await rounds.counts()).toMatchObject({ completed: 1, failed: 1 })
  })

  it('says so where nothing was said with the end', async () => {
    const other = { ...id, round: randomUUID() }
    await rounds.show([ended(led(id, 'anna', 1), 'completed'), ended(led(other, 'bert', 2), 'failed')])
    expect((await world.shown(id))?.end).toEqual({ outcome: 'completed', completedBy: 'reporter' })
    expect((await world.shown(other))?.end).toBe('the leader reported a failure without a reason')
  })

  it('shows an unreported round as red since its deadline, and green once it is reported late', async () => {
    const seen = led(id, 'anna', 1)
    await rounds.show([late(seen)])
    expect(await world.shown(id)).toEqual({
      state: 'failed',
      data: { leader: 'anna', fence: 1 },
      addedAtMs: seen.nowMs,
      endedAtMs: seen.nowMs + DEADLINE_MS,
      end: 'no completion reported within 1 min',
    })
    await rounds.show([ended(late(seen), 'completed')])
    expect(await rounds.counts()).toMatchObject({ completed: 1, failed: 0 })
    expect((await world.shown(id))?.end).toMatchObject({ completedBy: 'reporter' })
  })

  it('shows a submission as red that no worker has started, and then what its job comes to', async () => {
    await rounds.show([{ id, nowMs: NOW_MS, submission: watched }])
    expect(await state()).toBeUndefined()
    await rounds.show([{ id, nowMs: NOW_MS + DEADLINE_MS, submission: watched }])
    expect(await world.shown(id)).toMatchObject({
      state: 'failed',
      data: { worker: 'mailer' },
      addedAtMs: submission.submittedAtMs,
      endedAtMs: submission.submittedAtMs + DEADLINE_MS,
      end: 'no worker has started it by its deadline',
    })
    await rounds.show([{ ...ended(led(id, 'mailer@host', 3), 'completed'), submission: watched }])
    expect(await world.shown(id)).toMatchObject({
      state: 'completed',
      data: { worker: 'mailer', leader: 'mailer@host', fence: 3 },
      addedAtMs: submission.submittedAtMs,
    })
  })

  it('shows a round no more that was red and is led again', async () => {
    await rounds.show([late(led(id, 'anna', 1))])
    await rounds.show([{ ...led(id, 'bert', 2), previous: { leader: 'anna', fence: 1 } }])
    expect(await state()).toBeUndefined()
    expect(await rounds.counts()).toMatchObject({ failed: 0 })
  })

  it('never shows less than it knew: what was seen earlier and is told late changes nothing', async () => {
    const first = led(id, 'anna', 1)
    const second = led(id, 'bert', 2)
    await rounds.show([late(second)])
    await rounds.show([first, late(first), ended(first, 'failed'), second])
    expect((await world.shown(id))?.data).toEqual({ leader: 'bert', fence: 2 })
    await rounds.show([ended(second, 'failed', 'gave up'), late(second)])
    expect((await world.shown(id))?.end).toBe('gave up')
    // A failed round that was opened again.
    const third = led(id, 'carl', 3)
    await rounds.show([ended(third, 'completed'), late(third), third, ended(second, 'failed')])
    expect(await state()).toBe('completed')
  })

  it('takes a round for another whose record was lost: its fences begin anew', async () => {
    await rounds.show([ended(led(id, 'anna', 9), 'completed')])
    const anew = led(id, 'bert', 1, { electedAtMs: NOW_MS + 3_600_000 })
    await rounds.show([late({ ...anew, nowMs: NOW_MS + 3_600_000 })])
    expect(await world.shown(id)).toMatchObject({ state: 'failed', data: { leader: 'bert', fence: 1 } })
    expect(await rounds.counts()).toMatchObject({ completed: 0, failed: 1 })
  })
})

describe('the queue of rounds in BullMQ', () => {
  const id = { system: 'shop', round: 'night' }
  const jobId = roundKey(id)
  let rounds: BullRoundQueue
  let board: Queue

  beforeEach(async () => {
    await client.flushall()
    rounds = new BullRoundQueue(client, KEPT)
    board = new Queue(ROUNDS_QUEUE, { connection: client, prefix: QUEUE_PREFIX })
  })

  afterEach(() => Promise.all([rounds.stop(), board.close()]))

  it('ends the job that an older build has put off until the deadline, and leaves it while the round is led', async () => {
    await board.add('shop', {}, { jobId, delay: DEADLINE_MS })
    const seen = led(id, 'anna', 1)
    expect(await rounds.show([seen])).toEqual([true])
    expect(await board.getJobState(jobId)).toBe('delayed')
    await rounds.show([late(seen)])
    expect(await board.getJobState(jobId)).toBe('failed')
    await rounds.show([ended(seen, 'completed')])
    expect(await board.getJobState(jobId)).toBe('completed')
    expect(await rounds.counts()).toMatchObject({ delayed: 0, failed: 0, completed: 1 })
    // Whoever of an older build is told of it late finds it there.
    await board.add('shop', {}, { jobId, delay: DEADLINE_MS })
    expect(await board.getJobState(jobId)).toBe('completed')
  })

  it('leaves a job alone that BullMQ hands out, until it has ended', async () => {
    const worker = new Worker(ROUNDS_QUEUE, undefined, { connection: waiting, prefix: QUEUE_PREFIX })
    try {
      await board.add('shop', {}, { jobId })
      const seen = ended(led(id, 'anna', 1), 'completed')
      expect(await rounds.show([seen])).toEqual([false])
      const job = (await worker.getNextJob('token')) as Job
      expect(await rounds.show([seen])).toEqual([false])
      await job.moveToFailed(new Error('no completion reported'), 'token', false)
      expect(await rounds.show([seen])).toEqual([true])
      expect(await rounds.counts()).toMatchObject({ active: 0, failed: 0, completed: 1 })
    } finally {
      await worker.close()
    }
  })

  it('hands out a round that is retried on the board as any other job', async () => {
    const worker = new Worker(ROUNDS_QUEUE, undefined, { connection: waiting, prefix: QUEUE_PREFIX })
    try {
      await rounds.show([ended(led(id, 'anna', 1), 'failed', 'disk full')])
      const red = (await board.getJob(jobId)) as Job
      expect([red.failedReason, red.stacktrace, red.attemptsMade]).toEqual(['disk full', ['disk full'], 1])
      await red.retry('failed')
      const job = (await worker.getNextJob('token')) as Job
      await job.moveToFailed(new Error('disk full'), 'token', false)
      expect(await board.getJobState(jobId)).toBe('failed')
      await rounds.show([ended(led(id, 'bert', 2), 'completed')])
      expect(await board.getJobState(jobId)).toBe('completed')
    } finally {
      await worker.close()
    }
  })

  it('keeps ended jobs as long and as many as it is told, with nothing of the others left', async () => {
    const few = new BullRoundQueue(client, { ...KEPT, jobRetentionCount: 2 })
    const names = ['1', '2', '3', '4', '5']
    for (const [n, round] of names.entries())
      await few.show([
        { ...ended(led({ ...id, round }, 'anna', n + 1), 'completed'), previous: { leader: 'x', fence: 0 } },
      ])
    await few.stop()
    expect((await board.getCompleted()).map((job) => job.id)).toEqual(['shop~5', 'shop~4'])
    expect((await client.keys('{gone}:rounds:shop~*')).sort()).toEqual(
      ['4', '5'].flatMap((n) => [`{gone}:rounds:shop~${n}`, `{gone}:rounds:shop~${n}:logs`]),
    )

    const brief = new BullRoundQueue(client, { ...KEPT, jobRetentionMs: 1 })
    await brief.show([late(led({ ...id, round: 'old' }, 'anna', 9))])
    await brief.stop()
    expect(await client.keys('{gone}:rounds:shop~*')).toEqual([])
  })

  it('tells those who listen to the queue', async () => {
    const events = new QueueEvents(ROUNDS_QUEUE, {
      connection: waiting,
      prefix: QUEUE_PREFIX,
      lastEventId: '0',
    })
    try {
      const heard = new Promise((resolve) => events.on('completed', resolve))
      await rounds.show([ended(led(id, 'anna', 1), 'completed')])
      expect(await heard).toMatchObject({ jobId, returnvalue: { outcome: 'completed' } })
    } finally {
      await events.close()
    }
  })
})
