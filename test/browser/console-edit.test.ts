import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, jsonBody, openWindow } from '../support/console.ts'
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

it('of two who edit a schedule the second is told what the first has changed, and loses nothing', async () => {
  await api('schedules/billing/monthly', jsonBody({ cron: '0 6 1 * *', job: { worker: 'hello' } }, 'PUT'))
  const { page, wrong } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/schedules/billing/monthly/edit`)
  await page.getByLabel('Grace').fill('5m')
  await api(
    'schedules/billing/monthly',
    jsonBody({ cron: '0 7 1 * *', jitter: '30s', job: { worker: 'hello' } }, 'PUT'),
  )
  await page.getByText('expect.grace').waitFor()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('alert').getByText('somebody has changed it since you looked').waitFor()
  const theirs = page.getByRole('region', { name: 'What somebody else has changed' })
  await theirs.getByText('0 7 1 * *').waitFor()
  await theirs.getByText('30s').waitFor()
  expect(await page.getByLabel('Grace').inputValue()).toBe('5m')
  await page.screenshot({ path: 'test-results/schedule-412.png', fullPage: true })
  expect(await breachesOf(page)).toEqual([])
  expect(await (await api('schedules/billing/monthly')).json()).toMatchObject({ cron: '0 7 1 * *' })
  await page.getByLabel('That is').fill('0 7 1 * *')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.waitForURL('**/schedules/billing/monthly')
  expect(await (await api('schedules/billing/monthly')).json()).toMatchObject({
    cron: '0 7 1 * *',
    jitter: '30s',
    expect: { grace: '5m' },
  })
  expect(wrong.filter((text) => !text.includes('status of 412'))).toEqual([])
})

it('a backfill names its slots before they are submitted, and is refused where they have changed', async () => {
  await api('schedules/db/hourly', jsonBody({ cron: '0 * * * *', job: { worker: 'nobody' } }, 'PUT'))
  const early = { from: '2026-11-01T00:00:00Z', to: '2026-11-01T01:00:00Z' }
  await api('schedules/db/hourly/backfill', jsonBody(early))
  const { page, wrong } = await openWindow(browser, server.url, { zone: 'UTC' })
  const plan = async () => {
    await page.goto(`${server.url}/schedules/db/hourly`)
    await page.getByLabel('From').fill('2026-11-01T00:00:00')
    await page.getByLabel('To').fill('2026-11-01T04:00:00')
    await page.getByRole('button', { name: 'Backfill…' }).click()
    await page.getByText('3 of 5 slots will be submitted now').waitFor()
  }
  await plan()
  const slots = page.getByRole('region', { name: 'The slots' })
  expect((await slots.innerText()).split('\n').map((line) => line.trim())).toEqual([
    '2026-11-01T00:00:00+00:00 was submitted before',
    '2026-11-01T01:00:00+00:00 was submitted before',
    '2026-11-01T02:00:00+00:00 will be submitted',
    '2026-11-01T03:00:00+00:00 will be submitted',
    '2026-11-01T04:00:00+00:00 will be submitted',
  ])
  await page.screenshot({ path: 'test-results/backfill.png' })
  expect(await breachesOf(page)).toEqual([])
  const rounds = async () =>
    ((await (await api('rounds?system=db')).json()) as { rounds: { round: string }[] }).rounds.map(
      ({ round }) => round,
    )
  expect(await rounds()).toHaveLength(2)
  await api('schedules/db/hourly/backfill', jsonBody({ from: early.to, to: '2026-11-01T02:00:00Z' }))
  await page.getByRole('button', { name: 'Submit 3' }).click()
  await page.getByRole('dialog').getByRole('alert').getByText('2 slots would be submitted now').waitFor()
  expect(await rounds()).toHaveLength(3)
  await page.goto(`${server.url}/schedules/db/hourly`)
  await page.setViewportSize({ width: 390, height: 844 })
  await page.getByLabel('From').fill('2026-11-01T00:00:00')
  await page.getByLabel('To').fill('2026-11-01T04:00:00')
  await page.getByRole('button', { name: 'Backfill…' }).click()
  await page.getByRole('button', { name: 'Submit 2' }).waitFor()
  await expectNoSidewaysScroll(page)
  await page.getByRole('button', { name: 'Submit 2' }).click()
  await page.getByRole('status').getByText('2 of 5 slots submitted').waitFor()
  expect((await rounds()).toSorted()).toEqual(
    [0, 1, 2, 3, 4].map((hour) => `hourly@2026-11-01T0${hour}:00:00+00:00`),
  )
  expect(wrong.filter((text) => !text.includes('status of 412'))).toEqual([])
})
