import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { breachesInEachLook, openWindow } from '../support/console.ts'
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

/** Nothing that a name says has become more than text. */
async function expectTextAlone(page: Page, path: string): Promise<void> {
  const { images, title } = { images: await page.locator('main img').count(), title: await page.title() }
  expect([path, images, title]).toEqual([path, 0, expect.stringMatching(/ · gone$/)])
}

describe('each page', () => {
  it('is for everybody and takes names for text, at a desk, on a phone and in the dark', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    for (const { path, text } of pages) {
      await page.goto(server.url + path)
      await page.getByText(text).first().waitFor()
      expect([path, await breachesInEachLook(page)]).toEqual([path, []])
      await expectTextAlone(page, path)
    }
    expect(wrong).toEqual([])
  })

  it('is for everybody where a key permits to read alone', async () => {
    const { redis } = server
    const reader = await makeKey(redis, { actions: ['read'] })
    const locked = await startTestServer({ redis, env: { GONE_KEYS: 'required' } })
    const { page, wrong } = await openWindow(browser, locked.url)
    await page.goto(`${locked.url}/login?next=/keys`)
    await page.getByLabel('API key').fill(reader.text)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByText(`You: key ${reader.id}`).waitFor()
    for (const { path, text } of pages.filter((one) => one.path !== '/keys')) {
      await page.goto(locked.url + path)
      await page.getByText(text).first().waitFor()
      expect([path, await breachesInEachLook(page)]).toEqual([path, []])
      expect(
        await page.getByRole('button', { name: /^(?:Deploy|Roll back|Cancel|Retry|Trigger|Pause)/ }).count(),
      ).toBe(0)
    }
    // A form that may not be sent may not ask what it would do either.
    expect(wrong.filter((said) => !said.includes('status of 403'))).toEqual([])
    await locked.stop()
  })
})
