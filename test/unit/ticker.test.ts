import { describe, expect, it } from 'vitest'
import { parseRoundKey, roundKey } from '../../src/core/rounds/round.ts'
import { readScheduleBody } from '../../src/core/schedules/schedule-body.ts'
import { GoneError } from '../../src/errors.ts'
import { Died, scheduleId as id, makeTickWorld, T0, type TickWorld } from '../support/tick-world.ts'

const put = async (made: TickWorld, body: object) =>
  made.startProcess().schedules.put(id, readScheduleBody({ cron: '* * * * * *', ...body }, 'shop'))

const ignoringDeath = (done: Promise<unknown>) =>
  done.catch((error) => {
    if (!(error instanceof Died)) throw error
  })

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
      const made = makeTickWorld()
      const { world, store, finish } = made
      await put(made, { overlap, catchUp: { max: 3 } })
      world.nowMs = T0 + 1_000
      await made.startProcess().ticker.tick(id)
      if (overlap === 'skip' || overlap === 'queue')
        await finish({ system: 'shop', round: 'tick@2026-11-22T08:00:01+00:00' })
      world.nowMs = T0 + 3_000
      const mortal = made.startProcess({ dieAt, before })
      const died = await mortal.ticker.tick(id).then(
        () => false,
        (error) => error instanceof Died,
      )
      const wasLast = mortal.calls() <= dieAt
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

describe('a pause that comes while a server dies', () => {
  it.each(['allow', 'skip', 'queue', 'cancel-previous'])(
    'leaves to the watchdog what was due before, under the policy %s',
    async (overlap) => {
      const deaths = Array.from({ length: 20 }, (_, n) => ({ dieAt: n >> 1, before: n % 2 === 0 }))
      for (const ofTick of deaths) {
        for (const ofPause of deaths) {
          const made = makeTickWorld()
          const { world, store, startProcess } = made
          await put(made, { overlap })
          world.nowMs = T0 + 2_000
          await ignoringDeath(startProcess(ofTick).ticker.tick(id))
          await ignoringDeath(startProcess(ofPause).schedules.pause(id))
          await startProcess().schedules.pause(id)
          const { watchdog } = startProcess()
          for (let looks = 0; looks < 3; looks += 1) {
            world.nowMs += 6_000
            await watchdog.tickLate()
            for (const key of made.queued) await made.finish(parseRoundKey(key))
          }
          const { schedule } = await store.read(id)
          const submitted = overlap === 'skip' || overlap === 'cancel-previous' ? 1 : 2
          expect({ ofTick, ofPause, held: schedule?.held, counts: schedule?.counts }).toEqual({
            ofTick,
            ofPause,
            held: [],
            counts: { submitted, skipped: 2 - submitted, missed: 0 },
          })
        }
      }
    },
  )
})

