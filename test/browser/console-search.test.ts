import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, disconnect, type RedisClient } from '../../src/redis/connections.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { eachAtOnce, pause } from '../../src/waiting.ts'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, jsonBody, openWindow } from '../support/console.ts'
import { silentLog } from '../support/log.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** More than a search by whom they were led by looks through by itself, 20,000. One for a name looks through 100,000. */
const ROUNDS = 23_000

let server: TestServer
let browser: Browser
let client: RedisClient
let records: RedisRecords

beforeAll(async () => {
  server = await startTestServer()
  browser = await openBrowser()
  client = connect(server.redis.url, 'waiting', 'fill', silentLog)
  records = new RedisRecords(client, 86_400_000)
  await eachAtOnce(
    200,
    Array.from({ length: ROUNDS }, (_, n) => n),
    (n) =>
      records.decide(
        { system: `s${n % 3}`, round: n === 0 ? 'the-oldest' : `round-${n}` },
        { address: n === 0 ? '10.0.0.1:1' : '10.0.0.7:1', identity: `~${n}` },
        { deadlineMs: 86_400_000 },
      ),
  )
  await records.flush()
})

afterAll(async () => {
  await browser.close()
  await disconnect(client)
  await server.stop()
})

describe('a search through many rounds', () => {
  it('says how far it has looked, goes on when it is told to, and finds what is oldest', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds?leader=10.0.0.1`)
    await page.getByText(/No round matches\. Looked at 2\d,\d{3}, back to /).waitFor()
    expect(await breachesOf(page)).toEqual([])
    // What the page asks again by itself does not take back how far it has looked.
    await fetch(`${server.url}/api/v1/elect/s1/another`)
    await pause(3_000)
    await page.getByText(/No round matches\. Looked at 2\d,\d{3}, back to /).waitFor()
    await page.getByRole('button', { name: 'Look further' }).click()
    await page.getByRole('link', { name: 'the-oldest' }).waitFor()
    // The names stand in the histories themselves.
    await page.goto(`${server.url}/rounds?q=the-oldest`)
    await page.getByRole('link', { name: 'the-oldest' }).waitFor()
    await page.getByText(/looked at 2\d,\d{3}/).waitFor()
    expect(wrong).toEqual([])
  })

  it.each([
    ['a state', 'state=failed'],
    ['a leader that a newer round has too', 'leader=10.0.0.1'],
  ])(
    'for %s keeps what it has found, and how far it has come, when the page is asked for anew',
    async (_, query) => {
      await records.decide(
        { system: 's1', round: 'the-newest' },
        { address: '10.0.0.1:1', identity: '~newest' },
        { deadlineMs: 86_400_000 },
      )
      await records.flush()
      for (const path of ['s0/the-oldest', 's1/the-newest'])
        await fetch(`${server.url}/api/v1/cancel/${path}`, jsonBody({ reason: 'asked' }))
      const { page, wrong } = await openWindow(browser, server.url)
      const anew = () =>
        page.waitForResponse(
          (answer) => answer.url().includes('/rounds?') && !new URL(answer.url()).searchParams.has('cursor'),
        )
      await page.goto(`${server.url}/rounds?${query}`)
      await page.getByRole('link', { name: 'the-newest' }).waitFor()
      await page.getByText(/looked at 2\d,\d{3}/).waitFor()
      await anew()
      await page.getByRole('button', { name: 'Look further' }).click()
      await page.getByRole('link', { name: 'the-oldest' }).waitFor()
      // The second is asked for once the first has been shown.
      await anew()
      await anew()
      expect(await page.getByRole('link', { name: 'the-oldest' }).count()).toBe(1)
      expect(await page.getByText(/looked at 2\d,\d{3}/).count()).toBe(1)
      expect(wrong).toEqual([])
      await page.context().close()
    },
  )

  it('can be stopped', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    // Each answer takes a while, as of a server that is far away.
    await page.route('**/console/api/rounds?*', async (route) => {
      await pause(300)
      await route.continue()
    })
    await page.goto(`${server.url}/rounds?leader=nothing-like-it`)
    await page.getByText('No round matches yet. Looked at ').waitFor()
    await page.getByRole('button', { name: 'Stop' }).click()
    const said = page.getByText(/No round matches\. Looked at [\d,]+, back to /)
    const far = /Looked at ([\d,]*\d)/.exec(await said.innerText())?.[1] ?? ''
    expect(Number(far.replaceAll(',', ''))).toBeLessThan(20_000)
    await page.getByRole('button', { name: 'Look further' }).waitFor()
    expect(wrong).toEqual([])
  })
})
