import { afterEach, describe, expect, it, vi } from 'vitest'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { JOB_IDENTITY, type RunTerms } from '../../src/core/rounds/job.ts'
import { type RoundId, roundKey } from '../../src/core/rounds/round.ts'
import { MemoryJobQueues } from '../../src/queue/memory-job-queues.ts'
import { Sweeper } from '../../src/service/rounds/sweeper.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { silentLog } from '../support/log.ts'
import { notedRounds } from '../support/noted-rounds.ts'

const terms = { deadlineMs: 3_600_000 }
const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const bert = { address: '10.0.0.2:2', identity: tokenIdentity('bert') }
const done = { outcome: 'completed', detail: '' } as const
const round = (name: string): RoundId => ({ system: 'shop', round: name })

afterEach(() => {
  vi.useRealTimers()
})

/** Records that a build may have written which kept no index of deadlines, and told the queue of each leader. */
class OlderRecords extends MemoryRecords {
  leaveAsOlder(id: RoundId): void {
    this.deadlines.delete(roundKey(id))
    this.pending.set(roundKey(id), 0)
  }
}

/** Records that processes left behind which told no queue, and a sweeper. */
function world() {
  const state = { nowMs: 1_000_000 }
  const records = new OlderRecords(() => state.nowMs)
  const jobs = new MemoryJobQueues()
  const { rounds, told, trouble } = notedRounds()
  const sweeper = new Sweeper(records, rounds, jobs, silentLog)
  const submit = (name: string, runTerms: RunTerms = {}) =>
    records.submit(round(name), { queue: 'mailer', data: { name }, queueTerms: { attempts: 7 }, runTerms })
  const left = async () => (await records.outbox(0, 100)).map(({ id, step }) => `${step} ${id.round}`)
  return { state, records, jobs, rounds, told, trouble, sweeper, submit, left }
}

