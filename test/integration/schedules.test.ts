import { setTimeout as sleep } from 'node:timers/promises'
import { Queue } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { WAKES_QUEUE } from '../../src/core/rounds/job.ts'
import type { BackfillJson, NextSlotsJson, ScheduleJson } from '../../src/core/schedules/schedule-wire.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { lookAtBoard } from '../support/board.ts'
import { silentLog } from '../support/log.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { expectProblem, send } from '../support/requests.ts'
import { callSchedules, type ScheduleCalls } from '../support/schedules.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

const EVERY_SECOND = { cron: '* * * * * *' }
const RARELY = { cron: '0 8 1 1 *' }

let redis: TestRedis
let server: TestServer
let api: ScheduleCalls
let client: RedisClient
let alarms: Queue

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis })
  api = callSchedules(server.url)
  client = connect(redis.url, 'waiting', 'test', silentLog)
  alarms = new Queue(WAKES_QUEUE, { connection: client, prefix: QUEUE_PREFIX })
})

afterAll(async () => {
  await alarms.close()
  await disconnect(client)
  await server.stop()
  await redis.stop()
})

let names = 0
function newName(): string {
  names += 1
  return `s${names}`
}

const submitted = async (name: string) => (await api.get(name)).counts.submitted
/** Not `expect.poll`, which takes no part in tests that run side by side. */
const atLeast = (name: string, count: number, timeout = 10_000) =>
  vi.waitFor(async () => expect(await submitted(name)).toBeGreaterThanOrEqual(count), {
    timeout,
    interval: 100,
  })

