import { describe, expect, it } from 'vitest'
import type { AlertNews } from '../../src/core/alerts/alert.ts'
import type {
  Excuse,
  Expectation,
  ScheduleWatch,
  ScheduleWatches,
  WatchName,
} from '../../src/core/alerts/alert-ports.ts'
import { tokenIdentity } from '../../src/core/rounds/candidate.ts'
import { DEFAULT_DST, type Slot, Timetable } from '../../src/core/time/timetable.ts'
import { GoneError } from '../../src/errors.ts'
import { AlertTally } from '../../src/service/alerts/alert-tally.ts'
import { RollCall } from '../../src/service/alerts/roll-call.ts'
import { Watchman } from '../../src/service/alerts/watchman.ts'
import { Calm } from '../../src/service/calm.ts'
import { Timetables } from '../../src/service/schedules/timetables.ts'
import { MemoryAlerts } from '../../src/store/alerts/memory-alerts.ts'
import { MemoryCensus } from '../../src/store/alerts/memory-census.ts'
import { MemoryRecords } from '../../src/store/records/memory-records.ts'
import { silentLog } from '../support/log.ts'

const S = 1_000
const MIN = 60 * S
const START = Date.UTC(2026, 10, 22, 7)
const NAME: WatchName = { system: 'report', name: 'hourly' }
const HOURLY: Expectation = {
  timetable: { everyMs: 60 * MIN, tz: 'UTC', dst: DEFAULT_DST },
  graceMs: 5 * MIN,
}
const anna = { address: '10.0.0.1:1', identity: tokenIdentity('anna') }
const terms = { deadlineMs: 10 * MIN }

/** Watchmen on one store, a clock that is set, and what they told. */
function world(schedules = new Map<string, ScheduleWatch>()) {
  let nowMs = START
  const clock = () => nowMs
  const alerts = new MemoryAlerts(clock)
  const records = new MemoryRecords(clock)
  const census = new MemoryCensus()
  const told: string[] = []
  const trouble = { queue: false }
  const queue = {
    async add({ event, alert }: AlertNews) {
      if (trouble.queue) throw new GoneError('STORE_UNAVAILABLE', 'down')
      told.push(`${event} ${alert.kind} ${alert.count}`)
    },
  }
  const source: ScheduleWatches = {
    all: async () => [...schedules].map(([name, { sinceMs }]) => ({ system: NAME.system, name, sinceMs })),
    find: async ({ name }) => schedules.get(name),
  }
  const timetables = new Timetables()
  const parts = {
    alerts,
    records,
    census,
    timetables,
    queue,
    schedules: source,
    tally: new AlertTally(),
    log: silentLog,
    deadlineMs: 60 * MIN,
  }
  const watchmen = [new Watchman(parts), new Watchman(parts)]
  return {
    alerts,
    records,
    census,
    schedules,
    told,
    trouble,
    watchmen,
    /** Sets the clock on step by step, and lets both watchmen look at each. */
    async until(ms: number, stepMs = 30 * S) {
      while (nowMs < ms) {
        nowMs = Math.min(ms, nowMs + stepMs)
        for (const watchman of watchmen) await watchman.adopt()
        await Promise.all(watchmen.map((watchman) => watchman.look()))
      }
      return told.splice(0)
    },
    async run(round: string, outcome: 'completed' | 'failed' | 'led' = 'completed') {
      const id = { system: NAME.system, round }
      await records.decide(id, anna, terms)
      if (outcome !== 'led') await records.complete(id, anna, { outcome, detail: '' }, terms)
    },
  }
}

const slot = (hour: number) => START + hour * 60 * MIN

const timetable = new Timetable(HOURLY.timetable)

