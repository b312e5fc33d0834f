import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { jsonBody, openWindow } from '../support/console.ts'
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

const refusal = (status: number, code: string) => ({
  status,
  contentType: 'application/problem+json',
  body: JSON.stringify({ code, detail: 'as this test has it', status }),
})

/** Runs in the page, whose globals this program does not know. */
function inPage(page: Page, text: string): Promise<unknown> {
  return page.evaluate(text)
}

it.each([
  ['/rounds?system=my%20system', 'Not shown: '],
  ['/rounds?before=of-another-build', 'Not shown: cursor: '],
  ['/rounds/a/b%20c', 'Not shown: '],
  ['/fleet?state=bogus', 'Not shown: '],
  ['/schedules?system=my%20system', 'Not shown: '],
])('says why nothing is shown: %s', async (path, words) => {
  const { page, wrong } = await openWindow(browser, server.url)
  await page.goto(server.url + path)
  await page.getByText(words).first().waitFor()
  expect(wrong.filter((text) => !text.includes('status of 400'))).toEqual([])
  await page.context().close()
})

it('triggers once however often it is asked, until somebody has answered', async () => {
  await api('schedules/once/nightly', jsonBody({ cron: '0 2 * * *', job: { worker: 'nobody' } }, 'PUT'))
  const { page } = await openWindow(browser, server.url)
  const ids: string[] = []
  let isLost = true
  await page.route('**/console/api/schedules/once/nightly/trigger', async (route) => {
    ids.push((route.request().postDataJSON() as { id: string }).id)
    if (!isLost) return route.continue()
    // It is done, and the answer to it is lost.
    await route.fetch()
    await route.abort()
  })
  await page.goto(`${server.url}/schedules/once/nightly`)
  const trigger = page.getByRole('button', { name: 'Trigger nightly' })
  await trigger.evaluate((button) => {
    const { click } = button as unknown as { click(): void }
    click.call(button)
    click.call(button)
  })
  await page.getByRole('status').getByText('the server does not answer').waitFor()
  expect(ids).toHaveLength(1)
  isLost = false
  await trigger.click()
  await page.getByRole('status').getByText('submitted once/nightly+').waitFor()
  const { rounds } = (await (await api('rounds?system=once')).json()) as { rounds: unknown[] }
  expect([rounds.length, new Set(ids).size]).toEqual([1, 1])
  await trigger.click()
  await expect.poll(() => new Set(ids).size).toBe(2)
})

it('offers commands that a shell takes as they are meant', async () => {
  const name = "it's;nightly"
  await api(
    `schedules/shell/${encodeURIComponent(name)}`,
    jsonBody({ cron: '0 2 * * *', job: { worker: 'nobody' } }, 'PUT'),
  )
  const { page } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/schedules/shell/${encodeURIComponent(name)}`)
  await page.getByRole('button', { name: 'Remove' }).click()
  await page.getByText('As a command').click()
  await page.getByText(`gone schedule remove shell 'it'\\''s;nightly'`).waitFor()
})

it('fails a round whose job was taken over HTTP for good, though it has attempts left', async () => {
  await api('submit/taken/one', jsonBody({ worker: 'elsewhere', attempts: 5 }))
  expect((await api('take/elsewhere?candidate=me', { method: 'POST' })).status).toBeLessThan(300)
  const { page } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/rounds/taken/one`)
  await page.getByRole('button', { name: 'Fail', exact: true }).click()
  await page.getByLabel('Reason').fill('nobody is there')
  await page.getByRole('button', { name: 'Fail the round' }).click()
  const state = async () => ((await (await api('rounds/taken/one')).json()) as { state: string }).state
  await expect.poll(state).toBe('failed')
})

it('shows no job of a round once it is removed', async () => {
  await api('submit/removed/one', jsonBody({ worker: 'nobody' }))
  const { page } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/rounds/removed/one`)
  await page.getByText('In its queue', { exact: true }).waitFor()
  await page.route('**/console/api/rounds/removed/one/job?*', (route) =>
    route.fulfill(refusal(409, 'JOB_GONE')),
  )
  // Whatever is done has all asked for anew.
  await page.getByText('It is not in its queue any more').waitFor()
  expect(await page.getByText('In its queue', { exact: true }).count()).toBe(0)
})

