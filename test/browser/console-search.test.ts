import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { RedisRecords } from '../../src/store/records/redis-records.ts'
import { eachAtOnce, pause } from '../../src/waiting.ts'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, openWindow } from '../support/console.ts'
import { silentLog } from '../support/log.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** More than a search by whom they were led by looks through by itself, 20,000. One for a name looks through 100,000. */
const ROUNDS = 23_000

let server: TestServer
let browser: Browser

beforeAll(async () => {
  server = await startTestServer()
  browser = await openBrowser()
  const client = connect(server.redis.url, 'waiting', 'fill', silentLog)
  const records = new RedisRecords(client, 86_400_000)
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
  await disconnect(client)
})

afterAll(async () => {
  await browser.close()
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
