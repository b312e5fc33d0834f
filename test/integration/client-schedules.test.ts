import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import {
  type ClientOptions,
  createClient,
  defineWorker,
  GoneError,
  type ScheduledJob,
  type ScheduleOptions,
  type WorkerJob,
} from '../../src/index.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let names = 0

beforeAll(async () => {
  server = await startTestServer()
})

/** A schedule of this test alone. */
function newSchedule(): [system: string, name: string] {
  return ['client', `schedule-${names++}`]
}

function newClient(options: Partial<ClientOptions> = {}) {
  return createClient({ url: server.url, ...options })
}

/** Loses the first answer to each request. */
function forgetful(): Partial<ClientOptions> {
  const seen = new Set<string>()
  return {
    async fetch(url, init) {
      const response = await fetch(url, init)
      const request = `${init.method} ${url} ${init.body}`
      if (seen.has(request)) return response
      seen.add(request)
      throw new TypeError('fetch failed')
    },
  }
}

const NIGHTLY: ScheduleOptions = { cron: '0 2 * * *', tz: 'Europe/Berlin', job: { worker: 'hello' } }

describe('a schedule', () => {
  it('is put, shown and removed', async () => {
    const id = newSchedule()
    const { schedules } = newClient()
    expect(await schedules.get(...id)).toBeUndefined()
    const made = await schedules.put(...id, NIGHTLY)
    expect(made).toMatchObject({
      isNew: true,
      schedule: { system: id[0], name: id[1], cron: '0 2 * * *', tz: 'Europe/Berlin', paused: false },
    })
    expect(made.schedule.next?.local).toMatch(/T02:00:00\+0[12]:00$/)
    const { now: _, ...shown } = (await schedules.get(...id)) ?? {}
    expect(made.schedule).toMatchObject(shown)
    expect(await schedules.remove(...id)).toBe(true)
    expect(await schedules.remove(...id)).toBe(false)
    expect(await schedules.get(...id)).toBeUndefined()
  })

  it('is what was put last, and the same put changes nothing', async () => {
    const id = newSchedule()
    const { schedules } = newClient()
    await schedules.put(...id, { ...NIGHTLY, overlap: 'skip' })
    const second = await schedules.put(...id, NIGHTLY)
    expect(second).toMatchObject({ isNew: false, schedule: { overlap: 'allow' } })
    const third = await schedules.put(...id, NIGHTLY)
    expect(third.schedule.updatedAt).toBe(second.schedule.updatedAt)
  })

  it('takes all terms, durations also as numbers and times also as dates', async () => {
    const { schedule } = await newClient().schedules.put(...newSchedule(), {
      every: 90_000,
      tz: 'Asia/Tokyo',
      dst: { gap: 'skip' },
      jitter: 1_500,
      catchUp: { window: '2h' },
      overlap: 'queue',
      startAt: new Date('2030-01-01T00:00:00.001Z'),
      endAt: new Date('2031-01-01T00:00:00.999Z'),
      job: {
        worker: 'hello',
        data: { a: [1] },
        attempts: 3,
        backoff: { type: 'fixed', delay: 500 },
        timeout: 5_000,
        deadline: '2h',
        priority: 7,
        ifExecutorDies: 'fail',
      },
      expect: { grace: '5m' },
    })
    expect(schedule).toMatchObject({
      every: '90s',
      tz: 'Asia/Tokyo',
      dst: { gap: 'skip', overlap: 'first' },
      jitter: '1500ms',
      catchUp: { window: '2h', max: 10 },
      overlap: 'queue',
      // Slots are due at whole seconds.
      startAt: '2030-01-01T00:00:01Z',
      endAt: '2031-01-01T00:00:00Z',
      job: { data: { a: [1] }, backoff: { type: 'fixed', delay: '500ms' }, timeout: '5s', priority: 7 },
      expect: { grace: '5m' },
    })
  })

  it('may be due once', async () => {
    const at = new Date(Date.now() + 86_400_000)
    const { schedule } = await newClient().schedules.put(...newSchedule(), { at })
    expect(Date.parse(schedule.next?.at ?? '')).toBe(Math.ceil(at.getTime() / 1_000) * 1_000)
  })

  it('is paused and resumed', async () => {
    const id = newSchedule()
    const { schedules } = newClient()
    await schedules.put(...id, NIGHTLY)
    expect(await schedules.pause(...id)).toMatchObject({ paused: true, next: null })
    expect(await schedules.pause(...id)).toMatchObject({ paused: true })
    expect(await schedules.resume(...id)).toMatchObject({ paused: false, next: { slot: expect.any(String) } })
  })

  it('says what comes next', async () => {
    const id = newSchedule()
    const { schedules } = newClient()
    await schedules.put(...id, NIGHTLY)
    const { slots, now } = await schedules.next(...id, { n: 3 })
    expect(slots).toHaveLength(3)
    expect(slots[0]?.round).toBe(`${id[1]}@${slots[0]?.slot}`)
    expect(Date.parse(slots[0]?.at ?? '')).toBeGreaterThan(Date.parse(now))
    expect((await schedules.next(...id)).slots).toHaveLength(10)
  })

  it('is listed with the others of its system, by name', async () => {
    const { schedules } = newClient()
    for (const name of ['b', 'c', 'a']) await schedules.put('listed', name, NIGHTLY)
    expect((await schedules.list({ system: 'listed' })).map(({ name }) => name)).toEqual(['a', 'b', 'c'])
    const all = await schedules.list()
    expect(all.length).toBeGreaterThan(3)
    expect(all.filter(({ system }) => system === 'listed')).toHaveLength(3)
    expect(await schedules.list({ system: 'nobody' })).toEqual([])
  })

  it('is listed from as many pages as there are', async () => {
    const pages = [
      { schedules: [1, 2], next: 'a b' },
      { schedules: [] as number[], next: 'c' },
      { schedules: [3] },
    ]
    const asked: string[] = []
    const { schedules } = newClient({
      async fetch(url) {
        asked.push(new URL(url).search)
        const text = JSON.stringify({ ...pages[asked.length - 1], now: '' })
        return { status: 200, headers: new Headers(), text: async () => text }
      },
    })
    expect(await schedules.list({ system: 'a&b' })).toEqual([1, 2, 3])
    const first = '?system=a%26b&limit=1000'
    expect(asked).toEqual([first, `${first}&cursor=a%20b`, `${first}&cursor=c`])
  })
})

