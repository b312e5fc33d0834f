import { describe, expect, it } from 'vitest'
import { parseRoundKey } from '../../src/core/rounds/round.ts'
import { readScheduleBody } from '../../src/core/schedules/schedule-body.ts'
import { StoredScheduleWatches } from '../../src/service/alerts/schedule-watches.ts'
import { Timetables } from '../../src/service/schedules/timetables.ts'
import { scheduleId as id, makeTickWorld, T0 } from '../support/tick-world.ts'

/** A schedule with a slot each second that expects something, and why its slots have no round, by the second. */
async function expecting(body: object) {
  const made = makeTickWorld()
  const { schedules, ticker } = made.startProcess()
  const usual = { cron: '* * * * * *', expect: { grace: '5m' }, ...body }
  const put = (more: object) => schedules.put(id, readScheduleBody({ ...usual, ...more }, 'shop'))
  await put({})
  const watches = new StoredScheduleWatches(made.store, made.records, new Timetables())
  return {
    ...made,
    schedules,
    put,
    watch: () => watches.find(id),
    async tickAt(second: number) {
      made.world.nowMs = T0 + second * 1_000
      await ticker.tick(id)
    },
    async excuse(second: number) {
      const dueMs = T0 + second * 1_000
      const key = `${new Date(dueMs).toISOString().slice(0, 19)}+00:00`
      return (await watches.find(id))?.excuse({ key, dueMs })
    },
    async finishLast() {
      await made.finish(parseRoundKey(made.queued.at(-1) ?? ''))
    },
  }
}

describe('slots are expected', () => {
  const found = async (
    body: object,
    change: (made: Awaited<ReturnType<typeof expecting>>) => Promise<unknown>,
  ) => {
    const made = await expecting(body)
    await made.tickAt(2)
    made.world.nowMs = T0 + 2_500
    await change(made)
    return made.watch()
  }
  const put = (body: object) => (made: Awaited<ReturnType<typeof expecting>>) => made.put(body)

  it('as before where something else is changed', async () => {
    expect(await found({}, put({ jitter: '5s', job: { data: 1 } }))).toMatchObject({ sinceMs: T0 })
  })

  it.each([
    ['its times', { cron: '*/2 * * * * *' }],
    ['what it expects', { expect: { grace: '1m' } }],
  ])('from when %s are changed', async (_, body) => {
    expect(await found({}, put(body))).toMatchObject({ sinceMs: T0 + 2_500 })
  })

  it('until a pause, and from its end on', async () => {
    const made = await expecting({})
    await made.tickAt(2)
    made.world.nowMs = T0 + 2_500
    await made.schedules.pause(id)
    expect(await made.watch()).toMatchObject({ sinceMs: T0, untilMs: T0 + 2_000 })
    made.world.nowMs = T0 + 9_500
    await made.put({ job: { data: 1 } })
    expect(await made.watch()).toMatchObject({ sinceMs: T0, untilMs: T0 + 2_000 })
    await made.schedules.resume(id)
    const watch = await made.watch()
    expect(watch?.sinceMs).toBe(T0 + 9_500)
    expect(watch).not.toHaveProperty('untilMs')
  })
})

describe('a slot without a round is excused', () => {
  it('where cancel-previous has left it out for a newer one', async () => {
    const { tickAt, excuse } = await expecting({ overlap: 'cancel-previous' })
    await tickAt(3)
    expect([await excuse(1), await excuse(2), await excuse(4)]).toEqual(['leftOut', 'leftOut', undefined])
  })

  it('where skip has left it out, however many after the round that ran, and though another has run since', async () => {
    const { tickAt, excuse, finishLast } = await expecting({ overlap: 'skip' })
    for (let second = 1; second <= 40; second += 1) await tickAt(second)
    await finishLast()
    await tickAt(41)
    expect([await excuse(2), await excuse(12), await excuse(40)]).toEqual(['leftOut', 'leftOut', 'leftOut'])
  })

  it('where it is held, and not where it was too old to be made up for though one was still at it', async () => {
    const catchUp = { window: '10s', max: 10 }
    const { tickAt, excuse } = await expecting({ overlap: 'queue', catchUp })
    await tickAt(1)
    await tickAt(20)
    expect([await excuse(5), await excuse(19)]).toEqual([undefined, 'held'])
  })
})