describe('the sweeper', () => {
  it('puts a job into its queue that a dead process had accepted, with its data and terms, once', async () => {
    const { submit, sweeper, jobs, left } = world()
    await submit('night')
    await sweeper.sweep(0)
    expect(jobs.job(round('night'), 'mailer')).toMatchObject({
      data: { name: 'night' },
      queueTerms: { attempts: 7 },
    })
    expect([sweeper.redelivered, await left()]).toEqual([1, []])
    await sweeper.sweep(0)
    expect(sweeper.redelivered).toBe(1)
  })

  it('shows a round as overdue that a dead process had noted to be', async () => {
    const { records, submit, sweeper, told, left, state } = world()
    await submit('night', { deadlineMs: 60_000 })
    await records.decide(round('day'), anna, { deadlineMs: 60_000 })
    state.nowMs += 60_000
    for (const name of ['night', 'day']) await records.expire(round(name))
    expect(await left()).toEqual(['submitted night', 'overdue night', 'overdue day'])
    await sweeper.sweep(0)
    expect([told, await left()]).toEqual([['night failed', 'day failed'], []])
  })

  it('shows a round as overdue no more that was taken over while it was shown so', async () => {
    const { records, rounds, sweeper, told, left, state } = world()
    await records.decide(round('night'), anna, { deadlineMs: 60_000, leaseMs: 60_000 })
    state.nowMs += 60_000
    await records.expire(round('night'))
    const show = rounds.show.bind(rounds)
    rounds.show = async (seen) => {
      rounds.show = show
      await records.decide(round('night'), bert, terms)
      return show(seen)
    }
    await sweeper.sweep(0)
    expect(told).toEqual(['night failed', 'night nowhere'])
    expect(await left()).toEqual(['led night'])
  })

  it('watches the deadline of a round that an older build has noted as led', async () => {
    const { records, sweeper, told, left, state } = world()
    await records.decide(round('night'), anna, terms)
    records.leaveAsOlder(round('night'))
    expect(await records.due(10)).toEqual({ due: [], nextInMs: Number.POSITIVE_INFINITY })
    await sweeper.sweep(0)
    expect([told, await left()]).toEqual([['night nowhere'], []])
    expect((await records.due(10)).nextInMs).toBe(terms.deadlineMs)
    state.nowMs += terms.deadlineMs
    expect((await records.due(10)).due).toEqual([round('night')])
  })

  it('leaves what the queue cannot take yet for the next time', async () => {
    const { records, rounds, sweeper, left } = world()
    await records.decide(round('night'), anna, terms)
    await records.complete(round('night'), anna, done, terms)
    const show = rounds.show.bind(rounds)
    rounds.show = async (seen) => seen.map(() => false)
    await sweeper.sweep(0)
    expect([await left(), sweeper.redelivered]).toEqual([['finished night'], 0])
    rounds.show = show
    await sweeper.sweep(0)
    expect(await left()).toEqual([])
  })

  it('shows the end of a round that was led over HTTP', async () => {
    const { records, sweeper, told, left } = world()
    await records.decide(round('night'), anna, terms)
    await records.complete(round('night'), anna, done, terms)
    await sweeper.sweep(0)
    expect(told).toEqual(['night completed'])
    expect(await left()).toEqual([])
  })

  it('tells the queue of rounds nothing of a job that ended without a deadline', async () => {
    const { records, submit, sweeper, told } = world()
    const job = { address: 'w', identity: JOB_IDENTITY }
    await submit('night')
    await records.start(round('night'), job, terms, 5)
    await records.finish(round('night'), { ...job, fence: 1 }, done)
    await sweeper.sweep(0)
    expect([sweeper.redelivered, told]).toEqual([1, []])
  })

  it('leaves what is younger than 5 s to the process that is at it', async () => {
    const { submit, sweeper, left, state } = world()
    await submit('night')
    state.nowMs += 4_999
    await sweeper.sweep()
    expect(await left()).toEqual(['submitted night'])
    state.nowMs += 1
    await sweeper.sweep()
    expect(await left()).toEqual([])
  })

  it('keeps what it could not tell, and tells it as soon as the queue is back', async () => {
    const { records, sweeper, told, trouble, left } = world()
    await records.decide(round('night'), anna, terms)
    await records.complete(round('night'), anna, done, terms)
    trouble.isDown = true
    const before = await left()
    await sweeper.sweep(0).catch(() => undefined)
    expect([await left(), sweeper.redelivered]).toEqual([before, 0])
    trouble.isDown = false
    await sweeper.sweep(0)
    expect([await left(), told]).toEqual([[], ['night completed']])
  })

  it('tells all others where one cannot be told, whichever it is, and says at the end what was wrong', async () => {
    const { records, submit, jobs, sweeper, told, left } = world()
    await submit('bad')
    for (let n = 0; n < 250; n += 1) await submit(`n${n}`)
    await records.decide(round('ended'), anna, terms)
    await records.complete(round('ended'), anna, done, terms)
    const add = jobs.add.bind(jobs)
    jobs.add = async (id, submission) => {
      if (id.round === 'bad') throw new Error('its queue is away')
      await add(id, submission)
    }
    await expect(sweeper.sweep(0)).rejects.toThrow('its queue is away')
    expect(await left()).toEqual(['submitted bad'])
    expect([told, sweeper.redelivered, (await jobs.counts()).mailer?.waiting]).toEqual([
      ['ended completed'],
      251,
      250,
    ])
  })

  it('queues what was submitted where the board is away, and goes on with the next deadline where one fails', async () => {
    const { records, submit, jobs, sweeper, trouble, left } = world()
    await records.decide(round('ended'), anna, terms)
    await records.complete(round('ended'), anna, done, terms)
    for (const name of ['bad', 'good']) await submit(name)
    const expire = records.expire.bind(records)
    records.expire = async (id) => {
      if (id.round === 'bad') throw new Error('not now')
      return expire(id)
    }
    trouble.isDown = true
    await expect(sweeper.sweep(0)).rejects.toThrow('not now')
    expect(await left()).toEqual(['finished ended', 'submitted bad'])
    expect(jobs.job(round('good'), 'mailer')).toBeDefined()
  })

  it('has the next lot told at once where one of a full lot cannot be', async () => {
    const { submit, jobs, sweeper, left } = world()
    for (const name of ['bad', ...Array.from({ length: 600 }, (_, n) => `n${n}`)]) await submit(name)
    const add = jobs.add.bind(jobs)
    jobs.add = async (id, submission) => {
      if (id.round === 'bad') throw new Error('its queue is away')
      await add(id, submission)
    }
    expect(await sweeper.sweep(0)).toBe(true)
    await expect(sweeper.sweep(0)).rejects.toThrow('its queue is away')
    expect(await left()).toEqual(['submitted bad'])
  })

  it('sweeps every few seconds once it is started, also after trouble, and ends when it is stopped', async () => {
    vi.useFakeTimers()
    const { records, submit, sweeper, trouble, left, state } = world()
    const pass = async (ms: number) => {
      state.nowMs += ms
      await vi.advanceTimersByTimeAsync(ms)
    }
    sweeper.start()
    sweeper.start()
    await submit('first')
    // Two pauses, which vary by a quarter, and the age at which an entry counts as left.
    await pass(5_000)
    await pass(12_500)
    expect(await left()).toEqual([])

    await records.decide(round('second'), anna, terms)
    await records.complete(round('second'), anna, done, terms)
    trouble.isDown = true
    await pass(30_000)
    expect(await left()).not.toEqual([])
    trouble.isDown = false
    await pass(12_500)
    expect(await left()).toEqual([])

    await Promise.all([sweeper.stop(), sweeper.stop()])
    await submit('third')
    await pass(60_000)
    expect(await left()).toEqual(['submitted third'])
  })

  it('ends between two entries when it is stopped', async () => {
    const { submit, sweeper, jobs, left } = world()
    for (const name of ['first', 'second', 'third']) await submit(name)
    const add = jobs.add.bind(jobs)
    let stopped: Promise<void> | undefined
    jobs.add = async (...args) => {
      stopped ??= sweeper.stop()
      await add(...args)
    }
    await sweeper.sweep(0)
    await stopped
    expect(await left()).toHaveLength(2)
  })
})