it('has a job that is typed by its worker', () => {
  const mailer = defineWorker({}, async (job: WorkerJob<{ to: string }>) => ({ sent: job.data.to }))
  const idle = defineWorker({}, () => 42)
  const use = async ({ schedules }: ReturnType<typeof newClient>) => {
    await schedules.put<typeof mailer>('s', 'n', {
      every: '1h',
      job: { worker: 'mailer', data: { to: 'a' } },
    })
    await schedules.put<typeof idle>('s', 'n', { every: '1h' })
    await schedules.put('s', 'n', { every: '1h', job: { data: 'anything' } })
    // @ts-expect-error its data is missing
    await schedules.put<typeof mailer>('s', 'n', { every: '1h', job: { worker: 'mailer' } })
    // @ts-expect-error its job is missing, and so its data
    await schedules.put<typeof mailer>('s', 'n', { every: '1h' })
    // @ts-expect-error its data is another
    await schedules.put<typeof mailer>('s', 'n', { every: '1h', job: { data: { from: 'a' } } })
    // @ts-expect-error a schedule has one of cron, every and at
    await schedules.put<typeof idle>('s', 'n', { every: '1h', cron: '@daily' })
    expectTypeOf<ScheduleOptions<{ to: string }>['job']>().toEqualTypeOf<ScheduledJob<{ to: string }>>()
  }
  expect(use).toBeTypeOf('function')
})

describe('a trigger', () => {
  it('submits a round of its own each time', async () => {
    const id = newSchedule()
    const client = newClient()
    await client.schedules.put(...id, NIGHTLY)
    const [first, second] = [await client.schedules.trigger(...id), await client.schedules.trigger(...id)]
    expect(first.round).toMatch(
      new RegExp(`^${id[1]}\\+\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ-[a-z0-9]{6}$`),
    )
    expect(second.round).not.toBe(first.round)
    expect(await client.round(id[0], first.round)).toMatchObject({
      state: 'submitted',
      job: { worker: 'hello' },
    })
  })

  it('submits one round for one id, and one where the answer got lost', async () => {
    const id = newSchedule()
    const { schedules } = newClient(forgetful())
    await schedules.put(...id, NIGHTLY)
    const first = await schedules.trigger(...id, { id: 'deploy-7' })
    expect(first.round).toBe(`${id[1]}+deploy-7`)
    expect(await schedules.trigger(...id, { id: 'deploy-7' })).toMatchObject({ round: first.round })
    await schedules.trigger(...id)
    const rounds = await fetch(`${server.url}/api/v1/rounds?system=${id[0]}&limit=1000`)
    const { rounds: all } = (await rounds.json()) as { rounds: { round: string }[] }
    expect(all.filter(({ round }) => round.startsWith(`${id[1]}+`))).toHaveLength(2)
  })

  it('has an id that fits a round with the longest name', async () => {
    const id: [string, string] = ['client', 'n'.repeat(100)]
    const { schedules } = newClient()
    await schedules.put(...id, NIGHTLY)
    expect((await schedules.trigger(...id)).round).toHaveLength(128)
  })
})

