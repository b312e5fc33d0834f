import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let browser: Browser
let page: Page

beforeAll(async () => {
  server = await startTestServer({ env: { GONE_BOARD: 'read-write' } })
  await fetch(`${server.url}/api/v1/elect/cleaner/1`)
  await fetch(`${server.url}/api/v1/complete/cleaner/1`, { method: 'POST' })
  browser = await openBrowser()
  page = await browser.newPage()
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

it('shows every page by its own parts alone, under a policy that nothing on it breaks', async () => {
  const others: string[] = []
  const said: string[] = []
  page.on('request', (request) => {
    if (/^https?:/.test(request.url()) && !request.url().startsWith(server.url)) others.push(request.url())
  })
  page.on('console', (message) => {
    if (/security policy/i.test(message.text())) said.push(message.text())
  })
  const look = async (path: string, text: string) => {
    await page.goto(server.url + path)
    await page.getByText(text).first().waitFor()
    const policy = (await (await fetch(server.url + path)).headers.get('content-security-policy')) ?? ''
    expect([path, policy]).toEqual([path, expect.stringMatching(/^default-src 'none'/)])
    expect(policy).not.toContain('unsafe')
  }
  await look('/board', 'rounds')
  await look('/board/queue/rounds?status=completed', 'cleaner/1')
  await page.getByText('cleaner/1').first().click()
  await look('/docs', 'Am I the leader?')
  await page.getByText('Am I the leader?').first().click()
  await look('/logout', 'No key is needed here')
  expect({ others, said }).toEqual({ others: [], said: [] })
})

it('has a way to log out on the board and the docs, also before there is a key', async () => {
  await page.goto(`${server.url}/docs`)
  await page.getByRole('link', { name: 'Log out' }).click()
  await page.waitForURL('**/logout')
  await page.goto(`${server.url}/board`)
  await page.getByText('rounds').first().waitFor()
  expect(await page.locator('body').innerHTML()).toContain('/logout')
})

it('says to people what is not there', async () => {
  const answer = await page.goto(`${server.url}/boards/<b>`)
  expect(answer?.status()).toBe(404)
  await page.getByText('There is no page /boards/').waitFor()
  await page.getByRole('link', { name: 'the board' }).click()
  await page.waitForURL('**/board')
})
