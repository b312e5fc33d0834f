import { beforeAll, describe, expect, expectTypeOf, it } from 'vitest'
import { createClient, type ExpectationJson, type ExpectationOptions } from '../../src/index.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

it('lists what is wrong', async () => {
  const client = createClient({ url: server.url })
  expect(await client.alerts()).toEqual([])
  await client.expectations.put('outside', 'cron', { every: '1s', grace: '1s' })
  await expect
    .poll(() => client.alerts({ state: 'open', system: 'outside' }), { timeout: 30_000 })
    .toMatchObject([{ system: 'outside', name: 'cron', kind: 'missed', state: 'open' }])
  expect(await client.alerts({ state: 'resolved' })).toEqual([])
  expect(await client.alerts({ system: 'other' })).toEqual([])
})

it('goes on to the next page until there are enough', async () => {
  const asked: string[] = []
  const client = createClient({
    url: server.url,
    async fetch(url) {
      asked.push(new URL(url).search)
      const text = JSON.stringify({ alerts: [{ id: String(asked.length) }], now: '', next: '7' })
      return { status: 200, headers: new Headers(), text: async () => text }
    },
  })
  expect(await client.alerts({ state: 'open', limit: 3 })).toEqual([{ id: '1' }, { id: '2' }, { id: '3' }])
  expect(asked).toEqual([
    '?state=open&limit=3',
    '?state=open&limit=2&cursor=7',
    '?state=open&limit=1&cursor=7',
  ])
})

describe('an expectation', () => {
  const DAILY: ExpectationOptions = { cron: '0 8 * * MON-FRI', tz: 'Europe/Berlin', grace: '5m' }

  it('is put, shown and removed', async () => {
    const { expectations } = createClient({ url: server.url })
    expect(await expectations.get('report', 'daily')).toBeUndefined()
    const made = await expectations.put('report', 'daily', DAILY)
    expect(made).toMatchObject({
      isNew: true,
      expectation: { system: 'report', name: 'daily', cron: '0 8 * * MON-FRI', grace: '5m' },
    })
    const { now: _, ...shown } = (await expectations.get('report', 'daily')) ?? {}
    expect(made.expectation).toMatchObject(shown)
    expect(await expectations.put('report', 'daily', DAILY)).toMatchObject({
      isNew: false,
      expectation: shown,
    })
    expect(await expectations.remove('report', 'daily')).toBe(true)
    expect(await expectations.remove('report', 'daily')).toBe(false)
  })

  it('takes all terms, durations also as numbers', async () => {
    const { expectations } = createClient({ url: server.url })
    const { expectation } = await expectations.put('report', 'all', {
      every: 3_600_000,
      tz: 'Asia/Tokyo',
      dst: { gap: 'skip' },
      grace: 90_000,
      late: '30s',
      replicas: 3,
    })
    expect(expectation).toMatchObject({
      every: '1h',
      tz: 'Asia/Tokyo',
      dst: { gap: 'skip', overlap: 'first' },
      grace: '90s',
      late: '30s',
      replicas: 3,
    })
  })

  it('is listed with the others of its system, by name', async () => {
    const { expectations } = createClient({ url: server.url })
    for (const name of ['b', 'a']) await expectations.put('listed', name, DAILY)
    expect((await expectations.list({ system: 'listed' })).map(({ name }) => name)).toEqual(['a', 'b'])
    expect((await expectations.list()).length).toBeGreaterThan(2)
    expect(await expectations.list({ system: 'nobody' })).toEqual([])
  })

  it('that is not understood is an error that names the field', async () => {
    const { expectations } = createClient({ url: server.url })
    await expect(expectations.put('report', 'x', { cron: 'x', grace: '5m' })).rejects.toMatchObject({
      code: 'INVALID_BODY',
      message: expect.stringMatching(/^cron: expected /),
    })
    await expect(expectations.put('report', '..', DAILY)).rejects.toMatchObject({
      code: 'INVALID_IDENTIFIER',
    })
  })

  it('is typed: it has a grace, and one of cron and every', () => {
    const use = async ({ expectations }: ReturnType<typeof createClient>) => {
      // @ts-expect-error its grace is missing
      await expectations.put('s', 'n', { every: '1h' })
      // @ts-expect-error it has both
      await expectations.put('s', 'n', { every: '1h', cron: '@daily', grace: '5m' })
      expectTypeOf(await expectations.get('s', 'n')).toEqualTypeOf<ExpectationJson | undefined>()
    }
    expect(use).toBeTypeOf('function')
  })
})