describe('a backfill', () => {
  it('submits the slots of a time once, and says where to go on', async () => {
    const id = newSchedule()
    const { schedules } = newClient()
    await schedules.put(...id, NIGHTLY)
    const time = { from: '2026-03-27T00:00:00Z', to: new Date('2026-03-30T00:00:00Z') }
    const first = await schedules.backfill(...id, { ...time, max: 2 })
    expect(first.rounds).toEqual([
      { slot: '2026-03-27T02:00:00+01:00', round: `${id[1]}@2026-03-27T02:00:00+01:00`, isFirst: true },
      { slot: '2026-03-28T02:00:00+01:00', round: `${id[1]}@2026-03-28T02:00:00+01:00`, isFirst: true },
    ])
    const rest = await schedules.backfill(...id, { ...time, from: first.next ?? '' })
    expect(rest.rounds.map(({ slot }) => slot)).toEqual([
      // There was no 02:00 on this day.
      '2026-03-29T02:00:00+01:00',
      '2026-03-30T02:00:00+02:00',
    ])
    expect(rest.next).toBeUndefined()
    const again = await schedules.backfill(...id, time)
    expect(again.rounds.map(({ isFirst }) => isFirst)).toEqual([false, false, false, false])
  })
})

describe('what cannot be answered', () => {
  it('is asked again: also a put whose answer got lost', async () => {
    const id = newSchedule()
    const { schedules } = newClient(forgetful())
    expect(await schedules.put(...id, NIGHTLY)).toMatchObject({ isNew: false, schedule: { name: id[1] } })
    expect(await schedules.pause(...id)).toMatchObject({ paused: true })
    expect(await schedules.remove(...id)).toBe(false)
    expect(await schedules.get(...id)).toBeUndefined()
  })

  const VERBS = ['pause', 'resume', 'trigger', 'next'] as const
  it.each(VERBS)('is an error where there is no such schedule: %s', async (verb) => {
    await expect(newClient().schedules[verb](...newSchedule())).rejects.toMatchObject({
      name: 'GoneError',
      code: 'NO_SUCH_SCHEDULE',
    })
  })

  it('is an error that names the field', async () => {
    const { schedules } = newClient()
    const id = newSchedule()
    const bad: [ScheduleOptions, string, RegExp][] = [
      [{ cron: 'x' }, 'INVALID_BODY', /^cron: expected /],
      [{ every: '1h', tz: 'x' }, 'INVALID_BODY', /^tz: expected /],
      [{ every: '1h', job: { attempts: 0 } }, 'INVALID_BODY', /^job\.attempts: expected /],
      [{ at: new Date('x') }, 'INVALID_PARAMETER', /^at: not a valid date$/],
    ]
    for (const [schedule, code, message] of bad)
      await expect(schedules.put(...id, schedule)).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
      })
    await expect(schedules.put('', 'x', NIGHTLY)).rejects.toMatchObject({ code: 'INVALID_IDENTIFIER' })
    await expect(schedules.put('a', '..', NIGHTLY)).rejects.toMatchObject({
      message: 'name: expected a name, got ".."',
    })
  })

  it('is an error where something else answers', async () => {
    const { schedules } = newClient({
      timeoutMs: 200,
      fetch: async () => ({ status: 200, headers: new Headers(), text: async () => '{"hello":1}' }),
    })
    await expect(schedules.list()).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' })
  })

  it('ends with the signal', async () => {
    const signal = AbortSignal.abort(new GoneError('SHUTTING_DOWN', 'stop'))
    await expect(newClient().schedules.list({ signal })).rejects.toMatchObject({ message: 'stop' })
  })
})
