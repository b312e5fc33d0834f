import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { RoundId } from '../../src/core/rounds/round.ts'
import { isSame, roundOfSlot, type Schedule, type ScheduleId } from '../../src/core/schedules/schedule.ts'
import { readScheduleBody } from '../../src/core/schedules/schedule-body.ts'
import { type Slot, Timetable } from '../../src/core/time/timetable.ts'
import { GoneError } from '../../src/errors.ts'
import { MemorySchedules } from '../../src/store/schedules/memory-schedules.ts'
import {
  type Death,
  Died,
  scheduleId as id,
  makeTickWorld,
  T0,
  type TickWorld,
} from '../support/tick-world.ts'

interface Change {
  readonly before: Schedule
  readonly after: Schedule
}

/** Remembers each change of a schedule that was there. */
class AuditedSchedules extends MemorySchedules {
  readonly changes: Change[] = []

  override async save(of: ScheduleId, revision: number, after: Schedule, wakeMs: number | undefined) {
    const [{ schedule: before }, saved] = await Promise.all([
      this.read(of),
      super.save(of, revision, after, wakeMs),
    ])
    if (saved !== undefined && before !== undefined) this.changes.push({ before, after })
    return saved
  }
}

const total = ({ counts: { submitted, skipped, missed }, held }: Schedule) =>
  submitted + skipped + missed + held.length
const keys = (slots: readonly Slot[]) => slots.map(({ key }) => key)

/** That no slot is lost or told of twice by the change. Returns the slots that it takes up, and those it crosses off. */
function audit({ before, after }: Change) {
  const crossed = before.held.slice(0, after.counts.submitted - before.counts.submitted)
  const isAccount = after.cursorMs !== before.cursorMs && isSame(before.spec.timing, after.spec.timing)
  const due = new Timetable(before.spec.timing).between(before.cursorMs, after.cursorMs, 1_000)
  if (isAccount && !before.isPaused) {
    expect(total(after) - total(before)).toBe(due.length)
    expect(crossed).toEqual([])
    if (before.spec.overlap === 'allow') expect(after.counts.skipped).toBe(before.counts.skipped)
    const known = keys([...before.held, ...due])
    expect(known).toEqual(expect.arrayContaining(keys(after.held)))
    return { taken: after.held.filter(({ key }) => !keys(before.held).includes(key)), crossed }
  }
  // A pause, its end, a PUT, or some slots less that are held: none comes to be known.
  expect(total(after)).toBe(total(before))
  const skipped = after.counts.skipped - before.counts.skipped
  if (before.spec.overlap !== 'cancel-previous') expect(skipped).toBe(0)
  expect(after.held).toEqual(before.held.slice(crossed.length + skipped))
  if (!before.isPaused) expect(due).toEqual([])
  return { taken: [], crossed }
}

const OVERLAPS = ['allow', 'skip', 'queue', 'cancel-previous'] as const
const CRONS = ['*/10 * * * * *', '*/15 * * * * *'] as const

const body = fc.record({
  cron: fc.constantFrom(...CRONS),
  overlap: fc.constantFrom(...OVERLAPS),
  catchUp: fc.record({ max: fc.constantFrom(1, 3, 100), window: fc.constantFrom('20s', '1h') }),
})
const act = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ kind: 'tick' } as const) },
  { weight: 2, arbitrary: fc.constant({ kind: 'look' } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: 'pause' } as const) },
  { weight: 3, arbitrary: fc.constant({ kind: 'resume' } as const) },
  { weight: 2, arbitrary: body.map((put) => ({ kind: 'put', put }) as const) },
  { weight: 3, arbitrary: fc.constant({ kind: 'finish' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'trigger' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'backfill' } as const) },
  { weight: 1, arbitrary: fc.constant({ kind: 'remove' } as const) },
)
type Act = typeof act extends fc.Arbitrary<infer Value> ? Value : never

