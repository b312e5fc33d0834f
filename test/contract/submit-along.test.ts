import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { JOB_IDENTITY, type Submission, type SubmissionRecord } from '../../src/core/rounds/job.ts'
import type { RoundId } from '../../src/core/rounds/round.ts'
import { BullJobQueues } from '../../src/queue/job-queues.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { RedisRecords, SUBMIT_LUA } from '../../src/store/records/redis-records.ts'
import { pause } from '../../src/waiting.ts'
import { startRedisClient } from '../support/redis-client.ts'

const DAY_MS = 86_400_000

let client: RedisClient
let jobs: BullJobQueues
let inOne: RedisRecords
let inTwo: RedisRecords
let queue: string
let id: RoundId

beforeAll(async () => {
  client = await startRedisClient()
  jobs = new BullJobQueues(client, DAY_MS, SUBMIT_LUA)
  inOne = new RedisRecords(client, DAY_MS, (...all) => jobs.addRecorded(...all))
  inTwo = new RedisRecords(client, DAY_MS)
})

afterAll(() => jobs.stop())

beforeEach(() => {
  queue = `q-${randomUUID()}`
  id = { system: randomUUID(), round: 'r' }
})

const submission = (more: Partial<Submission> = {}): Submission => ({
  queue,
  data: { to: 'anna', list: [], n: 1.5, text: 'ä"\\' },
  queueTerms: {},
  runTerms: {},
  ...more,
})
const jobOf = ({ system, round }: RoundId) => client.hgetall(`{gone}:${queue}:${system}~${round}`)
const recordOf = ({ system, round }: RoundId) => client.hgetall(`gone:{${system}}:round:${round}`)
const outboxOf = async () => (await inOne.outbox(0, 1_000)).filter((entry) => entry.id.system === id.system)
const waiting = () => client.lrange(`{gone}:${queue}:wait`, 0, -1)

it.each<[string, Partial<Submission>]>([
  ['no terms', {}],
  ['no data', { data: undefined }],
  ['attempts and a backoff', { queueTerms: { attempts: 3, backoff: { type: 'fixed', delayMs: 5 } } }],
  ['a priority', { queueTerms: { priority: 7 } }],
  ['a deadline', { runTerms: { deadlineMs: 60_000, timeoutMs: 1_000 } }],
])('makes in one step what two steps make, of a submission with %s', async (_, more) => {
  const other = { ...id, round: 'other' }
  const seen = await inTwo.submit(other, submission(more), 1_000)
  const { submission: noted, nowMs } = seen
  if (!noted?.pending) throw new Error('expected it to be recorded alone')
  await jobs.add(other, { ...noted, ...noted.pending })
  inTwo.acknowledge(other, 'submitted', seen)
  await inTwo.flush()

  const ruling = await inOne.submit(id, submission(more), 1_000)
  const atMs = ruling.submission?.submittedAtMs ?? 0
  expect(ruling).toEqual({
    verdict: 'submitted',
    nowMs: atMs,
    submission: { ...noted, pending: undefined, submittedAtMs: atMs },
  })
  const asIfThen = (hash: Record<string, string>) =>
    JSON.parse(
      JSON.stringify({ ...hash, ...(hash.opts && { opts: JSON.parse(hash.opts) }) })
        .replaceAll(String(nowMs), String(atMs))
        .replaceAll('~other', '~r'),
    )
  expect(asIfThen(await jobOf(id))).toEqual(asIfThen(await jobOf(other)))
  expect(asIfThen(await recordOf(id))).toEqual(asIfThen(await recordOf(other)))
  expect(await outboxOf()).toEqual([])
  expect(await jobs.find(id, { queue, submittedAtMs: atMs })).toEqual(
    await jobs.find(other, { queue, submittedAtMs: nowMs }),
  )
})

it('makes one job of many submissions at once', async () => {
  const verdicts = (await Promise.all(Array.from({ length: 50 }, () => inOne.submit(id, submission())))).map(
    ({ verdict }) => verdict,
  )
  expect(verdicts.filter((verdict) => verdict === 'submitted')).toHaveLength(1)
  expect(await waiting()).toHaveLength(1)
})

it('makes no job for a round that was submitted before, also where that job is gone', async () => {
  const { submission: made } = await inOne.submit(id, submission())
  await jobs.remove(id, made as SubmissionRecord)
  expect((await inOne.submit(id, submission())).verdict).toBe('duplicate')
  expect(await jobOf(id)).toEqual({})
})

it('makes no job for a round that is led', async () => {
  await inOne.decide(id, { address: '10.0.0.1:1', identity: tokenIdentity('anna') }, { deadlineMs: 60_000 })
  expect((await inOne.submit(id, submission())).verdict).toBe('duplicate')
  expect(await jobOf(id)).toEqual({})
})

it('leaves it to the outbox where a job of an earlier submission is in the way', async () => {
  await inOne.submit(id, submission({ data: 'earlier' }))
  await client.del(`gone:{${id.system}}:round:r`)
  // A job is of the record that was made in its millisecond.
  await pause(2)
  const { verdict, submission: noted } = await inOne.submit(id, submission({ data: 'later' }))
  expect(verdict).toBe('submitted')
  expect(noted?.pending?.data).toBe('later')
  expect((await outboxOf()).map(({ step }) => step)).toEqual(['submitted'])
  if (noted?.pending) await jobs.add(id, { ...noted, ...noted.pending })
  expect((await jobOf(id)).data).toBe('"later"')
})

it('leaves it to the outbox where the queue cannot take it, and says retry', async () => {
  await client.set(`{gone}:${queue}:wait`, 'no list')
  await expect(inOne.submit(id, submission())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  expect((await outboxOf()).map(({ step }) => step)).toEqual(['submitted'])
  expect((await inOne.submit(id, submission())).submission?.pending).toBeDefined()
})

it('takes two steps where the job is to wait for its time', async () => {
  const { submission: noted } = await inOne.submit(id, submission({ queueTerms: { delayMs: 60_000 } }))
  expect(noted?.pending).toBeDefined()
  expect(await jobOf(id)).toEqual({})
})

it('makes a job that runs for its record and for no other', async () => {
  const { submission: noted } = await inOne.submit(id, submission())
  const made = JSON.parse((await jobOf(id)).opts ?? '{}') as { submittedAt: number }
  expect(made.submittedAt).toBe(noted?.submittedAtMs)
  const job = { address: 'worker', identity: JOB_IDENTITY }
  const start = (madeForMs: number) => inOne.start(id, job, { deadlineMs: 60_000 }, 9, { madeForMs })
  expect((await start(made.submittedAt - 1)).verdict).toBe('another')
  expect((await start(made.submittedAt)).verdict).toBe('started')
})
