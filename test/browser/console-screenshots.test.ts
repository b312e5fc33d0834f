import { mkdir } from 'node:fs/promises'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { openWindow } from '../support/console.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

/** `npm run screenshots` puts them where the README shows them from. */
const FOLDER = process.env.SCREENSHOTS ?? 'test-results'

let server: TestServer
let browser: Browser

beforeAll(async () => {
  server = await startTestServer()
  browser = await openBrowser()
  await mkdir(FOLDER, { recursive: true })
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

const api = (path: string, body?: unknown, method = 'POST') =>
  fetch(`${server.url}/api/v1/${path}`, {
    method,
    ...(body !== undefined && {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    }),
  })

/** A day in a few seconds: some of all that there can be. */
async function live(): Promise<void> {
  const env = { GONE_RELEASE: '41', GONE_REGION: 'eu', GONE_HOST_LABEL: 'eu-a' }
  const report = async () => ({ rows: 299, sentTo: 'ops@example.com' })
  const sync = async ({ data }: { readonly data: unknown }) => {
    if ((data as { readonly isDown?: true }).isDown) throw new Error('connect ECONNREFUSED 10.1.2.3:5432')
    return { pulled: 42 }
  }
  await startTestWorkers(server.redis, { report, sync }, { env, attempts: 1 })
  await api(
    'schedules/reports/nightly',
    { cron: '0 2 * * *', tz: 'Europe/Berlin', job: { worker: 'report' } },
    'PUT',
  )
  await api('schedules/crm/pull', { every: '1s', job: { worker: 'sync', data: {} } }, 'PUT')
  await api('expectations/backup/hourly', { every: '1s', grace: '1s' }, 'PUT')
  for (let hour = 0; hour < 12; hour += 1) {
    const round = `2026-11-26-${String(hour).padStart(2, '0')}00`
    await fetch(`${server.url}/api/v1/elect/cleaner/${round}`, {
      headers: { 'gone-name': `cleaner-7f9c${hour % 3}` },
    })
    if (hour < 11) await api(`complete/cleaner/${round}`, { result: { files: 40 + hour } })
    await api(`submit/reports/${round}`, { worker: 'report', data: {} })
    if (hour % 5 === 4) await api(`submit/crm/${round}`, { worker: 'sync', data: { isDown: true } })
  }
  await api('elect/billing/2026-11-26-1100?deadline=1s')
}

it('shows a server at work', async () => {
  await live()
  const { page, wrong } = await openWindow(browser, server.url)
  await page.setViewportSize({ width: 1280, height: 640 })
  await page.goto(`${server.url}/`)
  await page.locator('td').getByText('missed', { exact: true }).first().waitFor()
  await page.locator('td').getByText('overdue', { exact: true }).first().waitFor()
  await page.getByText('connect ECONNREFUSED').first().waitFor()
  await page.screenshot({ path: `${FOLDER}/console-now.png` })
  await page.goto(`${server.url}/rounds`)
  await page.getByRole('link', { name: 'failed 2' }).waitFor()
  await page.screenshot({ path: `${FOLDER}/console-rounds.png` })
  expect(wrong).toEqual([])
})
