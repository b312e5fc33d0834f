import { parseRoundKey, type RoundId, roundKey } from '../../src/core/rounds/round.ts'
import type { JobQueues, RoundQueue } from '../../src/core/rounds/round-ports.ts'
import type { Wakes } from '../../src/core/schedules/schedule-ports.ts'
import { Canceller } from '../../src/service/rounds/canceller.ts'
import { Completer } from '../../src/service/rounds/completer.ts'
import { Dispatcher } from '../../src/service/rounds/dispatcher.ts'
import { RoundMemory } from '../../src/service/rounds/round-memory.ts'
import { Sweeper } from '../../src/service/rounds/sweeper.ts'
import { Schedules } from '../../src/service/schedules/schedules.ts'
import { SlotTally } from '../../src/service/schedules/slot-tally.ts'
import { Ticker } from '../../src/service/schedules/ticker.ts'
import { Timetables } from '../../src/service/schedules/timetables.ts'
import { Watchdog } from '../../src/service/schedules/watchdog.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { MemorySchedules } from '../../src/store/schedules/memory-schedules.ts'
import { silentLog } from './log.ts'
import { directBoard } from './noted-rounds.ts'

export const T0 = Date.parse('2026-11-22T08:00:00Z')
export const scheduleId = { system: 'shop', name: 'tick' }

export class Died extends Error {}

/** When a process dies: at which of its calls of a port, from 0, and whether before or after that was carried out. */
export interface Death {
  readonly dieAt: number
  readonly before: boolean
}

const IMMORTAL: Death = { dieAt: Number.POSITIVE_INFINITY, before: false }

export type TickWorld = ReturnType<typeof makeTickWorld>

/**
 * What all processes share, and a clock that the test moves.
 *
 * @param turn awaited before each call of a port: who is let go first is the test's to say
 */
export function makeTickWorld({
  turn = async () => undefined,
  makeStore = (nowMs: () => number) => new MemorySchedules(nowMs),
}: {
  readonly turn?: () => Promise<unknown>
  readonly makeStore?: (nowMs: () => number) => MemorySchedules
} = {}) {
  const world = { nowMs: T0 }
  const clock = () => world.nowMs
  const records = new MemoryRecords(clock)
  const store = makeStore(clock)
  const queued: string[] = []
  const jobs: JobQueues = {
    async admit() {},
    async add(round) {
      if (!queued.includes(roundKey(round))) queued.push(roundKey(round))
    },
    find: async () => undefined,
    async hasten() {},
    async remove(round) {
      const index = queued.indexOf(roundKey(round))
      if (index >= 0) queued.splice(index, 1)
    },
    counts: async () => ({}),
  }
  const rounds: RoundQueue = { show: async (seen) => seen.map(() => true), counts: async () => ({}) }
  const wakes: Wakes = { async set() {}, async remove() {}, missing: async () => [] }

  function startProcess({ dieAt, before }: Death = IMMORTAL) {
    let calls = 0
    let isDead = false

    /** Every call of a port is an await at which the process may die. */
    function mortal<T extends object>(port: T): T {
      return new Proxy(port, {
        get(target, name) {
          const member = Reflect.get(target, name) as unknown
          if (typeof member !== 'function' || name === 'acknowledge')
            return typeof member === 'function' ? member.bind(target) : member
          return async (...given: unknown[]) => {
            const isLast = calls++ === dieAt
            isDead ||= isLast && before
            // Whoever is dead calls nobody, whatever was caught on the way.
            if (!isDead) await turn()
            if (isDead) throw new Died()
            const answer: unknown = await (member as (...all: unknown[]) => unknown).apply(target, given)
            isDead ||= isLast
            if (isDead) throw new Died()
            return answer
          }
        },
      })
    }

    const deadlines = { expect() {} }
    const ports = { records: mortal(records), queue: mortal(rounds), log: silentLog }
    const parts = { ...ports, jobs: mortal(jobs), deadlines, board: directBoard(ports) }
    const dispatcher = new Dispatcher({ ...parts, submissionDeadlineMs: 0 })
    const memory = new RoundMemory(100, 0, clock)
    const completer = new Completer({ ...parts, memory, nowMs: clock })
    const canceller = new Canceller({ ...parts, completer })
    const timetables = new Timetables()
    const observer = new SlotTally()
    const shared = { store: mortal(store), dispatcher, timetables, log: silentLog }
    const ticker = new Ticker({
      ...shared,
      wakes: mortal(wakes),
      records: parts.records,
      canceller,
      observer,
    })
    const watchman = { async heed() {} }
    const schedules = new Schedules({ ...shared, records: parts.records, ticker, watchman })
    const watchdog = new Watchdog(shared.store, wakes, ticker, silentLog)
    return { ticker, observer, schedules, watchdog, calls: () => calls }
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
