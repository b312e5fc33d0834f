import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, openWindow } from '../support/console.ts'
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
  ['/keys', 'No keys'],
] as const

const LOOKS = [
  ['a desk', {}],
  ['a phone', { width: 390 }],
  ['the dark', { isDark: true }],
] as const

describe('each page is for everybody', () => {
  it.each(LOOKS)('where there is nothing, on %s', async (_, look) => {
    const server = await startTestServer()
    const { page, wrong } = await openWindow(browser, server.url, look)
    for (const [path, text] of PAGES) {
      await page.goto(server.url + path)
      await page.getByText(text).first().waitFor()
      expect([path, await breachesOf(page)]).toEqual([path, []])
      await expectNoSidewaysScroll(page)
    }
    // What a browser says of a request for what is not there is no error of ours.
    expect(wrong.filter((text) => !/status of 40[04]/.test(text))).toEqual([])
    await server.stop()
  })

  it('where Redis does not answer, each in another look', async () => {
    const server = await startTestServer()
    const windows = await Promise.all(LOOKS.map(([, look]) => openWindow(browser, server.url, look)))
    await server.redis.stop()
    const of = (n: number) => windows[n % windows.length]?.page as Page
    for (const [n, [path]] of PAGES.entries()) {
      await of(n).goto(server.url + path)
      await of(n).getByRole('alert').getByText('Redis does not answer.').waitFor()
      expect([path, await breachesOf(of(n))]).toEqual([path, []])
      await expectNoSidewaysScroll(of(n))
    }
    await server.stop()
  }, 120_000)
})
