import { describe, expect, it } from 'vitest'
import { callIdentity, tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { JOB_IDENTITY, type SubmissionRecord } from '../../src/core/rounds/job.ts'
import type { Sighting } from '../../src/core/rounds/round-ports.ts'
import { GoneError } from '../../src/errors.ts'
import { MemoryJobQueues } from '../../src/queue/memory-job-queues.ts'
import { Canceller } from '../../src/service/rounds/canceller.ts'
import { Completer } from '../../src/service/rounds/completer.ts'
import { RoundMemory } from '../../src/service/rounds/round-memory.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { notedLog } from '../support/noted-log.ts'
import { directBoard, notedRounds } from '../support/noted-rounds.ts'

const id = { system: 'shop', round: 'night' }
const terms = { deadlineMs: 60_000 }
const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const nobody = { address: '10.0.0.2:2', identity: callIdentity('call') }
const job = { address: 'w', identity: JOB_IDENTITY }

/** Records in which something happens between a look and what follows it. */
class BusyRecords extends MemoryRecords {
  afterLook: () => Promise<unknown> = async () => undefined

  override async read(...args: Parameters<MemoryRecords['read']>): Promise<Sighting> {
    const seen = await super.read(...args)
    await this.afterLook()
    return seen
  }
}

function world() {
  const nowMs = () => 1_000_000
  const records = new BusyRecords(nowMs)
  const jobs = new MemoryJobQueues()
  const { log, lines } = notedLog()
  const { rounds, told } = notedRounds()
  const completer = new Completer({
    records,
    board: directBoard({ records, queue: rounds, log }),
    memory: new RoundMemory(10, 0, nowMs),
    nowMs,
  })
  const submit = async () => {
    const work = { queue: 'mailer', data: null, queueTerms: {}, runTerms: {} }
    const seen = await records.submit(id, work)
    await jobs.add(id, { ...(seen.submission as SubmissionRecord), ...work })
    records.acknowledge(id, 'submitted', seen)
  }
  const end = async () => {
    records.afterLook = async () => undefined
    return (await records.read(id)).record?.completion
  }
  return {
    records,
    jobs,
    lines,
    told,
    submit,
    end,
    canceller: new Canceller({ records, completer, jobs, log }),
  }
}

describe('the canceller', () => {
  it('ends a submitted round as failed with the reason, and takes its job out of the queue', async () => {
    const { canceller, submit, jobs, end } = world()
    await submit()
    await canceller.cancel(id, { by: 'schedule', reason: 'nobody wants it' })
    expect(await end()).toMatchObject({ outcome: 'failed', detail: 'nobody wants it', by: 'schedule' })
    expect(jobs.job(id, 'mailer')).toBeUndefined()
  })

  it('ends a round that a worker runs, and leaves the job to the worker', async () => {
    const { canceller, submit, records, jobs, end } = world()
    await submit()
    await records.start(id, job, terms, 5)
    const taken = jobs.job(id, 'mailer')
    if (taken) taken.isActive = true
    await canceller.cancel(id, { by: 'schedule', reason: 'replaced' })
    expect(await end()).toMatchObject({ outcome: 'failed', detail: 'replaced' })
    expect(jobs.job(id, 'mailer')).toBeDefined()
  })

  it('leaves a job that was started in its queue, to be taken at once and show how it ended', async () => {
    const { canceller, submit, records, jobs } = world()
    await submit()
    await records.start(id, job, terms, 5)
    // As after an attempt that failed.
    Object.assign(jobs.job(id, 'mailer') ?? {}, { notBeforeMs: 5_000_000 })
    await canceller.cancel(id, { by: 'schedule', reason: 'replaced' })
    expect(jobs.job(id, 'mailer')).toBeDefined()
    expect(jobs.job(id, 'mailer')?.notBeforeMs).toBeUndefined()
  })

  it.each([
    ['a token', anna],
    ['no token', nobody],
  ])('ends a round that is led over HTTP with %s, and its job', async (_, leader) => {
    const { canceller, records, told, end } = world()
    await records.decide(id, leader, terms)
    await canceller.cancel(id, { by: 'schedule', reason: 'replaced' })
    expect(await end()).toMatchObject({ outcome: 'failed', detail: 'replaced' })
    expect(told).toContain('night failed')
  })

  it('leaves a round as it ended, and nothing where there is none', async () => {
    const { canceller, records, end } = world()
    await canceller.cancel(id, { by: 'schedule', reason: 'replaced' })
    expect(await end()).toBeUndefined()
    await records.decide(id, anna, terms)
    await records.complete(id, anna, { outcome: 'completed', detail: '' }, terms)
    await canceller.cancel(id, { by: 'schedule', reason: 'replaced' })
    expect(await end()).toMatchObject({ outcome: 'completed', by: anna.address })
  })

  it('may be done twice: the first reason is kept', async () => {
    const { canceller, submit, end } = world()
    await submit()
    await canceller.cancel(id, { by: 'schedule', reason: 'first' })
    await canceller.cancel(id, { by: 'schedule', reason: 'second' })
    expect(await end()).toMatchObject({ detail: 'first' })
  })

  it('ends a round whose leader changes between the look and the step', async () => {
    const { canceller, records, submit, end } = world()
    await submit()
    await records.start(id, job, terms, 50)
    records.afterLook = () => records.start(id, job, terms, 50)
    await canceller.cancel(id, { by: 'schedule', reason: 'replaced' })
    expect(await end()).toMatchObject({ outcome: 'failed', detail: 'replaced' })
  })

  it('says who may not, and then changes nothing', async () => {
    const { canceller, submit, jobs, end } = world()
    await submit()
    const check = () => {
      throw new GoneError('FORBIDDEN', 'not yours')
    }
    await expect(canceller.cancel(id, { by: 'x', reason: 'x', check })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
    expect(await end()).toBeUndefined()
    expect(jobs.job(id, 'mailer')).toBeDefined()
  })

  it('takes out the job of a round that was cancelled before, which a process that died could not', async () => {
    const { canceller, records, submit, jobs } = world()
    await submit()
    const { submission } = await records.read(id)
    await records.cancel(id, 'schedule', 'replaced', { submittedAtMs: submission?.submittedAtMs ?? 0 })
    expect(jobs.job(id, 'mailer')).toBeDefined()
    await canceller.cancel(id, { by: 'schedule', reason: 'replaced' })
    expect(jobs.job(id, 'mailer')).toBeUndefined()
  })

  it('leaves the job of a round with an end of its own where it is', async () => {
    const { canceller, records, submit, jobs } = world()
    await submit()
    await records.start(id, job, terms, 5)
    await records.finish(id, { ...job, fence: 1 }, { outcome: 'failed', detail: 'disk full' })
    expect(await canceller.cancel(id, { by: 'schedule', reason: 'replaced' })).toMatchObject({
      verdict: 'ended',
    })
    expect(jobs.job(id, 'mailer')).toBeDefined()
  })

  it('has ended the round also where the queue does not answer, and says that its job is left', async () => {
    const { canceller, submit, jobs, lines, end } = world()
    await submit()
    jobs.remove = () => Promise.reject(new Error('queue down'))
    await canceller.cancel(id, { by: 'schedule', reason: 'replaced' })
    expect(await end()).toMatchObject({ outcome: 'failed' })
    expect(lines).toContain('warn job of an ended round left in its queue')
  })
})
