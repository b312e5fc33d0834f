import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { SlotNowJson } from '../../src/core/rounds/round-wire.ts'
import { createClient, slot } from '../../src/index.ts'
import { expectProblem, send } from '../support/requests.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

afterAll(async () => {
  await server.stop()
})

const ask = (query: string) => send(server.url, { path: `/api/v1/slot?${query}` })
const slotOf = async (query: string) => JSON.parse((await ask(query)).text) as SlotNowJson

describe('GET /api/v1/slot', () => {
  it('answers the slot that is now, the next one, and the time', async () => {
    const { slot, at, next, now } = await slotOf('cron=*/15+*+*+*+*&tz=Asia/Kathmandu')
    const quarterMs = 900_000
    const nowMs = Date.parse(now)
    expect(Math.abs(nowMs - Date.now())).toBeLessThan(5_000)
    const lastMs = Math.floor(nowMs / quarterMs) * quarterMs
    expect(at).toBe(new Date(lastMs).toISOString())
    expect(next?.at).toBe(new Date(lastMs + quarterMs).toISOString())
    const local = (ms: number) => `${new Date(ms + 5.75 * 3_600_000).toISOString().slice(0, 19)}+05:45`
    expect(slot).toBe(local(lastMs))
    expect(next?.slot).toBe(local(lastMs + quarterMs))
  })

  it('takes every in place of cron, and UTC where no zone is given', async () => {
    const day = await slotOf('every=1d')
    expect(day.slot).toBe(`${day.now.slice(0, 10)}T00:00:00+00:00`)
    const week = await slotOf('every=7d')
    expect(Date.parse(week.at ?? '') % (7 * 86_400_000)).toBe(0)
  })

  it('takes what becomes of gaps and overlaps', async () => {
    for (const query of ['gap=skip', 'gap=run-after', 'overlap=second', 'overlap=both&gap=skip'])
      expect((await ask(`cron=30+2+*+*+*&tz=Europe/Berlin&${query}`)).status).toBe(200)
  })

  it.each([
    ['', /^cron: expected exactly one of cron, every and at$/],
    ['cron=0+8+*+*+*&every=1h', /^cron: expected exactly one/],
    [
      'cron=61+*+*+*+*',
      /^cron: expected .* like 0 8 .*, got "61 \* \* \* \*": minute "61": expected 0 to 59/,
    ],
    ['cron=0+8+*+*+%3F+*', /: AWS writes the minute first and a year last; here it is "0 8 \* \* \*"$/],
    ['every=1h&tz=BST', /^tz: expected a time zone like Europe\/Berlin, got "BST"; an abbreviation/],
    ['cron=0+0+30+2+*', /^cron: expected a day that comes/],
    [`cron=${'1,'.repeat(200)}1+*+*+*+*`, /^cron: expected at most 256 characters, got/],
    ['every=7', /^every: expected a duration like 15m or 1d, got "7"/],
    ['every=500ms', /^every: expected whole seconds from 1s to 366d, got "500 ms"/],
    ['every=367d', /^every: expected whole seconds from 1s to 366d/],
    ['every=1h&tz=Berlin', /^tz: expected a time zone like Europe\/Berlin, got "Berlin"/],
    ['every=1h&tz=%2B01:00', /^tz: expected/],
    [`every=1h&tz=${'x'.repeat(3_000)}`, /^tz: expected/],
    ['every=1h&gap=jump', /^gap: expected run-after or skip, got "jump"/],
    ['every=1h&overlap=third', /^overlap: expected first or second or both, got "third"/],
    ['every=1h&dst=skip', /^"dst": no such query parameter; this path takes: cron, every, tz, gap, overlap/],
    ['every=1h&every=2h', /^every: given 2 times/],
  ])('says what is wrong with ?%s', async (query, detail) => {
    expect(expectProblem(await ask(query), 'INVALID_PARAMETER')).toMatch(detail)
  })

  it('tells the time of Redis, not that of one server', async () => {
    vi.spyOn(Date, 'now').mockReturnValue(Date.parse('2020-01-01T00:00:00Z'))
    try {
      expect(Number((await slotOf('every=1d')).now.slice(0, 4))).toBeGreaterThan(2025)
    } finally {
      vi.restoreAllMocks()
    }
  })
})

describe('client.slot', () => {
  it('answers what the server says, which is what slot() computes at that time', async () => {
    const client = createClient({ url: server.url })
    const times = { cron: '*/10 * * * * *', tz: 'America/New_York', gap: 'skip', overlap: 'both' } as const
    const { now, ...told } = await client.slot(times)
    expect(told).toEqual(slot({ ...times, now }))
    expect((await client.slot({ every: 3_600_000 })).slot).toMatch(/:00:00\+00:00$/)
  })

  it('rejects with the code of the server', async () => {
    const client = createClient({ url: server.url })
    await expect(client.slot({ cron: '61 * * * *' })).rejects.toMatchObject({ code: 'INVALID_PARAMETER' })
  })
})
