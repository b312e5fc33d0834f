import { describe, expect, it } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { JOB_IDENTITY, type Submission, type SubmissionRecord } from '../../src/core/rounds/job.ts'
import type { SubmissionRuling } from '../../src/core/rounds/round-ports.ts'
import { GoneError } from '../../src/errors.ts'
import { MemoryJobQueues } from '../../src/queue/memory-job-queues.ts'
import { Dispatcher } from '../../src/service/rounds/dispatcher.ts'
import { Sweeper } from '../../src/service/rounds/sweeper.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { notedLog } from '../support/noted-log.ts'
import { notedRounds } from '../support/noted-rounds.ts'

const id = { system: 'shop', round: 'night' }
const terms = { deadlineMs: 60_000 }
const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const work = (over: Partial<Submission> = {}): Submission => ({
  queue: 'mailer',
  data: { n: 1 },
  queueTerms: { attempts: 7 },
  runTerms: {},
  ...over,
})

/** Records that can lose the reply of a submission that was noted. */
class ShakyRecords extends MemoryRecords {
  losesReply = false

  override async submit(...args: Parameters<MemoryRecords['submit']>): Promise<SubmissionRuling> {
    const ruling = await super.submit(...args)
    if (this.losesReply) throw new GoneError('STORE_UNAVAILABLE', 'reply lost')
    return ruling
  }
}

/** A worker's queues that can be down, and count what they are asked. */
class ShakyJobs extends MemoryJobQueues {
  isDown = false
  adds = 0

  override async add(...args: Parameters<MemoryJobQueues['add']>): Promise<void> {
    this.adds += 1
    if (this.isDown) throw new Error('queue down')
    return super.add(...args)
  }
}

function world() {
  const records = new ShakyRecords(() => 1_000_000)
  const jobs = new ShakyJobs()
  const { rounds } = notedRounds()
  const expected: number[] = []
  const deadlines = { expect: (ms: number) => void expected.push(ms) }
  const { log, lines } = notedLog()
  const sweeper = new Sweeper(records, rounds, jobs, log)
  const dispatcher = new Dispatcher({ records, jobs, deadlines, log, submissionDeadlineMs: 0 })
  return { records, jobs, expected, lines, sweeper, dispatcher }
}

describe('the dispatcher', () => {
  it('makes one job of the submissions of many, and tells one of them that it was first', async () => {
    const { dispatcher, jobs, records } = world()
    const dispatches = await Promise.all(Array.from({ length: 100 }, () => dispatcher.submit(id, work())))
    expect(dispatches.filter(({ isFirst }) => isFirst)).toHaveLength(1)
    expect(dispatches.filter(({ isConflict }) => isConflict)).toHaveLength(0)
    expect(await jobs.counts()).toMatchObject({ mailer: { waiting: 1 } })
    expect(jobs.job(id, 'mailer')).toMatchObject({ data: { n: 1 }, queueTerms: { attempts: 7 } })
    expect(await records.outbox(0, 10)).toEqual([])
  })

  it.each([
    ['other data', work({ data: { n: 2 } })],
    ['another worker', work({ queue: 'printer' })],
  ])('keeps the first of two submissions with %s, and says so', async (_, other) => {
    const { dispatcher, jobs } = world()
    await dispatcher.submit(id, work())
    expect(await dispatcher.submit(id, other)).toMatchObject({
      isFirst: false,
      isConflict: true,
      submission: { queue: 'mailer' },
    })
    expect(jobs.job(id, 'mailer')?.data).toEqual({ n: 1 })
    expect(jobs.job(id, 'printer')).toBeUndefined()
  })

  it('watches the deadline that a submission sets', async () => {
    const { dispatcher, records, expected } = world()
    await dispatcher.submit(id, work({ runTerms: { deadlineMs: 60_000 } }))
    await dispatcher.submit(id, work({ runTerms: { deadlineMs: 60_000 } }))
    expect([expected, (await records.due(10)).nextInMs]).toEqual([[60_000], 60_000])
  })

  it('makes no job of a round that is led over HTTP or has ended, and shows its record', async () => {
    const { dispatcher, records, jobs } = world()
    await records.decide(id, anna, terms)
    const led = await dispatcher.submit(id, work())
    expect(led).toMatchObject({ isFirst: false, isConflict: false, record: { leader: anna.address } })
    await records.complete(id, anna, { outcome: 'completed', detail: '' }, terms)
    expect(await dispatcher.submit(id, work())).toMatchObject({
      record: { completion: { by: anna.address } },
    })
    expect(jobs.adds).toBe(0)
  })

  it('adds a job no more that a worker has started', async () => {
    const { dispatcher, records, jobs } = world()
    await dispatcher.submit(id, work())
    await records.start(id, { address: 'w', identity: JOB_IDENTITY }, terms, 5)
    expect(await dispatcher.submit(id, work())).toMatchObject({ isFirst: false, record: { starts: 1 } })
    expect(jobs.adds).toBe(1)
  })

  it('accepts what its queue does not take, and the sweeper queues it', async () => {
    const { dispatcher, jobs, lines, records, sweeper } = world()
    jobs.isDown = true
    expect(await dispatcher.submit(id, work())).toMatchObject({ isFirst: true })
    expect(lines).toEqual([expect.stringMatching(/^warn job not queued yet/)])
    expect(await records.outbox(0, 10)).toHaveLength(1)
    jobs.isDown = false
    await sweeper.sweep(0)
    expect(jobs.job(id, 'mailer')?.data).toEqual({ n: 1 })
  })

  it('queues what was accepted and is not queued yet when it is submitted again, also with other data', async () => {
    const { dispatcher, jobs, records } = world()
    jobs.isDown = true
    await dispatcher.submit(id, work())
    jobs.isDown = false
    await dispatcher.submit(id, work({ data: { n: 2 } }))
    expect(jobs.job(id, 'mailer')?.data).toEqual({ n: 1 })
    expect(await records.outbox(0, 10)).toEqual([])
  })

  it('makes no job where one was queued and has been removed since: it answers that nothing was changed', async () => {
    const { dispatcher, jobs } = world()
    const { submission } = await dispatcher.submit(id, work())
    await jobs.remove(id, submission as SubmissionRecord)
    expect(await dispatcher.submit(id, work())).toMatchObject({ isFirst: false, isConflict: false })
    expect(jobs.job(id, 'mailer')).toBeUndefined()
  })

  it('tells whoever the reply was lost to retry, and queues the job at the next try', async () => {
    const { dispatcher, jobs, records } = world()
    records.losesReply = true
    await expect(dispatcher.submit(id, work())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    records.losesReply = false
    await dispatcher.submit(id, work())
    expect(jobs.job(id, 'mailer')?.data).toEqual({ n: 1 })
  })
})
