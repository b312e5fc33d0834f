import { beforeAll, expect, it } from 'vitest'
import { createClient } from '../../src/index.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer

beforeAll(async () => {
  server = await startTestServer()
})

it('lists what is wrong', async () => {
  const client = createClient({ url: server.url })
  expect(await client.alerts()).toEqual([])
  await fetch(`${server.url}/api/v1/expectations/outside/cron`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: '{"every":"1s","grace":"1s"}',
  })
  await expect
    .poll(() => client.alerts({ state: 'open', system: 'outside' }), { timeout: 20_000 })
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
