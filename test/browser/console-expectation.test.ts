import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { pause } from '../../src/waiting.ts'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, openWindow } from '../support/console.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let browser: Browser

const api = (path: string, init?: RequestInit) => fetch(`${server.url}/api/v1/${path}`, init)

beforeAll(async () => {
  server = await startTestServer()
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

it('an expectation shows who came for each slot and who did not, and can be removed', async () => {
  await api('expectations/report/often', {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ every: '6s', grace: '3s', replicas: 2 }),
  })
  const ask = (round: string, name: string) =>
    api(`elect/report/${round}`, { headers: { 'gone-name': name, 'gone-candidate': name } })
  const slotNow = async () => ((await (await api('slot?every=6s')).json()) as { slot: string }).slot
  // Candidates are counted from 5 s after the change on.
  await pause(6_000)
  const before = await slotNow()
  await expect.poll(slotNow).not.toBe(before)
  const first = await slotNow()
  await ask(first, 'pod-1')
  await ask(first, 'pod-2')
  await api(`complete/report/${first}?candidate=pod-1`, { method: 'POST' })
  await expect.poll(slotNow).not.toBe(first)
  const second = await slotNow()
  await ask(second, 'pod-2')
  const { page, wrong } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/alerts`)
  await page
    .getByRole('region', { name: 'Expected of systems' })
    .getByRole('link', { name: 'report/often' })
    .click()
  const row = (slot: string) =>
    page.locator('tbody tr').filter({ has: page.getByRole('link', { name: slot }) })
  await row(first).getByText('pod-1, pod-2').waitFor()
  await row(second).filter({ hasText: 'few-candidates' }).waitFor()
  await row(second).locator('[data-title="Who did not"]').getByText('pod-1').waitFor()
  expect(await row(second).locator('[data-title="Who came"]').innerText()).toBe('pod-2')
  await page.locator('tbody tr').filter({ hasText: 'missed' }).first().waitFor()
  await page.screenshot({ path: 'test-results/expectation.png', fullPage: true })
  expect(await breachesOf(page)).toEqual([])
  await page.setViewportSize({ width: 390, height: 844 })
  await expectNoSidewaysScroll(page)
  await page.getByRole('button', { name: 'Remove' }).click()
  await page.getByRole('button', { name: 'Remove the expectation' }).click()
  await page.getByText('There is no such expectation.').waitFor()
  expect((await api('expectations/report/often')).status).toBe(404)
  expect(wrong.filter((text) => !text.includes('status of 404'))).toEqual([])
}, 120_000)