describe('watchmen', () => {
  it('tell once of a round that never came, and once when the next is good', async () => {
    const { alerts, until, run } = world()
    await alerts.put(NAME, HOURLY)
    expect(await until(slot(1) + 5 * MIN - 1)).toEqual([])
    expect(await until(slot(1) + 6 * MIN)).toEqual(['opened missed 1'])
    expect(await until(slot(3) + 6 * MIN)).toEqual([])
    await until(slot(4))
    await run('fine')
    expect(await until(slot(4) + 1 * MIN)).toEqual(['resolved missed 3'])
    expect(await until(slot(5) + 4 * MIN)).toEqual([])
  })

  it('tell of a leader that never reports at its deadline, and of a failure at once', async () => {
    const { alerts, until, run } = world()
    await alerts.put(NAME, HOURLY)
    await until(slot(1))
    await run('silent', 'led')
    expect(await until(slot(1) + 10 * MIN - 1)).toEqual([])
    expect(await until(slot(1) + 10 * MIN)).toEqual(['opened unreported 1'])
    await until(slot(2))
    await run('bad', 'failed')
    expect(await until(slot(2) + 1 * MIN)).toEqual(['opened failed 1'])
    await until(slot(3))
    await run('good')
    expect(await until(slot(3) + 1 * MIN)).toEqual(['resolved unreported 1', 'resolved failed 1'])
  })

  it('tell of a submitted round that no worker starts', async () => {
    const { alerts, records, until } = world()
    await alerts.put(NAME, HOURLY)
    await until(slot(1))
    const id = { system: NAME.system, round: 'waiting' }
    await records.submit(id, { queue: 'q', data: null, queueTerms: {}, runTerms: { deadlineMs: 20 * MIN } })
    expect(await until(slot(1) + 19 * MIN)).toEqual([])
    expect(await until(slot(1) + 21 * MIN)).toEqual(['opened unreported 1'])
  })

  it('take a round for unreported only when its time has come and gone', async () => {
    const { alerts, records, until } = world()
    await alerts.put(NAME, { ...HOURLY, timetable: { ...HOURLY.timetable, everyMs: 24 * 60 * MIN } })
    const at = START - (START % (24 * 60 * MIN)) + 24 * 60 * MIN
    await until(at, 60 * MIN)
    const submission = { queue: 'q', data: null, queueTerms: { delayMs: 6 * 60 * MIN }, runTerms: {} }
    await records.submit({ system: NAME.system, round: 'nightly' }, submission)
    expect(await until(at + 7 * 60 * MIN - 1 * MIN)).toEqual([])
    expect(await until(at + 7 * 60 * MIN + 1 * MIN)).toEqual(['opened unreported 1'])
  })

  it.each(['', 'hourly@'])(
    'know a round that is named "%s" and its slot, however early it came and among how many others',
    async (prefix) => {
      const { alerts, until, run } = world()
      await alerts.put(NAME, HOURLY)
      const { key } = timetable.after(START) as Slot
      await until(slot(1) - 2 * MIN)
      await run(`${prefix}${key}`)
      for (let n = 0; n < 60; n += 1) {
        await until(slot(1) - 1 * MIN + n * S)
        await run(`${n}@2026-01-01T00:00:${String(n).padStart(2, '0')}Z`)
      }
      expect(await until(slot(1) + 10 * MIN)).toEqual([])
    },
  )

  it('make up for an outage: each slot is judged once, and told of as one', async () => {
    const { alerts, until } = world()
    await alerts.put(NAME, HOURLY)
    expect(await until(slot(50) + 6 * MIN, slot(50) + 6 * MIN - START)).toEqual(['opened missed 50'])
    expect((await alerts.alerts({ limit: 10 })).alerts).toMatchObject([{ count: 50 }])
  })

  it('count candidates, each once, and only where that is asked for', async () => {
    const { alerts, census, until, run } = world()
    await alerts.put(NAME, { ...HOURLY, replicas: 3 })
    const rollCall = new RollCall(alerts, census, silentLog)
    await rollCall.refresh()
    await until(slot(1))
    const noted = async (round: string, tokens: readonly string[]) => {
      for (const token of tokens)
        rollCall.note({ system: NAME.system, round }, { address: 'a', identity: tokenIdentity(token) })
      rollCall.note({ system: 'other', round }, anna)
      await rollCall.stop()
    }
    await run('thin')
    await noted('thin', ['anna', 'bert', 'anna'])
    expect(await until(slot(1) + 6 * MIN)).toEqual(['opened few-candidates 1'])
    await until(slot(2))
    await run('full')
    await noted('full', ['anna', 'bert', 'carl'])
    expect(await until(slot(2) + 6 * MIN)).toEqual(['resolved few-candidates 1'])
    expect(await census.count({ system: 'other', round: 'thin' })).toBeUndefined()
  })

  it('count candidates that come in a calm, before it is known whose are counted', async () => {
    const { alerts, census } = world()
    const calm = new Calm(() => performance.now() + clockMs)
    let clockMs = 0
    const rollCall = new RollCall(alerts, census, silentLog)
    rollCall.start(calm)
    calm.heard(false)
    clockMs = 60_000
    calm.heard(false)
    expect(calm.isNow).toBe(true)
    await alerts.put(NAME, { ...HOURLY, replicas: 3 })
    calm.end()
    rollCall.note({ system: NAME.system, round: 'r' }, anna)
    await rollCall.refresh()
    await rollCall.stop()
    expect(await census.count({ system: NAME.system, round: 'r' })).toBe(1)
  })

  it('tell candidates without a token apart by their address', async () => {
    const { alerts, census } = world()
    await alerts.put(NAME, { ...HOURLY, replicas: 3 })
    const rollCall = new RollCall(alerts, census, silentLog)
    await rollCall.refresh()
    const id = { system: NAME.system, round: 'r' }
    for (const [address, identity] of [
      ['a', '~1'],
      ['a', '~2'],
      ['b', '~3'],
    ] as const)
      rollCall.note(id, { address, identity })
    await rollCall.stop()
    expect(await census.count(id)).toBe(2)
  })

  it('queue news that could not be queued at once', async () => {
    const { alerts, until, trouble, watchmen, told } = world()
    await alerts.put(NAME, HOURLY)
    trouble.queue = true
    expect(await until(slot(1) + 6 * MIN)).toEqual([])
    trouble.queue = false
    await watchmen[0]?.sweep(0)
    await watchmen[1]?.sweep(0)
    expect(told).toEqual(['opened missed 1'])
  })

  it('look at all watches though one cannot be looked at', async () => {
    const { alerts, records, until } = world()
    await alerts.put(NAME, HOURLY)
    await alerts.put({ ...NAME, system: 'broken' }, HOURLY)
    const { came } = MemoryRecords.prototype
    records.came = async (query) => {
      if (query.system === 'broken') throw new GoneError('STORE_UNAVAILABLE', 'down')
      return came.call(records, query)
    }
    expect(await until(slot(1) + 6 * MIN)).toEqual(['opened missed 1'])
  })
})

