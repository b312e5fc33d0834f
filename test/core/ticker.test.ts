import { describe, expect, it } from 'vitest'
import type { JobQueues, RoundQueue } from '../../src/core/ports.ts'
import { parseRoundKey, type RoundId, roundKey } from '../../src/core/round.ts'
import { readScheduleBody } from '../../src/core/schedule-body.ts'
import type { Alarms } from '../../src/core/schedule-ports.ts'
import { GoneError } from '../../src/errors.ts'
import { MemoryRecords } from '../../src/records/memory-records.ts'
import { MemorySchedules } from '../../src/schedules/memory-schedules.ts'
import { Canceller } from '../../src/service/canceller.ts'
import { Completer } from '../../src/service/completer.ts'
import { Dispatcher } from '../../src/service/dispatcher.ts'
import { RoundMemory } from '../../src/service/round-memory.ts'
import { Schedules } from '../../src/service/schedules.ts'
import { SlotTally } from '../../src/service/slot-tally.ts'
import { Sweeper } from '../../src/service/sweeper.ts'
import { Ticker } from '../../src/service/ticker.ts'
import { Timetables } from '../../src/service/timetables.ts'
import { silentLog } from '../support/log.ts'

const T0 = Date.parse('2026-11-22T08:00:00Z')
const id = { system: 'shop', name: 'tick' }

class Died extends Error {}

/** What all processes share, and a clock that the test moves. */
function makeWorld() {
  const world = { nowMs: T0, calls: 0, dieAt: Number.POSITIVE_INFINITY, before: false }
  const clock = () => world.nowMs
  const records = new MemoryRecords(clock)
  const store = new MemorySchedules(clock)
  const queued: string[] = []
  const jobs: JobQueues = {
    async add(round) {
      if (!queued.includes(roundKey(round))) queued.push(roundKey(round))
    },
    async remove(round) {
      const index = queued.indexOf(roundKey(round))
      if (index >= 0) queued.splice(index, 1)
    },
    counts: async () => ({}),
  }
  const rounds: RoundQueue = { async open() {}, async watch() {}, async close() {}, counts: async () => ({}) }
  const alarms: Alarms = { async set() {}, async remove() {}, missing: async () => [] }

  /** Every call of a port is an await at which a process may die: before it was carried out, or after. */
  function mortal<T extends object>(port: T): T {
    return new Proxy(port, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown
        if (typeof member !== 'function' || name === 'acknowledge') {
          return typeof member === 'function' ? member.bind(target) : member
        }
        return async (...given: unknown[]) => {
          const call = world.calls++
          const isLast = call === world.dieAt
          // Whoever is dead calls nobody, whatever was caught on the way.
          if (call > world.dieAt || (isLast && world.before)) throw new Died()
          const answer: unknown = await (member as (...all: unknown[]) => unknown).apply(target, given)
          if (isLast) throw new Died()
          return answer
        }
      },
    })
  }

  function startProcess() {
    const parts = { records: mortal(records), jobs: mortal(jobs), rounds: mortal(rounds), log: silentLog }
    const dispatcher = new Dispatcher(parts)
    const memory = new RoundMemory(100, clock)
    const completer = new Completer({ ...parts, queue: parts.rounds, memory, nowMs: clock })
    const canceller = new Canceller({ ...parts, completer })
    const timetables = new Timetables()
    const observer = new SlotTally()
    const shared = { store: mortal(store), dispatcher, timetables, log: silentLog }
    const ticker = new Ticker({
      ...shared,
      alarms: mortal(alarms),
      records: parts.records,
      canceller,
      observer,
    })
    const watchman = { async heed() {} }
    return { ticker, observer, schedules: new Schedules({ ...shared, ticker, watchman }) }
  }

  /** Ends the round as its worker would. */
  async function finish(round: RoundId): Promise<void> {
    await records.complete(
      round,
      { address: 'w', identity: '#job' },
      { outcome: 'completed', detail: '' },
      { deadlineMs: 1 },
    )
  }
  /** Jobs that a worker would run: not those whose round has ended. The sweeper adds what a dead process could not. */
  async function runnable(): Promise<string[]> {
    await new Sweeper(records, rounds, jobs, silentLog).sweep(0)
    const seen = await Promise.all(queued.map((key) => records.read(parseRoundKey(key))))
    return queued.filter((_, index) => seen[index]?.record?.completion?.by !== 'schedule')
  }
  return { world, records, store, queued, startProcess, finish, runnable }
}

const put = async (made: ReturnType<typeof makeWorld>, body: object) =>
  made.startProcess().schedules.put(id, readScheduleBody({ cron: '* * * * * *', ...body }, 'shop'))

const rounds = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, n) =>
    new Date(T0 + (from + n) * 1_000).toISOString().slice(0, 19),
  ).map((time) => roundKey({ system: 'shop', round: `tick@${time}+00:00` }))