it('saves a schedule although its preview could not be told, and says that nobody answers in place of that there is none', async () => {
  await api('schedules/form/nightly', jsonBody({ cron: '0 2 * * *', job: { worker: 'nobody' } }, 'PUT'))
  const { page } = await openWindow(browser, server.url)
  const path = '**/console/api/schedules/form/nightly'
  await page.route(path, (route) => route.fulfill({ status: 502 }))
  await page.route(`${path}/preview`, (route) => route.fulfill({ status: 502 }))
  await page.goto(`${server.url}/schedules/form/nightly/edit`)
  await page.getByText('No answer yet.').waitFor()
  expect(await page.getByText('There is no such schedule').count()).toBe(0)
  await page.unroute(path)
  await page.getByLabel('Grace').fill('5m')
  await page.getByRole('status').getByText('answers 502').waitFor()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.waitForURL('**/schedules/form/nightly')
})

it('keeps large numbers in the data of a schedule as they are, deep in it too', async () => {
  const data = '{"at":1732262400000000000,"of":[{"id":-9007199254740992}]}'
  const init = jsonBody({}, 'PUT')
  await api('schedules/large/nightly', {
    ...init,
    body: `{"cron":"0 2 * * *","job":{"worker":"nobody","data":${data}}}`,
  })
  const { page } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/schedules/large/nightly/edit`)
  await page.getByLabel('Grace').fill('5m')
  await page.getByText('expect.grace').waitFor()
  expect(await page.getByText('job.data', { exact: false }).count()).toBe(0)
  await page.getByRole('button', { name: 'Save' }).click()
  await page.waitForURL('**/schedules/large/nightly')
  await page.getByText('1732262400000000000').waitFor()
  expect(await (await api('schedules/large/nightly')).text()).toContain(`"data":${data}`)
  expect(await page.getByText('"1732262400000000000"').count()).toBe(0)
})

it.each([
  ['told to ask less', 429, 'RATE_LIMITED', 3],
  ['logged out', 401, 'UNAUTHORIZED', 2],
])('asks no more often where it is %s', async (_, status, code, most) => {
  const { page } = await openWindow(browser, server.url)
  await page.clock.install()
  let count = 0
  await page.route('**/console/stream', (route) => route.fulfill({ status }))
  await page.route('**/console/api/alerts?*', (route) => {
    count += 1
    return route.fulfill({ ...refusal(status, code), headers: { 'retry-after': '20' } })
  })
  await page.goto(`${server.url}/keys`)
  await expect.poll(() => count).toBe(1)
  await page.locator('.notice.bad').waitFor()
  await page.clock.pauseAt(Date.now() + 5_000)
  // Every 2 s it would be twelve times.
  for (let second = 0; second < 25; second += 1) await page.clock.runFor(1_000)
  expect(count).toBeLessThanOrEqual(most)
})

it('says in a tab that nobody sees what is wrong, and that it is not known', async () => {
  const { page } = await openWindow(browser, server.url)
  await page.clock.install()
  await page.addInitScript(
    `Object.defineProperty(document, 'hidden', { get: () => globalThis.isAway === true })`,
  )
  let isWell = true
  await page.route('**/console/api/alerts?*', (route) => {
    if (!isWell) return route.fulfill({ status: 502 })
    return route.fulfill({ json: { alerts: [] } })
  })
  await page.goto(`${server.url}/keys`)
  await expect.poll(() => page.title()).toBe('Keys · gone')
  await inPage(page, `globalThis.isAway = true; document.dispatchEvent(new Event('visibilitychange'))`)
  isWell = false
  for (let minute = 0; minute < 3; minute += 1) await page.clock.runFor(61_000)
  await expect.poll(() => page.title()).toBe('(?) Keys · gone')
  expect(await page.locator('#icon').getAttribute('href')).toMatch(/icon-bad\.svg$/)
})