describe('a schedule over HTTP', () => {
  it('is made with 201, replaced and kept with 200, read, and removed with 204', async () => {
    const name = newName()
    const body = { cron: '0 8 * * MON-FRI', tz: 'Europe/Berlin', job: { worker: 'hello', data: { a: 1 } } }
    const made = await api.put(name, body)
    expect(made.status).toBe(201)
    expect(made.json).toEqual({
      system: 'shop',
      name,
      ...body,
      dst: { gap: 'run-after', overlap: 'first' },
      jitter: '0',
      catchUp: { window: '1h', max: 10 },
      overlap: 'allow',
      paused: false,
      createdAt: made.json.now,
      updatedAt: made.json.now,
      next: {
        slot: expect.stringMatching(/T08:00:00\+0[12]:00$/),
        round: `${name}@${made.json.next?.slot}`,
        at: new Date(made.json.next?.slot ?? '').toISOString(),
        local: made.json.next?.slot,
      },
      last: null,
      counts: { submitted: 0, skipped: 0, missed: 0 },
      held: 0,
      now: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    })
    const again = await api.put(name, body)
    expect(again).toMatchObject({ status: 200, json: { ...made.json, now: again.json.now } })
    const replaced = await api.put(name, { ...body, jitter: '30s' })
    expect(replaced).toMatchObject({ status: 200, json: { jitter: '30s', createdAt: made.json.createdAt } })
    expect(Date.parse(replaced.json.updatedAt)).toBeGreaterThan(Date.parse(made.json.updatedAt))
    expect(await api.get(name)).toMatchObject({ jitter: '30s' })
    expect((await api.call('DELETE', name)).status).toBe(204)
    expect(await api.call('DELETE', name)).toMatchObject({ status: 404, json: { code: 'NO_SUCH_SCHEDULE' } })
    expect(await api.call('GET', name)).toMatchObject({ status: 404, json: { code: 'NO_SUCH_SCHEDULE' } })
    expect(await alarms.getJobScheduler(`shop~${name}`)).toBeUndefined()
  })

  it.each(['pause', 'resume', 'trigger'])('that is not there cannot be told to %s', async (step) => {
    expect(await api.call('POST', `nobody/${step}`)).toMatchObject({
      status: 404,
      json: { code: 'NO_SUCH_SCHEDULE' },
    })
  })

  const bad: [object | string, string][] = [
    ['[]', 'expected a JSON object'],
    [{}, 'cron, every, at: expected exactly one of them, got none'],
    [{ cron: '* * * * *', every: '1m' }, 'cron, every, at: expected exactly one of them, got cron and every'],
    [{ cron: 'daily' }, 'cron: expected a cron expression of 5 or 6 fields'],
    [{ cron: '61 * * * *' }, 'cron: expected a cron expression'],
    [{ cron: '0 0 30 2 *' }, 'cron: expected a day that comes some time, got "0 0 30 2 *"'],
    [{ cron: 5 }, 'cron: expected a cron expression of 5 or 6 fields like "0 8 * * MON-FRI", got 5'],
    [{ cron: '*'.repeat(300) }, 'cron: expected'],
    [{ every: '500ms' }, 'every: expected a duration'],
    [{ every: '1500ms' }, 'every: expected whole seconds'],
    [{ every: '367d' }, 'every: expected a duration'],
    [{ every: 60 }, 'every: expected a duration like "30s" or "10m"'],
    [{ at: '2026-11-22 08:00' }, 'at: expected an RFC 3339 time with its zone'],
    [{ at: '2027-02-29T08:00:00Z' }, 'at: expected an RFC 3339 time'],
    [{ ...RARELY, startAt: '2026-04-31T08:00:00Z' }, 'startAt: expected an RFC 3339 time'],
    [{ ...RARELY, endAt: '2026-11-22T24:00:00Z' }, 'endAt: expected an RFC 3339 time'],
    [{ at: '2026-11-22T08:00:00.5Z' }, 'at: expected an RFC 3339 time with its zone, in whole seconds'],
    [
      { ...RARELY, tz: 'Europe/Nowhere' },
      'tz: expected a time zone like Europe/Berlin, got "Europe/Nowhere"',
    ],
    [{ ...RARELY, tz: 3 }, 'tz: expected a time zone'],
    [{ ...RARELY, dst: { gap: 'later' } }, 'dst.gap: expected one of "skip", "run-after", got "later"'],
    [{ ...RARELY, dst: { overlap: 'none' } }, 'dst.overlap: expected one of "first", "second", "both"'],
    [{ ...RARELY, dst: { fold: 1 } }, '"dst.fold": no such member; dst takes: gap, overlap'],
    [{ ...RARELY, dst: 'skip' }, 'dst: expected an object, got "skip"'],
    [{ ...RARELY, jitter: '2d' }, 'jitter: expected a duration'],
    [{ ...RARELY, catchUp: { window: '31d' } }, 'catchUp.window: expected a duration'],
    [{ ...RARELY, catchUp: { max: 0 } }, 'catchUp.max: expected an integer from 1 to 1000, got 0'],
    [{ ...RARELY, catchUp: { min: 0 } }, '"catchUp.min": no such member'],
    [
      { ...RARELY, overlap: 'maybe' },
      'overlap: expected one of "allow", "skip", "queue", "cancel-previous", got',
    ],
    [{ ...RARELY, startAt: 'now' }, 'startAt: expected an RFC 3339 time'],
    [
      { ...RARELY, startAt: '2027-01-02T00:00:00Z', endAt: '2027-01-01T00:00:00Z' },
      'endAt: expected a time after startAt',
    ],
    [{ ...RARELY, job: [] }, 'job: expected an object'],
    [{ ...RARELY, job: { worker: 'rounds' } }, 'job.worker: expected a name'],
    [{ ...RARELY, job: { worker: 'alarms' } }, 'job.worker: expected a name'],
    [{ ...RARELY, job: { attempts: 0 } }, 'job.attempts: expected an integer from 1 to 100, got 0'],
    [{ ...RARELY, job: { backoff: { type: 'x' } } }, 'job.backoff: expected {"type"'],
    [{ ...RARELY, job: { backoff: { type: 'fixed', delay: 3 } } }, 'job.backoff.delay: expected a duration'],
    [{ ...RARELY, job: { delay: '1s' } }, '"job.delay": no such member; job takes: worker, data'],
    [{ ...RARELY, expect: { grace: '0' } }, 'expect.grace: expected a duration'],
    [{ ...RARELY, expect: {} }, 'expect.grace: expected a duration'],
    [{ ...RARELY, timezone: 'UTC' }, '"timezone": no such member; a schedule takes: cron'],
  ]
  it.each(bad)('%j is refused, and nothing is stored', async (body, why) => {
    const name = newName()
    const answer = await send(server.url, {
      method: 'PUT',
      path: `/api/v1/schedules/shop/${name}`,
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    })
    expect(expectProblem(answer, 'INVALID_BODY')).toContain(why)
    expect((await api.call('GET', name)).status).toBe(404)
  })

  it.each([
    ['a'.repeat(101), 'name: expected 1 to 100 bytes, got 101'],
    ['%2E', 'name: expected a name'],
    ['a%2Fb', 'name: must not contain "/"'],
    ['a%00', 'name: must not contain a control'],
  ])('is not called %s', async (name, why) => {
    const answer = await send(server.url, {
      method: 'PUT',
      path: `/api/v1/schedules/shop/${name}`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(RARELY),
    })
    expect(expectProblem(answer, 'INVALID_IDENTIFIER')).toContain(why)
  })

  it('may have any name that a round may, of 100 bytes', async () => {
    const names = ['ä'.repeat(50), '__proto__', 'a:b', '123', 'wait', 'a@b+c~d', '*', '%25']
    const each = names.map(async (name) => {
      const path = encodeURIComponent(name)
      expect((await api.put(path, { ...EVERY_SECOND, job: { worker: 'odd' } })).status).toBe(201)
      await atLeast(path, 1)
      expect((await api.rounds(name))[0]).toMatchObject({ state: 'submitted' })
      expect((await api.call('DELETE', path)).status).toBe(204)
    })
    await Promise.all(each)
  })

  it('is listed by system and name, page by page', async () => {
    for (const name of ['l2', 'l1', 'l3'])
      await fetch(`${server.url}/api/v1/schedules/listed/${name}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(RARELY),
      })
    const list = async (query: string) =>
      (await (await fetch(`${server.url}/api/v1/schedules?${query}`)).json()) as {
        schedules: ScheduleJson[]
        now: string
        next?: string
      }
    const first = await list('system=listed&limit=2')
    expect(first.schedules.map(({ name }) => name)).toEqual(['l1', 'l2'])
    const { now: _, ...one } = (await (
      await fetch(`${server.url}/api/v1/schedules/listed/l1`)
    ).json()) as ScheduleJson
    expect(first.schedules[0]).toEqual(one)
    const second = await list(`system=listed&limit=2&cursor=${first.next}`)
    expect(second.schedules.map(({ name }) => name)).toEqual(['l3'])
    expect(second.next).toBeUndefined()
    expect((await list('limit=1000')).schedules.length).toBeGreaterThanOrEqual(3)
    const cursors = ['nonsense', ...['a', 'a b c', 'a b%', 'a ..', ' b'].map((text) => btoa(text))]
    for (const path of [
      ...cursors.map((cursor) => `cursor=${cursor}`),
      `system=other&cursor=${first.next}`,
    ]) {
      const answer = await send(server.url, { path: `/api/v1/schedules?${path}` })
      expect(expectProblem(answer, 'INVALID_PARAMETER')).toContain('cursor: expected the "next"')
    }
  })

  it('says what comes next, n slots of it', async () => {
    const name = newName()
    await api.put(name, { every: '15m', tz: 'Asia/Kolkata' })
    const { json } = (await api.call('GET', `${name}/next?n=3`)) as unknown as { json: NextSlotsJson }
    expect(json.slots).toHaveLength(3)
    const [first, second] = json.slots
    expect(first?.slot).toMatch(/:(00|15|30|45):00\+05:30$/)
    expect(Date.parse(second?.at ?? '') - Date.parse(first?.at ?? '')).toBe(900_000)
    expect(Date.parse(first?.at ?? '')).toBeGreaterThan(Date.parse(json.now))
    expect(
      ((await api.call('GET', `${name}/next`)) as unknown as { json: NextSlotsJson }).json.slots,
    ).toHaveLength(10)
    for (const n of ['0', '1001', 'x'])
      expect((await api.call('GET', `${name}/next?n=${n}`)).status).toBe(400)
  })
})

describe.concurrent('a slot', () => {
  it('is a job in its worker’s queue, submitted once, with the schedule’s terms', async () => {
    const name = newName()
    const board = lookAtBoard(redis, 'hello')
    await api.put(name, {
      ...EVERY_SECOND,
      tz: 'Europe/Berlin',
      job: { worker: 'hello', data: { to: 'anna' }, attempts: 2, priority: 7, deadline: '1h' },
    })
    await atLeast(name, 3)
    const { last } = await api.get(name)
    expect(last).toMatchObject({ submitted: 1, skipped: 0, latenessMs: expect.any(Number) })
    expect(last?.round).toMatch(
      new RegExp(`^${name}@20\\d\\d-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\+0[12]:00$`),
    )
    const job = await board.job({ system: 'shop', round: last?.round ?? '' })
    expect(job).toMatchObject({ state: 'prioritized', job: { data: { to: 'anna' }, opts: { attempts: 2 } } })
    await api.call('DELETE', name)
    await board.stop()
  })

  it('comes each second without a gap, and lateness is measured', async () => {
    const name = newName()
    const before = await api.metric('gone_slots_total{outcome="submitted"}')
    await api.put(name, { ...EVERY_SECOND, job: { worker: 'nobody' } })
    await atLeast(name, 5)
    await api.call('DELETE', name)
    const slots = (await api.rounds(name)).map(({ round }) => Date.parse(round.slice(name.length + 1)))
    for (const [index, slot] of slots.entries())
      if (index > 0) expect(slot - (slots[index - 1] as number)).toBe(1_000)
    const { metric } = api
    expect((await metric('gone_slots_total{outcome="submitted"}')) - before).toBeGreaterThanOrEqual(5)
    expect(await metric('gone_slot_lateness_seconds_count')).toBeGreaterThanOrEqual(5)
    expect(await metric('gone_schedules')).toBeGreaterThan(0)
  })

  it('of an at comes once, also where it has just passed, and then there is no next', async () => {
    const name = newName()
    const at = new Date(Math.floor(Date.now() / 1_000) * 1_000 - 2_000).toISOString().replace('.000Z', 'Z')
    await api.put(name, { at })
    await atLeast(name, 1)
    expect(await api.get(name)).toMatchObject({ at, next: null, counts: { submitted: 1 } })
    const old = newName()
    await api.put(old, { at: '2020-01-01T00:00:00Z' })
    await vi.waitFor(
      async () => expect((await api.get(old)).counts).toEqual({ submitted: 0, skipped: 0, missed: 1 }),
      { timeout: 30_000 },
    )
  })

  it('comes from startAt until endAt', async () => {
    const name = newName()
    const second = Math.ceil(Date.now() / 1_000) * 1_000
    const iso = (ms: number) => new Date(ms).toISOString().replace('.000Z', 'Z')
    await api.put(name, { ...EVERY_SECOND, startAt: iso(second + 4_000), endAt: iso(second + 6_000) })
    await atLeast(name, 3)
    await sleep(1_500) // for a fourth that must not come
    expect((await api.rounds(name)).map(({ round }) => Date.parse(round.slice(name.length + 1)))).toEqual(
      [4_000, 5_000, 6_000].map((ms) => second + ms),
    )
    expect((await api.get(name)).next).toBeNull()
  })

  it('with jitter is delayed by a part of it that its round decides', async () => {
    const name = newName()
    const board = lookAtBoard(redis, 'jittered')
    await api.put(name, { ...EVERY_SECOND, jitter: '1h', job: { worker: 'jittered' } })
    await atLeast(name, 3)
    await api.call('DELETE', name)
    const delays = await Promise.all(
      (await api.rounds(name)).map(
        async ({ round }) => (await board.job({ system: 'shop', round }))?.job.delay,
      ),
    )
    expect(new Set(delays).size).toBe(delays.length)
    for (const delay of delays) expect(delay).toSatisfy((ms) => Number(ms) > 0 && Number(ms) <= 3_600_000)
    await board.stop()
  })
})

describe.concurrent('a pause', () => {
  it('lets no slot be submitted, and what fell into it is not run afterwards', async () => {
    const name = newName()
    await api.put(name, EVERY_SECOND)
    await atLeast(name, 1)
    const paused = (await api.call('POST', `${name}/pause`)) as unknown as {
      status: number
      json: ScheduleJson
    }
    expect(paused).toMatchObject({ status: 200, json: { paused: true, next: null } })
    expect((await api.call('POST', `${name}/pause`)).status).toBe(200)
    const before = await submitted(name)
    await sleep(3_000) // the pause itself
    expect(await submitted(name)).toBe(before)
    const resumed = (await api.call('POST', `${name}/resume`)) as unknown as { json: ScheduleJson }
    expect(resumed.json).toMatchObject({ paused: false, next: { slot: expect.any(String) } })
    await atLeast(name, before + 1)
    const slots = (await api.rounds(name)).map(({ round }) => Date.parse(round.slice(name.length + 1)))
    const inPause = slots.filter(
      (ms) => ms > Date.parse(paused.json.now) && ms <= Date.parse(resumed.json.now),
    )
    expect(inPause).toEqual([])
    await api.call('DELETE', name)
  })

  it('survives a new put', async () => {
    const name = newName()
    await api.put(name, RARELY)
    await api.call('POST', `${name}/pause`)
    await api.put(name, EVERY_SECOND)
    await sleep(1_500) // for a slot that must not come
    expect(await api.get(name)).toMatchObject({ paused: true, counts: { submitted: 0 } })
    await api.call('POST', `${name}/resume`)
    await atLeast(name, 1)
    await api.call('DELETE', name)
  })
})

describe('a trigger', () => {
  it('runs the job now, as a round of its own, once for each id', async () => {
    const name = newName()
    await api.put(name, { ...RARELY, job: { worker: 'triggered', data: 5 } })
    await api.call('POST', `${name}/pause`)
    const board = lookAtBoard(redis, 'triggered')
    for (let n = 0; n < 2; n += 1)
      expect(await api.call('POST', `${name}/trigger`, { id: 'deploy-7' })).toMatchObject({
        status: 202,
        json: { round: `${name}+deploy-7`, link: `/api/v1/rounds/shop/${name}%2Bdeploy-7` },
      })
    expect((await board.job({ system: 'shop', round: `${name}+deploy-7` }))?.job.data).toBe(5)
    const one = (await api.call('POST', `${name}/trigger`)) as unknown as { json: { round: string } }
    const two = (await api.call('POST', `${name}/trigger`)) as unknown as { json: { round: string } }
    expect(one.json.round).not.toBe(two.json.round)
    for (const id of ['', 'a/b', 'x'.repeat(28), 7, 'b@c'])
      expect(await api.call('POST', `${name}/trigger`, { id })).toMatchObject({
        status: 400,
        json: { code: 'INVALID_BODY', detail: expect.stringMatching(/^id: expected 1 to 27/) },
      })
    await board.stop()
  })

  it('is never the slot of another schedule', async () => {
    const name = newName()
    await api.put(name, { cron: '0 * * * *', job: { worker: 'filled' } })
    await api.put(`${name}@2026-01-01T00:00:00`, { ...RARELY, job: { worker: 'filled' } })
    for (const id of ['00:00', '01:00', '00:53:28'])
      expect(await api.call('POST', `${name}@2026-01-01T00:00:00/trigger`, { id })).toMatchObject({
        status: 400,
        json: {
          code: 'INVALID_BODY',
          detail: expect.stringMatching(/^id: expected .* and no offset like 01:00/),
        },
      })
    const filled = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z' }
    expect(await api.call('POST', `${name}/backfill`, filled)).toMatchObject({
      json: { rounds: [{ isFirst: true }] },
    })
  })
})

describe('a backfill', () => {
  it('submits the slots of a time that has passed, each once, and says where to go on', async () => {
    const name = newName()
    await api.put(name, { cron: '0 * * * *', job: { worker: 'filled' } })
    const range = { from: '2026-01-01T00:00:00Z', to: '2026-01-01T05:00:00Z' }
    const first = (await api.call('POST', `${name}/backfill`, { ...range, max: 4 })) as unknown as {
      status: number
      json: BackfillJson
    }
    expect(first.status).toBe(202)
    expect(first.json.rounds).toEqual(
      [0, 1, 2, 3].map((hour) => ({
        slot: `2026-01-01T0${hour}:00:00+00:00`,
        round: `${name}@2026-01-01T0${hour}:00:00+00:00`,
        isFirst: true,
      })),
    )
    expect(first.json.next).toBe('2026-01-01T04:00:00Z')
    const rest = (await api.call('POST', `${name}/backfill`, {
      ...range,
      from: first.json.next,
    })) as unknown as { json: BackfillJson }
    expect(rest.json.rounds.map(({ isFirst }) => isFirst)).toEqual([true, true])
    expect(rest.json.next).toBeUndefined()
    const again = (await api.call('POST', `${name}/backfill`, range)) as unknown as { json: BackfillJson }
    expect(again.json.rounds.map(({ isFirst }) => isFirst)).toEqual(Array(6).fill(false))
    expect((await api.get(name)).counts.submitted).toBe(0)
  })

  it.each([
    [{}, 'from: expected an RFC 3339 time'],
    [{ from: '2026-01-01T00:00:00Z' }, 'to: expected an RFC 3339 time'],
    [{ from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' }, 'to: expected a time not before from'],
    [{ from: '2026-01-01T00:00:00Z', to: '2926-01-01T00:00:00Z' }, 'to: expected a time that has passed'],
    [{ from: '2026-02-29T00:00:00Z', to: '2026-03-02T00:00:00Z' }, 'from: expected an RFC 3339 time'],
    [{ from: '2026-01-01T00:00:00Z', to: '2026-02-30T00:00:00Z' }, 'to: expected an RFC 3339 time'],
    [{ from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z', max: 0 }, 'max: expected an integer from 1'],
    [{ from: '2026-01-01T00:00:00Z', to: '2026-01-01T00:00:00Z', n: 0 }, '"n": no such member'],
  ])('%j is refused', async (body, why) => {
    const name = newName()
    await api.put(name, RARELY)
    expect(await api.call('POST', `${name}/backfill`, body)).toMatchObject({
      status: 400,
      json: { code: 'INVALID_BODY', detail: expect.stringContaining(why) },
    })
  })
})

it('backfills no round whose name is too long to be asked for, as that of an offset with seconds can be', async () => {
  const name = 'n'.repeat(100)
  await api.put(name, { every: '1d', tz: 'Africa/Monrovia', job: { worker: 'filled' } })
  const range = { from: '1971-01-01T00:00:00Z', to: '1971-01-03T00:00:00Z' }
  expect(await api.call('POST', `${name}/backfill`, range)).toMatchObject({
    status: 400,
    json: { code: 'INVALID_IDENTIFIER', detail: 'round: expected 1 to 128 bytes, got 129' },
  })
})

describe('an overlap policy', () => {
  /** A worker whose handlers run until they are let go. */
  async function slowWorker(worker: string) {
    const started: string[] = []
    const aborted: string[] = []
    let letGo = () => {}
    const end = new Promise<void>((resolve) => {
      letGo = resolve
    })
    await startTestWorkers(redis, {
      async [worker]({ id }, { signal }) {
        started.push(id)
        await Promise.race([
          end,
          new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
        ])
        if (signal.aborted) aborted.push(id)
      },
    })
    return { started, aborted, letGo }
  }

  it('of allow lets them run side by side', async () => {
    const name = newName()
    const worker = `slow-${name}`
    const { started, letGo } = await slowWorker(worker)
    await api.put(name, { ...EVERY_SECOND, job: { worker } })
    await expect.poll(() => started.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(3)
    letGo()
    await api.call('DELETE', name)
  })

  it('of skip leaves slots out while one is at it, and counts them', async () => {
    const name = newName()
    const worker = `slow-${name}`
    const { started, letGo } = await slowWorker(worker)
    await api.put(name, { ...EVERY_SECOND, overlap: 'skip', job: { worker } })
    await expect
      .poll(async () => (await api.get(name)).counts.skipped, { timeout: 30_000 })
      .toBeGreaterThanOrEqual(3)
    expect(started).toHaveLength(1)
    expect((await api.get(name)).counts.submitted).toBe(1)
    letGo()
    await atLeast(name, 2)
    expect((await api.get(name)).last?.skipped).toBeGreaterThanOrEqual(3)
    await api.call('DELETE', name)
  })

  it('of queue holds them until the one before has ended, at most catchUp.max', async () => {
    const name = newName()
    const worker = `slow-${name}`
    const { started, letGo } = await slowWorker(worker)
    await api.put(name, { ...EVERY_SECOND, overlap: 'queue', catchUp: { max: 2 }, job: { worker } })
    await expect
      .poll(async () => (await api.get(name)).counts.skipped, { timeout: 30_000 })
      .toBeGreaterThanOrEqual(2)
    expect(await api.get(name)).toMatchObject({ held: 2, counts: { submitted: 1 } })
    expect(started).toHaveLength(1)
    const rearmed = await api.metric('gone_alarms_rearmed_total')
    await api.put(name, {
      ...EVERY_SECOND,
      overlap: 'queue',
      catchUp: { max: 2 },
      job: { worker },
      endAt: '2026-01-01T00:00:00Z',
    })
    // What waits is not late: the watchdog, which finds another schedule that is since then, leaves it alone.
    const other = newName()
    await api.put(other, EVERY_SECOND)
    await atLeast(other, 1)
    // A tick that is under way sets the next wake by itself: then it is removed once more.
    let removed = 0
    const rearmedNow = async () => {
      removed += 1
      await alarms.removeJobScheduler(`shop~${other}`)
      await atLeast(other, (await submitted(other)) + 3, 20_000)
      return api.metric('gone_alarms_rearmed_total')
    }
    await expect.poll(rearmedNow, { timeout: 60_000 }).toBeGreaterThan(rearmed)
    expect(await api.metric('gone_alarms_rearmed_total')).toBeLessThanOrEqual(rearmed + removed)
    await api.call('DELETE', other)
    letGo()
    await expect.poll(async () => (await api.get(name)).held, { timeout: 30_000 }).toBe(0)
    await expect.poll(() => started.length, { timeout: 30_000 }).toBe(3)
    await api.call('DELETE', name)
  }, 90_000)

  it('of queue submits what it holds also while the schedule is paused', async () => {
    const name = newName()
    const worker = `slow-${name}`
    const { started, letGo } = await slowWorker(worker)
    await api.put(name, { ...EVERY_SECOND, overlap: 'queue', job: { worker } })
    await expect.poll(async () => (await api.get(name)).held, { timeout: 30_000 }).toBeGreaterThanOrEqual(2)
    await api.call('POST', `${name}/pause`)
    const { held } = await api.get(name)
    letGo()
    await expect.poll(async () => (await api.get(name)).held, { timeout: 30_000 }).toBe(0)
    await expect.poll(() => started.length, { timeout: 30_000 }).toBe(held + 1)
    await api.call('DELETE', name)
  })

  it('of cancel-previous ends the round before, aborts its handler and takes its job out', async () => {
    const name = newName()
    const worker = `slow-${name}`
    const { started, aborted } = await slowWorker(worker)
    await api.put(name, {
      every: '5s',
      overlap: 'cancel-previous',
      job: { worker, attempts: 3, deadline: '1h' },
    })
    await expect.poll(() => aborted.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(2)
    await api.call('DELETE', name)
    expect(aborted).toEqual(started.slice(0, aborted.length))
    const rounds = await api.rounds(name)
    for (const [index, round] of rounds.slice(0, -1).entries())
      expect(round).toMatchObject({
        state: 'failed',
        completion: { by: 'schedule', reason: `cancelled by ${rounds[index + 1]?.round}` },
        job: { starts: 1 },
      })
    const board = lookAtBoard(redis, worker)
    const first = await board.job({ system: 'shop', round: rounds[0]?.round ?? '' })
    expect(first).toMatchObject({
      state: 'failed',
      job: { failedReason: expect.stringContaining('cancelled by') },
    })
    await board.stop()
  })

  it('of cancel-previous ends a round that nobody has started, and its job is gone', async () => {
    const name = newName()
    const worker = `nobody-${name}`
    await api.put(name, { ...EVERY_SECOND, overlap: 'cancel-previous', job: { worker } })
    await atLeast(name, 3)
    await api.call('DELETE', name)
    const rounds = await api.rounds(name)
    expect(rounds.map(({ state }) => state)).toEqual([
      ...Array(rounds.length - 1).fill('failed'),
      'submitted',
    ])
    const board = lookAtBoard(redis, worker)
    expect(await board.job({ system: 'shop', round: rounds[0]?.round ?? '' })).toBeUndefined()
    expect((await board.job({ system: 'shop', round: rounds.at(-1)?.round ?? '' }))?.state).toBe('waiting')
    await board.stop()
  })
})

describe('the watchdog', () => {
  it('sets an alarm again that was removed behind our back, says so, and no slot is lost', async () => {
    const name = newName()
    await api.put(name, { ...EVERY_SECOND, job: { worker: 'watched' } })
    await atLeast(name, 2)
    const before = await api.metric('gone_alarms_rearmed_total')
    expect(await alarms.removeJobScheduler(`shop~${name}`)).toBe(true)
    const counted = await submitted(name)
    await expect
      .poll(() => api.metric('gone_alarms_rearmed_total'), { timeout: 30_000 })
      .toBeGreaterThan(before)
    await atLeast(name, counted + 5)
    await api.call('DELETE', name)
    const slots = (await api.rounds(name)).map(({ round }) => Date.parse(round.slice(name.length + 1)))
    for (const [index, slot] of slots.entries())
      if (index > 0) expect(slot - (slots[index - 1] as number)).toBe(1_000)
  })

  it('finds alarms that are gone before they are missed, when a server starts', async () => {
    const name = newName()
    await api.put(name, { every: '1d' })
    await alarms.removeJobScheduler(`shop~${name}`)
    const other = await startTestServer({ redis })
    await expect
      .poll(async () => (await alarms.getJobScheduler(`shop~${name}`)) !== undefined, { timeout: 30_000 })
      .toBe(true)
    expect(await callSchedules(other.url).metric('gone_alarms_rearmed_total')).toBeGreaterThanOrEqual(1)
    await other.stop()
  })
})

describe('many', () => {
  it('changes at once leave one schedule as the last of them asked', async () => {
    const name = newName()
    const puts = Array.from({ length: 20 }, (_, n) => api.put(name, { ...EVERY_SECOND, job: { data: n } }))
    const statuses = (await Promise.all(puts)).map(({ status }) => status).sort()
    expect(statuses).toEqual([...Array(19).fill(200), 201])
    const { job, createdAt } = await api.get(name)
    expect(job.data).toSatisfy((n) => Number(n) >= 0 && Number(n) < 20)
    expect(createdAt).toBeTruthy()
    await api.call('DELETE', name)
    expect(await alarms.getJobScheduler(`shop~${name}`)).toBeUndefined()
  })
})
