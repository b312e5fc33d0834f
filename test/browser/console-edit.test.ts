import type { Browser, Locator } from 'playwright-core'
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

it('a new schedule replaces none of its name, and one that could not be read anew is replaced no more than one that could', async () => {
  await api('schedules/payroll/monthly', jsonBody({ cron: '0 6 1 * *', job: { worker: 'hello' } }, 'PUT'))
  const { page, wrong } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/schedules/new`)
  await page.getByLabel('System', { exact: true }).fill('payroll')
  await page.getByLabel('Name', { exact: true }).fill('monthly')
  await page.getByRole('button', { name: 'Make it' }).click()
  await page.getByRole('alert').getByText('there is such a schedule already').waitFor()
  // And so it stays, however often one tries.
  const refused = () => page.waitForResponse((answer) => answer.status() === 412)
  await Promise.all([refused(), page.getByRole('button', { name: 'Make it' }).click()])
  expect(await (await api('schedules/payroll/monthly')).json()).toMatchObject({ cron: '0 6 1 * *' })

  await page.goto(`${server.url}/schedules/payroll/monthly/edit`)
  await page.getByLabel('Grace').fill('5m')
  await api('schedules/payroll/monthly', jsonBody({ cron: '0 7 1 * *', job: { worker: 'hello' } }, 'PUT'))
  const path = '**/console/api/schedules/payroll/monthly'
  await page.route(path, (route) =>
    route.request().method() === 'GET' ? route.fulfill({ status: 502 }) : route.continue(),
  )
  await Promise.all([refused(), page.getByRole('button', { name: 'Save' }).click()])
  await expect.poll(() => page.getByRole('button', { name: 'Save' }).isEnabled()).toBe(true)
  await Promise.all([refused(), page.getByRole('button', { name: 'Save' }).click()])
  await page.unroute(path)
  expect(await (await api('schedules/payroll/monthly')).json()).toMatchObject({ cron: '0 7 1 * *' })
  expect(wrong.filter((text) => !/status of (?:412|502)/.test(text))).toEqual([])
})

/** Has the page write this into the field of that label, and wait until it is told to be wrong beside it; how many ms that took. */
function writeWrong(field: Locator, text: string): Promise<number> {
  return field.evaluate(
    (node, written) =>
      new Promise<number>((resolve) => {
        const { MutationObserver, document, Event } = globalThis as unknown as {
          MutationObserver: new (act: () => void) => { observe(node: unknown, of: object): void }
          document: { getElementById(id: string): { className: string } }
          Event: new (name: string, more: object) => never
        }
        const input = node as unknown as { id: string; value: string; dispatchEvent(event: never): void }
        const hint = document.getElementById(`${input.id}-hint`)
        const startMs = performance.now()
        new MutationObserver(() => {
          if (hint.className === 'wrong') resolve(performance.now() - startMs)
        }).observe(hint, { attributes: true })
        input.value = written
        input.dispatchEvent(new Event('input', { bubbles: true }))
      }),
    text,
  )
}

it('what is wrong is told beside its field within 400 ms, and what is previewed is what is kept', async () => {
  await api('schedules/shop/daily', jsonBody({ cron: '0 6 * * *', job: { worker: 'hello' } }, 'PUT'))
  const { page, wrong } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/schedules/shop/daily/edit`)
  for (const [label, bad] of [
    ['That is', '99 2 * * *'],
    ['Zone', 'Mars/Olympus'],
    ['Data', '{'],
    ['Attempts', 'many'],
    ['Grace', 'soon'],
  ] as const) {
    const field = page.getByLabel(label, { exact: true })
    const good = await field.inputValue()
    const tooks: number[] = []
    // The best of three: a loaded machine may be busy with something else for a moment.
    for (let n = 0; n < 3; n += 1) {
      tooks.push(await writeWrong(field, bad))
      expect([label, await field.getAttribute('aria-invalid')]).toEqual([label, 'true'])
      await field.fill(good)
      await expect.poll(() => field.getAttribute('aria-invalid')).toBe('false')
    }
    expect([label, Math.min(...tooks) < 400, tooks]).toEqual([label, true, tooks])
  }
  await page.getByLabel('That is').fill('15 9 * * MON-FRI')
  await page.getByLabel('Zone').fill('Asia/Kolkata')
  await page.getByText('at 09:15 Monday to Friday').waitFor()
  const previewed = page.locator('.next code')
  await page.locator('.next li').nth(4).getByText('T09:15:00+05:30').waitFor()
  const shown = await previewed.allInnerTexts()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.waitForURL('**/schedules/shop/daily')
  const { slots } = (await (await api('schedules/shop/daily/next?n=5')).json()) as {
    slots: { slot: string }[]
  }
  expect(slots.map(({ slot }) => slot)).toEqual(shown)
  expect(wrong.filter((text) => !text.includes('status of 400'))).toEqual([])
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