const death: fc.Arbitrary<Death | undefined> = fc.option(
  fc.record({ dieAt: fc.nat(10), before: fc.boolean() }),
  { nil: undefined },
)
const steps = fc.array(
  fc.record({
    afterMs: fc.constantFrom(0, 1_000, 10_000, 15_000, 45_000),
    /** All at once, each by a process of its own. */
    acts: fc.array(fc.record({ act, death }), { minLength: 1, maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 12 },
)

async function perform(made: TickWorld, act: Act, death: Death | undefined): Promise<void> {
  const { ticker, watchdog, schedules } = made.startProcess(death)
  const todo: Record<Act['kind'], () => Promise<unknown>> = {
    tick: () => ticker.tick(id),
    look: () => watchdog.tickLate(),
    pause: () => schedules.pause(id),
    resume: () => schedules.resume(id),
    put: async () => act.kind === 'put' && (await schedules.put(id, readScheduleBody(act.put, 'shop'))),
    finish: () => finishAll(made),
    trigger: () => schedules.trigger(id, 'by-hand'),
    backfill: () => schedules.backfill(id, { fromMs: T0, toMs: made.world.nowMs, max: 3 }),
    remove: () => schedules.remove(id),
  }
  try {
    await todo[act.kind]()
  } catch (error) {
    const isExpected =
      error instanceof Died || (error instanceof GoneError && error.code === 'NO_SUCH_SCHEDULE')
    if (!isExpected) throw error
  }
}

async function finishAll({ records, world, finish }: TickWorld): Promise<void> {
  const came = await records.came({ system: 'shop', fromMs: 0, untilMs: world.nowMs + 1, limit: 1_000 })
  for (const { id: round, record } of came) if (record?.completion === undefined) await finish(round)
}

describe('whatever is asked at once, and whoever dies at whatever call', () => {
  it('each slot is submitted once, left out by policy, or held until the watchdog submits it', async () => {
    const property = fc.asyncProperty(fc.scheduler(), body, steps, async (scheduler, first, given) => {
      let isInterleaved = true
      const stores: AuditedSchedules[] = []
      const made = makeTickWorld({
        turn: async () => isInterleaved && scheduler.schedule(Promise.resolve()),
        makeStore: (nowMs) => {
          const store = new AuditedSchedules(nowMs)
          stores.push(store)
          return store
        },
      })
      const all = (acts: readonly Promise<void>[]) => scheduler.waitFor(Promise.all(acts))
      await all([perform(made, { kind: 'put', put: first }, undefined)])
      for (const { afterMs, acts } of given) {
        made.world.nowMs += afterMs
        await all(acts.map(({ act, death }) => perform(made, act, death)))
      }
      isInterleaved = false
      await expectHeldAreSubmitted(made)
      await expectAccounted(made, stores[0]?.changes ?? [])
    })
    await fc.assert(property, { numRuns: 1_000 })
  })
})

/** Wakes may be lost: the watchdog alone must find what is held, once the rounds before it end. */
async function expectHeldAreSubmitted(made: TickWorld): Promise<void> {
  const { watchdog } = made.startProcess()
  const held = keys((await made.store.read(id)).schedule?.held ?? [])
  for (let looks = 0; looks < 150; looks += 1) {
    await finishAll(made)
    made.world.nowMs += 6_000
    await watchdog.tickLate()
    const { schedule } = await made.store.read(id)
    if (!schedule?.held.some(({ key }) => held.includes(key))) return
  }
  const { schedule } = await made.store.read(id)
  expect(schedule).toMatchObject({ held: [] })
}

async function expectAccounted({ records }: TickWorld, changes: readonly Change[]): Promise<void> {
  const audited = changes.map(audit)
  const taken = audited.flatMap((each) => keys(each.taken))
  expect(new Set(taken).size).toBe(taken.length)
  const rounds: RoundId[] = audited.flatMap(({ crossed }) => crossed.map((slot) => roundOfSlot(id, slot)))
  const seen = await Promise.all(rounds.map((round) => records.read(round)))
  expect(seen.filter(({ submission }) => submission === undefined)).toEqual([])
}
