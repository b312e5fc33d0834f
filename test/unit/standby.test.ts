import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { callIdentity, tokenIdentity } from '../../src/core/rounds/candidate.ts'
import type { RoundNews } from '../../src/core/rounds/round-ports.ts'
import { GoneError } from '../../src/errors.ts'
import { Elector } from '../../src/service/rounds/elector.ts'
import { RoundMemory } from '../../src/service/rounds/round-memory.ts'
import { Standby } from '../../src/service/rounds/standby.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { silentLog } from '../support/log.ts'
import { directBoard, notedRounds } from '../support/noted-rounds.ts'

const id = { system: 'shop', round: 'night' }
const terms = { deadlineMs: 3_600_000 }
const leased = { ...terms, leaseMs: 10_000 }
const done = { outcome: 'completed', detail: '' } as const
const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const bert = { address: '10.0.0.2:2', identity: tokenIdentity('bert') }
const carl = { address: '10.0.0.3:3', identity: tokenIdentity('carl') }
const MAX_STANDBYS = 1_000

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

/** News that can be lost, as with a connection, and count who listens. */
class ShakyNews implements RoundNews {
  isLost = false
  listeners = 0

  constructor(private readonly news: RoundNews) {}

  async listen(round: typeof id, onFinished: () => void): Promise<() => void> {
    const leave = await this.news.listen(round, () => this.isLost || onFinished())
    this.listeners += 1
    return () => {
      this.listeners -= 1
      leave()
    }
  }
}

function world() {
  const nowMs = () => Date.now()
  const records = new MemoryRecords(nowMs)
  const memory = new RoundMemory(10, 86_400_000, nowMs)
  const news = new ShakyNews(records)
  const deadlines = { expect() {} }
  const board = directBoard({ records, queue: notedRounds().rounds, log: silentLog })
  const elector = new Elector({ records, board, deadlines, memory, log: silentLog, nowMs })
  const standby = new Standby({ elector, records, memory, news, nowMs })
  const present = () => new AbortController().signal
  return {
    records,
    news,
    standby,
    elect: (candidate = bert, waitMs = 50_000, caller = present(), asked: typeof terms = terms) =>
      standby.elect(id, candidate, asked, waitMs, caller),
    finish: (waitMs = 50_000, caller = present()) => standby.finish(id, waitMs, caller),
  }
}

/** Whether it has been answered, and how, after so long. */
async function answerIn<T>(ms: number, answer: Promise<T>): Promise<T | 'waits'> {
  const settled = Promise.race([
    answer,
    new Promise<'waits'>((resolve) => setTimeout(() => resolve('waits'), ms)),
  ])
  settled.catch(() => undefined)
  await vi.advanceTimersByTimeAsync(ms)
  return settled
}