describe.each([
  ['before', true],
  ['after', false],
])('a process that dies %s any of its calls', (_, before) => {
  it.each(
    ['allow', 'skip', 'queue', 'cancel-previous'].flatMap((overlap) => [
      [overlap, 'at once', 3] as const,
      [overlap, 'when another slot has come', 4] as const,
    ]),
  )('under the policy %s leaves what the next tick makes right, %s', async (overlap, _when, last) => {
    for (let dieAt = 0; ; dieAt += 1) {
      const made = makeWorld()
      const { world, store, finish } = made
      await put(made, { overlap, catchUp: { max: 3 } })
      world.nowMs = T0 + 1_000
      await made.startProcess().ticker.tick(id)
      if (overlap === 'skip' || overlap === 'queue')
        await finish({ system: 'shop', round: 'tick@2026-11-22T08:00:01+00:00' })
      Object.assign(world, { nowMs: T0 + 3_000, calls: 0, dieAt, before })
      const died = await made
        .startProcess()
        .ticker.tick(id)
        .then(
          () => false,
          (error) => error instanceof Died,
        )
      const wasLast = world.calls <= dieAt
      world.dieAt = Number.POSITIVE_INFINITY
      // Whoever died left the schedule late, or done with.
      const { schedule: left } = await store.read(id)
      if (died && overlap !== 'queue' && (left?.held.length ?? 0) > 0)
        expect((await store.late(0, 10)).wakes).toHaveLength(1)

      world.nowMs = T0 + last * 1_000
      await made.startProcess().ticker.tick(id)
      const { schedule } = await store.read(id)
      // What nobody has cancelled runs; all slots are accounted for, and no policy but allow lets two run.
      const queued = (await made.runnable()).sort()
      const { submitted = 0, skipped = 0, missed = 0 } = schedule?.counts ?? {}
      const held = schedule?.held.length ?? 0
      expect([dieAt, submitted + skipped + missed + held]).toEqual([dieAt, last])
      const runs = {
        allow: rounds(1, last),
        skip: rounds(1, 2),
        queue: rounds(1, 2),
        'cancel-previous': rounds(last, last),
      }[overlap]
      expect([dieAt, queued]).toEqual([dieAt, runs])
      expect(held).toBe(overlap === 'queue' ? last - 2 : 0)
      if (wasLast) return
    }
  })
})

describe('many processes that tick at once', () => {
  it.each(['allow', 'skip', 'queue', 'cancel-previous'])(
    'under the policy %s come to one end',
    async (overlap) => {
      const made = makeWorld()
      const { world, store } = made
      await put(made, { overlap, catchUp: { max: 3 } })
      const processes = Array.from({ length: 10 }, () => made.startProcess())
      for (let second = 1; second <= 5; second += 1) {
        world.nowMs = T0 + second * 1_000
        await Promise.all(processes.map(({ ticker }) => ticker.tick(id)))
      }
      const { schedule } = await store.read(id)
      const expected = {
        allow: { queued: rounds(1, 5), counts: { submitted: 5, skipped: 0, missed: 0 } },
        skip: { queued: rounds(1, 1), counts: { submitted: 1, skipped: 4, missed: 0 } },
        queue: { queued: rounds(1, 1), counts: { submitted: 1, skipped: 1, missed: 0 } },
        'cancel-previous': { queued: rounds(5, 5), counts: { submitted: 5, skipped: 0, missed: 0 } },
      }[overlap]
      expect({ queued: made.queued, counts: schedule?.counts }).toEqual(expected)
      const observed = processes.map(({ observer }) => observer.counts)
      for (const outcome of ['submitted', 'skipped', 'missed'] as const)
        expect(observed.reduce((sum, counts) => sum + counts[outcome], 0)).toBe(expected?.counts[outcome])
    },
  )
})

describe('a store that cannot answer', () => {
  it('is said to the caller, and nothing is taken for done', async () => {
    const made = makeWorld()
    await put(made, {})
    made.world.nowMs = T0 + 1_000
    const { ticker } = made.startProcess()
    made.records.submit = () => Promise.reject(new GoneError('STORE_UNAVAILABLE', 'no'))
    await expect(ticker.tick(id)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    const { schedule } = await made.store.read(id)
    expect(schedule).toMatchObject({ held: [{ dueMs: T0 + 1_000 }], counts: { submitted: 0 } })
  })
})

describe('a change', () => {
  it('of the timing accounts for what was due before, and begins now', async () => {
    const made = makeWorld()
    const { schedules } = made.startProcess()
    await put(made, {})
    made.world.nowMs = T0 + 2_500
    await schedules.put(id, readScheduleBody({ cron: '30 * * * * *' }, 'shop'))
    expect(made.queued).toEqual(rounds(1, 2))
    const { schedule } = await made.store.read(id)
    expect(schedule).toMatchObject({ cursorMs: T0 + 2_500, next: { dueMs: T0 + 30_000 } })
  })

  it('of anything else keeps the slots as they come', async () => {
    const made = makeWorld()
    await put(made, {})
    made.world.nowMs = T0 + 500
    await put(made, { jitter: '1s' })
    const { schedule } = await made.store.read(id)
    expect(schedule).toMatchObject({ cursorMs: T0, next: { dueMs: T0 + 1_000 }, updatedAtMs: T0 + 500 })
  })

  it('that changes nothing leaves the schedule as it is', async () => {
    const made = makeWorld()
    await put(made, { job: { data: { a: 1, b: 2 } } })
    const { revision } = await made.store.read(id)
    made.world.nowMs = T0 + 500
    await put(made, { job: { data: { b: 2, a: 1 } } })
    expect((await made.store.read(id)).revision).toBe(revision)
  })

  it('by a pause submits what was due, and by the end of it leaves out what fell into it', async () => {
    const made = makeWorld()
    const { schedules, ticker } = made.startProcess()
    await put(made, {})
    made.world.nowMs = T0 + 2_500
    await schedules.pause(id)
    made.world.nowMs = T0 + 9_500
    await ticker.tick(id)
    await schedules.resume(id)
    made.world.nowMs = T0 + 10_000
    await ticker.tick(id)
    expect(made.queued).toEqual([...rounds(1, 2), ...rounds(10, 10)])
    expect((await made.store.read(id)).schedule?.counts).toEqual({ submitted: 3, skipped: 0, missed: 0 })
  })
})
