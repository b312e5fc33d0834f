import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { breachesInEachLook, openWindow } from '../support/console.ts'
import { startTestServer } from '../support/server.ts'

let browser: Browser

beforeAll(async () => {
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
})

/** Of which there can be nothing, and what each says then. */
const PAGES = [
  ['/', 'Nothing is wrong.'],
  ['/rounds', 'No round yet'],
  ['/rounds/a/b', 'No round of that name.'],
  ['/schedules', 'gone schedule set'],
  ['/schedules/new', 'What it would do'],
  ['/schedules/a/b', 'There is no such schedule.'],
  ['/alerts', 'Nothing is wrong, and nothing was.'],
  ['/expectations/a/b', 'a'],
  ['/fleet', 'No worker is there'],
  ['/fleet/instances/i1', 'i1'],
  ['/fleet/workers/mailer', 'mailer'],
  ['/fleet/orders/o1', 'Fleet'],
  ['/fleet/pools/mail', 'There is no pool of that name.'],
  ['/keys', 'No keys'],
] as const

describe('each page is for everybody', () => {
  it('where there is nothing, at a desk, on a phone and in the dark', async () => {
    const server = await startTestServer()
    const { page, wrong } = await openWindow(browser, server.url)
    for (const [path, text] of PAGES) {
      await page.goto(server.url + path)
      await page.getByText(text).first().waitFor()
      expect([path, await breachesInEachLook(page)]).toEqual([path, []])
    }
    // What a browser says of a request for what is not there is no error of ours.
    expect(wrong.filter((text) => !/status of 40[04]/.test(text))).toEqual([])
    await server.stop()
  })

  it('where Redis does not answer', async () => {
    const server = await startTestServer()
    const { page } = await openWindow(browser, server.url)
    await server.redis.stop()
    for (const [path] of PAGES) {
      await page.goto(server.url + path)
      await page.getByRole('alert').getByText('Redis does not answer.').waitFor()
      expect([path, await breachesInEachLook(page)]).toEqual([path, []])
    }
    await server.stop()
  }, 120_000)
})
