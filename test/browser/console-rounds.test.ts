import { readFileSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, jsonBody, openWindow } from '../support/console.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let browser: Browser

const api = (path: string, init?: RequestInit) => fetch(`${server.url}/api/v1/${path}`, init)
const ODD = '<script>alert(1)&amp;"@2026'

beforeAll(async () => {
  server = await startTestServer()
  browser = await openBrowser()
  for (let n = 0; n < 60; n += 1) {
    await api(`elect/${n % 3 === 0 ? 'report' : 'cleaner'}/2026-11-26-${String(n).padStart(4, '0')}`)
    if (n % 2 === 0)
      await api(
        `complete/${n % 3 === 0 ? 'report' : 'cleaner'}/2026-11-26-${String(n).padStart(4, '0')}`,
        jsonBody({ result: { files: n, big: 1 } }),
      )
  }
  await api('elect/cleaner/2026-11-26-odd')
  await api('fail/cleaner/2026-11-26-odd', jsonBody({ reason: '=cmd() <b>no</b>' }))
  await api('submit/mail/nightly@2026-11-26T02:00:00+01:00', jsonBody({ worker: 'mailer', data: {} }))
  await api(`elect/cleaner/${encodeURIComponent(ODD)}?lease=1h`)
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

describe('Rounds', () => {
  it('lists them newest first, page by page, with counts', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds`)
    await page.getByRole('link', { name: ODD }).waitFor()
    expect(await page.locator('tbody tr').count()).toBe(50)
    await page.getByRole('link', { name: 'all 63' }).waitFor()
    await page.getByRole('link', { name: 'failed 1' }).waitFor()
    await page.screenshot({ path: 'test-results/rounds.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    await page.getByRole('link', { name: 'Older' }).click()
    await page.getByRole('link', { name: '2026-11-26-0000' }).waitFor()
    expect(await page.locator('tbody tr').count()).toBe(13)
    await page.goBack()
    await page.getByRole('link', { name: ODD }).waitFor()
    expect(wrong).toEqual([])
  })

  it('finds them by state, system, worker and text, and keeps that in its address', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds`)
    await page.getByRole('link', { name: 'failed 1' }).click()
    await page.getByText('=cmd() <b>no</b>').waitFor()
    expect(await page.locator('tbody tr').count()).toBe(1)
    await page.goto(`${server.url}/rounds`)
    await page.keyboard.press('/')
    await page.keyboard.type('26-005')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/rounds?q=26-005')
    await page.getByRole('link', { name: '2026-11-26-0059' }).waitFor()
    expect(await page.locator('tbody tr').count()).toBe(10)
    await page.getByRole('textbox', { name: 'System' }).fill('report')
    await page.getByRole('button', { name: 'Filter' }).click()
    await page.getByRole('link', { name: 'all 3' }).waitFor()
    await page.goto(`${server.url}/rounds?worker=mailer`)
    await page.getByRole('link', { name: 'nightly@2026-11-26T02:00:00+01:00' }).waitFor()
    await page.goto(`${server.url}/rounds?q=nothing-like-it`)
    await page.getByText('No round matches. Looked at 63').waitFor()
    expect(wrong).toEqual([])
  })

  it('announces what is new while somebody is at the list, and moves nothing', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds`)
    await page.locator('tbody tr').nth(5).hover()
    const first = page.locator('tbody tr').first().getByRole('link')
    const seen = await first.innerText()
    await api('elect/cleaner/brand-new')
    await page.getByRole('button', { name: '1 new · show' }).waitFor()
    expect(await first.innerText()).toBe(seen)
    await page.screenshot({ path: 'test-results/rounds-new.png' })
    await page.keyboard.press('.')
    await page.getByRole('link', { name: 'brand-new' }).waitFor()
    expect(wrong).toEqual([])
  })

  it('puts what is on the screen into files that no spreadsheet runs', async () => {
    const { page } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds?state=failed`)
    await page.getByText('=cmd()').waitFor()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'CSV' }).click(),
    ])
    const text = readFileSync(await download.path(), 'utf8')
    expect(text.split('\r\n')[0]).toBe(
      'state,system,round,leader,leaderName,worker,fence,came,tookMs,endedAt,ended',
    )
    expect(text).toContain("'=cmd() <b>no</b>")
  })

  it.each([
    ['a phone', { width: 390 }],
    ['320 px', { width: 320 }],
    ['the dark', { isDark: true }],
  ])('is for everybody, on %s too', async (name, look) => {
    const { page, wrong } = await openWindow(browser, server.url, look)
    await page.goto(`${server.url}/rounds?system=cleaner`)
    await page.getByRole('link', { name: ODD }).waitFor()
    await page.screenshot({ path: `test-results/rounds-${name.replaceAll(' ', '-')}.png` })
    expect(await breachesOf(page)).toEqual([])
    await expectNoSidewaysScroll(page)
    expect(wrong).toEqual([])
  })
})

describe('a round', () => {
  it('tells its story, whatever its name is', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds`)
    await page.getByRole('link', { name: ODD }).click()
    await page.getByRole('heading', { name: ODD }).waitFor()
    await page.getByText('lease of 1 h').waitFor()
    expect(await breachesOf(page)).toEqual([])
    await page.goto(`${server.url}/rounds/cleaner/2026-11-26-0058`)
    await page.getByText('"files": 58').waitFor()
    await page.screenshot({ path: 'test-results/round.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    await page.getByRole('link', { name: 'on the queue rounds' }).click()
    await page.getByText('cleaner~2026-11-26-0058').first().waitFor()
    expect(wrong).toEqual([])
  })

  it('that is not there says so', async () => {
    const { page } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds/cleaner/never`)
    await page.getByText('No round of that name.').waitFor()
  })

  it('shows its end as it comes', async () => {
    await api('elect/live/1')
    const { page } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds/live/1`)
    await page.getByText('led', { exact: true }).first().waitFor()
    await api('complete/live/1', jsonBody({ result: 42 }))
    await page.getByText('completed', { exact: true }).first().waitFor()
  })

  it('can be cancelled with a reason, by keyboard alone', async () => {
    await api('elect/cleaner/to-cancel')
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds?q=to-cancel`)
    await page.getByRole('link', { name: 'to-cancel', exact: true }).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Cancel' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Cancel the round' }).waitFor()
    expect(await page.getByRole('button', { name: 'Cancel the round' }).isDisabled()).toBe(true)
    await page.screenshot({ path: 'test-results/round-dialog.png' })
    expect(await breachesOf(page)).toEqual([])
    await page.getByLabel('Reason').focus()
    await page.keyboard.type('not today')
    await page.keyboard.press('Enter')
    await page.getByRole('status').getByText('cancelled cleaner/to-cancel').waitFor()
    await page
      .getByText(/cancelled by .*: not today/)
      .first()
      .waitFor()
    expect(await page.getByRole('button', { name: 'Cancel' }).count()).toBe(0)
    expect(wrong).toEqual([])
  })
})
