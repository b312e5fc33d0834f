import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pause } from '../../src/waiting.ts'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, jsonBody, openWindow } from '../support/console.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

let server: TestServer
let browser: Browser

beforeAll(async () => {
  server = await startTestServer()
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

const api = (path: string, init?: RequestInit) => fetch(`${server.url}/api/v1/${path}`, init)

describe('Now', () => {
  it('says what to do first where there is nothing', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/`)
    await page.getByText('Nothing is wrong.').waitFor()
    await page.getByText(`curl -X POST ${server.url}/api/v1/elect/`).waitFor()
    await page.getByText('gone work').waitFor()
    await page.screenshot({ path: 'test-results/now-empty.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    expect(wrong).toEqual([])
  })

  it('shows who leads what, and what has failed, as it comes', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/`)
    await page.getByText('Nobody leads a round.').waitFor()
    await api('elect/cleaner/2026-11-26-0800')
    await api('elect/report/2026-11-26-0800')
    await api('fail/report/2026-11-26-0800', jsonBody({ reason: 'connect ECONNREFUSED' }))
    await page.getByRole('link', { name: 'cleaner/2026-11-26-0800' }).waitFor()
    await page.getByText('connect ECONNREFUSED').waitFor()
    await page.screenshot({ path: 'test-results/now.png', fullPage: true })
    expect(wrong).toEqual([])
  })

  it('says of each worker what was done for it in the last hour, and how long that took', async () => {
    const naps = async () => pause(30)
    await startTestWorkers(server.redis, { naps })
    for (let n = 0; n < 5; n += 1) await api(`submit/naps/${n}`, jsonBody({ worker: 'naps' }))
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/`)
    const row = page.getByRole('region', { name: 'Workers' }).getByRole('row').filter({ hasText: 'naps' })
    await row.locator('[data-title="Done"]').getByText('5', { exact: true }).waitFor()
    expect(await row.locator('[data-title="Failed"]').innerText()).toBe('0')
    expect(await row.locator('[data-title="Ran"]').innerText()).toMatch(/^[\d.]+ (?:ms|s)$/)
    await page.screenshot({ path: 'test-results/now-workers.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    expect(wrong).toEqual([])
  })

  it.each([
    ['a phone', { width: 390 }],
    ['the dark', { isDark: true }],
    ['320 px', { width: 320 }],
  ])('is for everybody, on %s too', async (name, look) => {
    await api('elect/cleaner/2026-11-26-0800')
    const { page, wrong } = await openWindow(browser, server.url, look)
    await page.goto(`${server.url}/`)
    await page.getByRole('link', { name: 'cleaner/2026-11-26-0800' }).waitFor()
    await page.screenshot({ path: `test-results/now-${name.replaceAll(' ', '-')}.png`, fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    await expectNoSidewaysScroll(page)
    expect(wrong).toEqual([])
  })
})