describe('many processes that tick at once', () => {
  it.each(['allow', 'skip', 'queue', 'cancel-previous'])(
    'under the policy %s come to one end',
    async (overlap) => {
      const made = makeTickWorld()
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

describe('a tick', () => {
  it('was early where nothing is due, and not where it looks whether what is held may go', async () => {
    const made = makeTickWorld()
    const { ticker } = made.startProcess()
    await put(made, { overlap: 'queue' })
    const early = { nowMs: T0, wakeMs: T0 + 1_000, isIdle: true }
    expect(await ticker.settle(id)).toEqual(early)
    made.world.nowMs = T0 + 2_000
    expect(await ticker.settle(id)).toMatchObject({ wakeMs: T0 + 3_000, isIdle: false })
    made.world.nowMs = T0 + 2_500
    // Who takes this for early waits for what comes, and keeps a place of the wakes' worker meanwhile.
    expect(await ticker.settle(id)).toMatchObject({ wakeMs: T0 + 3_000, isIdle: false })
  })
})

describe('a store that cannot answer', () => {
  it('is said to the caller, and nothing is taken for done', async () => {
    const made = makeTickWorld()
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
    const made = makeTickWorld()
    const { schedules } = made.startProcess()
    await put(made, {})
    made.world.nowMs = T0 + 2_500
    await schedules.put(id, readScheduleBody({ cron: '30 * * * * *' }, 'shop'))
    expect(made.queued).toEqual(rounds(1, 2))
    const { schedule } = await made.store.read(id)
    expect(schedule).toMatchObject({ cursorMs: T0 + 2_500, next: { dueMs: T0 + 30_000 } })
  })

  it('of anything else keeps the slots as they come', async () => {
    const made = makeTickWorld()
    await put(made, {})
    made.world.nowMs = T0 + 500
    await put(made, { jitter: '1s' })
    const { schedule } = await made.store.read(id)
    expect(schedule).toMatchObject({ cursorMs: T0, next: { dueMs: T0 + 1_000 }, updatedAtMs: T0 + 500 })
  })

  it.each([
    ['skip', { queued: rounds(1, 1), held: 3, counts: { submitted: 1, skipped: 0, missed: 0 } }],
    ['cancel-previous', { queued: rounds(4, 4), held: 0, counts: { submitted: 2, skipped: 2, missed: 0 } }],
    ['allow', { queued: rounds(1, 4), held: 0, counts: { submitted: 4, skipped: 0, missed: 0 } }],
  ])('of the policy to %s lets what was held go as that says', async (overlap, expected) => {
    const made = makeTickWorld()
    const { schedules, ticker, observer } = made.startProcess()
    await put(made, { overlap: 'queue' })
    for (let second = 1; second <= 4; second += 1) {
      made.world.nowMs = T0 + second * 1_000
      await ticker.tick(id)
    }
    expect((await made.store.read(id)).schedule?.held).toHaveLength(3)
    await schedules.put(id, readScheduleBody({ cron: '* * * * * *', overlap }, 'shop'))
    const { schedule } = await made.store.read(id)
    expect({ queued: made.queued, held: schedule?.held.length, counts: schedule?.counts }).toEqual(expected)
    expect(observer.counts).toEqual(expected.counts)
    expect(schedule?.leftOut.map(({ dueMs, why }) => [dueMs, why])).toEqual(
      overlap === 'cancel-previous' ? [T0 + 2_000, T0 + 3_000].map((dueMs) => [dueMs, 'skipped']) : [],
    )
  })

  it('of the policy to skip lets what was held go one after another', async () => {
    const made = makeTickWorld()
    const { schedules, ticker } = made.startProcess()
    await put(made, { overlap: 'queue' })
    made.world.nowMs = T0 + 3_000
    await ticker.tick(id)
    await schedules.put(id, readScheduleBody({ cron: '* * * * * *', overlap: 'skip' }, 'shop'))
    for (const last of [1, 2, 3]) {
      expect(made.queued).toEqual(rounds(1, last))
      await made.finish(parseRoundKey(made.queued.at(-1) ?? ''))
      await ticker.tick(id)
    }
    expect((await made.store.read(id)).schedule?.counts).toEqual({ submitted: 3, skipped: 0, missed: 0 })
  })

  it('that changes nothing leaves the schedule as it is', async () => {
    const made = makeTickWorld()
    await put(made, { job: { data: { a: 1, b: 2 } } })
    const { revision } = await made.store.read(id)
    made.world.nowMs = T0 + 500
    await put(made, { job: { data: { b: 2, a: 1 } } })
    expect((await made.store.read(id)).revision).toBe(revision)
  })

  it('of an at that has come does not run it again', async () => {
    const made = makeTickWorld()
    const { schedules, ticker } = made.startProcess()
    const at = new Date(T0 + 1_000).toISOString()
    const putAt = (body: object) => schedules.put(id, readScheduleBody({ at, ...body }, 'shop'))
    await putAt({})
    made.world.nowMs = T0 + 2_000
    await ticker.tick(id)
    await putAt({ tz: 'Europe/Berlin' })
    expect(made.queued).toEqual(rounds(1, 1))
    expect((await made.store.read(id)).schedule?.counts.submitted).toBe(1)
    await putAt({ at: new Date(T0 + 2_000).toISOString() })
    expect(made.queued).toHaveLength(2)
  })

  it('by a pause submits what was due, and by the end of it leaves out what fell into it', async () => {
    const made = makeTickWorld()
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