describe('watchmen of a schedule', () => {
  const hourly: ScheduleWatch = {
    expectation: HOURLY,
    sinceMs: START,
    excuse: async () => undefined,
  }
  const only = (watch: ScheduleWatch) => new Map([[NAME.name, watch]])
  const roundAt = (ms: number) => `hourly@${timetable.last(ms)?.key}`

  it('expect the very round of each slot', async () => {
    const { until, run } = world(only(hourly))
    await until(slot(1))
    await run(roundAt(slot(1)))
    expect(await until(slot(2))).toEqual([])
    await run('another')
    expect(await until(slot(2) + 6 * MIN)).toEqual(['opened missed 1'])
    await run(roundAt(slot(2)))
    expect(await until(slot(2) + 10 * MIN)).toEqual(['resolved missed 1', 'opened late 1'])
    await until(slot(3))
    await run(roundAt(slot(3)))
    expect(await until(slot(3) + 1 * MIN)).toEqual(['resolved late 1'])
  })

  it('expect nothing while it is paused, nor what fell into the pause', async () => {
    const { until, schedules } = world(only(hourly))
    await until(slot(1) - 1 * MIN)
    schedules.set(NAME.name, { ...hourly, untilMs: slot(1) - 1 * MIN })
    expect(await until(slot(3) + 30 * MIN)).toEqual([])
    schedules.set(NAME.name, { ...hourly, sinceMs: slot(3) + 30 * MIN })
    expect(await until(slot(4) + 4 * MIN)).toEqual([])
    expect(await until(slot(4) + 6 * MIN)).toEqual(['opened missed 1'])
  })

  it('expect what was due before a pause, also where nobody has looked since', async () => {
    const { until, schedules, run } = world(only(hourly))
    await until(slot(2) - 1 * MIN, slot(2) - 1 * MIN - START)
    await run(roundAt(slot(1)))
    schedules.set(NAME.name, { ...hourly, untilMs: slot(2) })
    expect(await until(slot(2) + 10 * MIN, 10 * MIN)).toContain('opened missed 1')
    await run(roundAt(slot(2)), 'failed')
    expect(await until(slot(2) + 12 * MIN)).toContain('opened failed 1')
    expect(await until(slot(9))).toEqual([])
  })

  it('go on with what is held, or has come, when what was due before a change is expected no more', async () => {
    let excuse: Excuse | undefined = 'held'
    const { until, schedules, run } = world(only({ ...hourly, excuse: async () => excuse }))
    expect(await until(slot(1) + 1 * MIN)).toEqual([])
    schedules.set(NAME.name, { ...hourly, sinceMs: slot(1) + 1 * MIN, excuse: async () => excuse })
    expect(await until(slot(1) + 10 * MIN)).toEqual([])
    await run(roundAt(slot(1)), 'failed')
    excuse = undefined
    expect(await until(slot(1) + 12 * MIN)).toEqual(['opened late 1', 'opened failed 1'])
  })

  it('expect nothing of a slot that the schedule leaves out, and later of one that it holds', async () => {
    let excuse: Excuse | undefined = 'leftOut'
    const { until, run } = world(only({ ...hourly, excuse: async () => excuse }))
    expect(await until(slot(1) + 10 * MIN)).toEqual([])
    excuse = undefined
    expect(await until(slot(2) - 1 * MIN)).toEqual([])
    excuse = 'held'
    expect(await until(slot(2) + 10 * MIN)).toEqual([])
    await run(roundAt(slot(2)))
    expect(await until(slot(2) + 12 * MIN)).toEqual(['opened late 1'])
  })

  it('resolve what is open when it is removed, or expects nothing any more', async () => {
    const { until, schedules } = world(only(hourly))
    expect(await until(slot(1) + 6 * MIN)).toEqual(['opened missed 1'])
    schedules.clear()
    expect(await until(slot(1) + 7 * MIN)).toEqual(['resolved missed 1'])
    expect(await until(slot(3))).toEqual([])
  })
})