describe('a candidate that stands by', () => {
  it('is answered at once where it leads', async () => {
    const { elect, news } = world()
    expect(await answerIn(0, elect())).toMatchObject({
      verdict: 'elected',
      leadership: { leader: bert.address },
    })
    expect(news.listeners).toBe(0)
  })

  it('is answered at once where the round is finished', async () => {
    const { elect, records } = world()
    await records.decide(id, anna, terms)
    await records.complete(id, anna, done, terms)
    expect(await answerIn(0, elect())).toMatchObject({
      verdict: 'lost',
      seen: { record: { completion: done } },
    })
  })

  it('is told that it lost as soon as the leader is done, and listens no more', async () => {
    const { elect, records, news } = world()
    await records.decide(id, anna, terms)
    const answer = elect()
    expect(await answerIn(700, answer)).toBe('waits')
    expect(news.listeners).toBe(1)
    await records.complete(id, anna, done, terms)
    expect(await answerIn(0, answer)).toMatchObject({
      verdict: 'lost',
      seen: { record: { completion: done } },
    })
    expect(news.listeners).toBe(0)
  })

  it('finds out within about a second where the news was lost', async () => {
    const { elect, records, news } = world()
    await records.decide(id, anna, terms)
    news.isLost = true
    const answer = elect()
    expect(await answerIn(500, answer)).toBe('waits')
    await records.complete(id, anna, done, terms)
    expect(await answerIn(1_000, answer)).toMatchObject({ seen: { record: { completion: done } } })
  })

  it('takes over as soon as the lease has ended, one of many', async () => {
    const { elect, records } = world()
    await records.decide(id, anna, leased)
    const answers = [bert, carl].map((candidate) => elect(candidate, 50_000, undefined, leased))
    expect(await answerIn(9_999, Promise.race(answers))).toBe('waits')
    expect(await answerIn(10, Promise.race(answers))).toMatchObject({
      verdict: 'takenOver',
      leadership: { fence: 2 },
    })
    const { record } = await records.read(id)
    await records.complete(id, record?.leader === bert.address ? bert : carl, done, terms)
    const verdicts = (await answerIn(1_000, Promise.all(answers))) as { verdict: string }[]
    expect(verdicts.map(({ verdict }) => verdict).sort()).toEqual(['lost', 'takenOver'])
  })

  it('waits on where the leader renews', async () => {
    const { elect, records } = world()
    await records.decide(id, anna, leased)
    const answer = elect(bert, 50_000, undefined, leased)
    expect(await answerIn(8_000, answer)).toBe('waits')
    await records.renew(id, anna)
    expect(await answerIn(9_000, answer)).toBe('waits')
    expect(await answerIn(1_100, answer)).toMatchObject({ verdict: 'takenOver' })
  })

  it('is told that it lost once its time is up', async () => {
    const { elect, records, news } = world()
    await records.decide(id, anna, terms)
    const answer = elect(bert, 2_500)
    expect(await answerIn(2_400, answer)).toBe('waits')
    expect(await answerIn(200, answer)).toMatchObject({
      verdict: 'lost',
      leadership: { leader: anna.address },
    })
    expect(news.listeners).toBe(0)
  })

  it('is never elected once its caller has gone', async () => {
    const { elect, records } = world()
    await records.decide(id, anna, leased)
    const caller = new AbortController()
    const answer = elect(bert, 50_000, caller.signal, leased)
    await answerIn(5_000, answer)
    caller.abort()
    expect(await answerIn(0, answer)).toMatchObject({ verdict: 'lost' })
    await vi.advanceTimersByTimeAsync(20_000)
    expect((await records.read(id)).record?.leader).toBe(anna.address)
  })

  it('is told to retry elsewhere when the server stops, and so is whoever comes then', async () => {
    const { elect, records, standby, news } = world()
    await records.decide(id, anna, terms)
    const waiting = elect()
    await answerIn(100, waiting)
    standby.drain()
    await expect(answerIn(0, waiting)).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    await expect(answerIn(0, elect(carl))).rejects.toMatchObject({ code: 'SHUTTING_DOWN' })
    expect(news.listeners).toBe(0)
  })

  it('is told of trouble, and takes no place any more', async () => {
    const { elect, records, news } = world()
    await records.decide(id, anna, terms)
    const read = records.read.bind(records)
    const answer = elect()
    await answerIn(100, answer)
    records.read = () => Promise.reject(new GoneError('STORE_UNAVAILABLE', 'down'))
    await expect(answerIn(1_000, answer)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    records.read = read
    expect(news.listeners).toBe(0)
  })

  it('is refused beyond a thousand, and let in again when others have left', async () => {
    const { elect, records } = world()
    await records.decide(id, anna, terms)
    const nobody = (n: number) => ({ address: 'n', identity: callIdentity(`call-${n}`) })
    const waiting = Array.from({ length: MAX_STANDBYS }, (_, n) => elect(nobody(n), 500))
    await answerIn(0, Promise.race(waiting))
    await expect(elect()).rejects.toMatchObject({ code: 'TOO_MANY_STANDBYS', retryable: true })
    await answerIn(600, Promise.all(waiting))
    expect(await answerIn(0, elect())).toBe('waits')
  })
})

describe('a reader that waits for the end', () => {
  it('has the record as soon as the round has ended', async () => {
    const { finish, records } = world()
    const answer = finish()
    expect(await answerIn(5_000, answer)).toBe('waits')
    await records.decide(id, anna, terms)
    expect(await answerIn(5_000, answer)).toBe('waits')
    await records.complete(id, anna, done, terms)
    expect(await answerIn(0, answer)).toMatchObject({ record: { completion: done } })
  })

  it('has it as it is once its time is up, also where there is none', async () => {
    const { finish, records } = world()
    expect((await answerIn(1_000, finish(900))) as object).not.toHaveProperty('record')
    await records.decide(id, anna, terms)
    expect(await answerIn(1_000, finish(900))).toMatchObject({ record: { leader: anna.address } })
  })

  it('leaves when its caller has gone', async () => {
    const { finish, news } = world()
    const caller = new AbortController()
    const answer = finish(50_000, caller.signal)
    await answerIn(100, answer)
    expect(news.listeners).toBe(1)
    caller.abort()
    await answerIn(0, answer)
    expect(news.listeners).toBe(0)
  })
})
