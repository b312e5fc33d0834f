import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, openWindow } from '../support/console.ts'
import { fillConsole, type Shown } from '../support/console-world.ts'
import { makeKey } from '../support/keys.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let browser: Browser
let pages: readonly Shown[]

beforeAll(async () => {
  server = await startTestServer()
  pages = await fillConsole(server)
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

const LOOKS = [
  ['a desk', {}],
  ['a phone', { width: 390 }],
  ['the dark', { isDark: true }],
] as const

/** Nothing that a name says has become more than text. */
async function expectTextAlone(page: Page, path: string): Promise<void> {
  const { images, title } = { images: await page.locator('main img').count(), title: await page.title() }
  expect([path, images, title]).toEqual([path, 0, expect.stringMatching(/ · gone$/)])
}

describe('each page', () => {
  it.each(LOOKS)('is for everybody and takes names for text, on %s', async (_, look) => {
    const { page, wrong } = await openWindow(browser, server.url, look)
    for (const { path, text } of pages) {
      await page.goto(server.url + path)
      await page.getByText(text).first().waitFor()
      expect([path, await breachesOf(page)]).toEqual([path, []])
      await expectNoSidewaysScroll(page)
      await expectTextAlone(page, path)
    }
    expect(wrong).toEqual([])
  })

  it('is for everybody where a key permits to read alone, each in another look', async () => {
    const { redis } = server
    const reader = await makeKey(redis, { actions: ['read'] })
    const locked = await startTestServer({ redis, env: { GONE_KEYS: 'required' } })
    const windows = await Promise.all(LOOKS.map(([, look]) => openWindow(browser, locked.url, look)))
    for (const { page } of windows) {
      await page.goto(`${locked.url}/login?next=/keys`)
      await page.getByLabel('API key').fill(reader.text)
      await page.getByRole('button', { name: 'Log in' }).click()
      await page.getByText(`You: key ${reader.id}`).waitFor()
    }
    for (const [n, { path, text }] of pages.filter((one) => one.path !== '/keys').entries()) {
      const { page } = windows[n % windows.length] as (typeof windows)[0]
      await page.goto(locked.url + path)
      await page.getByText(text).first().waitFor()
      expect([path, await breachesOf(page)]).toEqual([path, []])
      await expectNoSidewaysScroll(page)
    }
    // A form that may not be sent may not ask what it would do either.
    const wrong = windows.flatMap((one) => one.wrong)
    expect(wrong.filter((said) => !said.includes('status of 403'))).toEqual([])
    await locked.stop()
  })
})
