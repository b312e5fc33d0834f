import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, jsonBody, openWindow } from '../support/console.ts'
import { makeKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let browser: Browser

const api = (path: string, init?: RequestInit) => fetch(`${server.url}/api/v1/${path}`, init)

/** Runs in the page, whose globals this program does not know. */
function inPage<T>(page: Page, text: string): Promise<T> {
  return page.evaluate(text) as Promise<T>
}

beforeAll(async () => {
  server = await startTestServer()
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
  await server.stop()
})

describe('the address of a page', () => {
  it('shows the same in another browser, and back and forward find the filter, the rows and the place', async () => {
    for (let n = 0; n < 60; n += 1) await api(`elect/address/2026-11-26-${String(n).padStart(4, '0')}`)
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds?system=address&q=26-00&state=led`)
    await page.getByRole('link', { name: '2026-11-26-0059' }).waitFor()
    const rows = (of: Page) => of.locator('tbody tr .name').allInnerTexts()
    const seen = await rows(page)
    expect(seen).toHaveLength(50)
    const other = await openWindow(browser, server.url)
    await other.page.goto(page.url())
    await other.page.getByRole('link', { name: '2026-11-26-0059' }).waitFor()
    expect(await rows(other.page)).toEqual(seen)
    expect(await other.page.getByRole('textbox', { name: 'System' }).inputValue()).toBe('address')
    expect(await other.page.locator('.tabs [aria-current]').innerText()).toMatch(/^led/)

    await inPage(page, 'scrollTo(0, 700)')
    await page.getByRole('link', { name: '2026-11-26-0030' }).click()
    await page.getByRole('heading', { name: '2026-11-26-0030' }).waitFor()
    await page.goBack()
    await page.getByRole('link', { name: '2026-11-26-0059' }).waitFor()
    expect(await rows(page)).toEqual(seen)
    expect(await page.getByRole('textbox', { name: 'Round' }).inputValue()).toBe('26-00')
    await expect
      .poll(async () => Math.abs((await inPage<number>(page, 'scrollY')) - 700))
      .toBeLessThanOrEqual(2)
    await page.goForward()
    await page.getByRole('heading', { name: '2026-11-26-0030' }).waitFor()
    expect([...wrong, ...other.wrong]).toEqual([])
  })
})

describe('times', () => {
  it('are of one moment in every zone, in text, titles and files', async () => {
    await api('elect/clock/1')
    const { electedAt } = (await (await api('rounds/clock/1')).json()) as { electedAt: string }
    for (const zone of ['Europe/Berlin', 'Asia/Kolkata', 'UTC']) {
      const { page, wrong } = await openWindow(browser, server.url, { zone })
      await page.goto(`${server.url}/rounds?system=clock`)
      const time = page.locator('tbody time').first()
      await time.waitFor()
      expect(await time.getAttribute('datetime')).toBe(electedAt)
      expect(await time.getAttribute('title')).toContain(electedAt.slice(0, 19).replace('T', ' '))
      const clock = new Date(electedAt).toLocaleTimeString('en-GB', { timeZone: zone, hourCycle: 'h23' })
      expect(await time.innerText()).toContain(clock)
      await page.keyboard.press('u')
      await page.getByRole('button', { name: 'UTC', exact: true }).waitFor()
      expect(await time.innerText()).toContain(electedAt.slice(11, 19))
      expect(wrong).toEqual([])
    }
  })

  it('are counted by the clock of the servers, and who looks is told that theirs is wrong', async () => {
    await api('elect/clock/2')
    const { page, wrong } = await openWindow(browser, server.url)
    await page.addInitScript('{ const now = Date.now; Date.now = () => now() + 3 * 3_600_000 }')
    await page.goto(`${server.url}/rounds?system=clock`)
    await page.getByText('clock is 3 h fast').waitFor()
    await page.getByRole('link', { name: '2', exact: true }).waitFor()
    expect(await page.locator('tbody time').first().innerText()).toMatch(/(\d+s ago|now|1m ago)$/)
    expect(wrong).toEqual([])
  })
})

describe('whatever something is called', () => {
  /** No name takes what turns the direction of text, or joins; texts do. */
  const ODD = '=cmd()<img\'onerror=document.title="run"&lt;👍🏽'
  const ODDER = `${ODD}‮abc‬👩‍👧<img src=x onerror=document.title="run">`

  it('is text on every page, and copied whole', async () => {
    const round = `${ODD}@1`
    await api(`elect/odd/${encodeURIComponent(round)}`, {
      method: 'POST',
      headers: { 'gone-name': '<b>me</b>' },
    })
    await api(`fail/odd/${encodeURIComponent(round)}`, jsonBody({ reason: `=1+1 ${ODDER}` }))
    await api('elect/odd/result')
    await api('complete/odd/result', jsonBody({ result: { [ODDER]: ODDER } }))
    const { page, wrong } = await openWindow(browser, server.url)
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.url })
    for (const [path, text] of [
      ['/', '=1+1'],
      ['/rounds?system=odd', '=1+1'],
      [`/rounds/odd/${encodeURIComponent(round)}`, '=1+1'],
      ['/rounds/odd/result', 'onerror'],
    ] as const) {
      await page.goto(server.url + path)
      await page.getByText(text).first().waitFor()
      expect([path, await page.locator('img').count(), await page.title()]).toEqual([
        path,
        0,
        expect.not.stringMatching(/^run$/),
      ])
    }
    await page.goto(`${server.url}/rounds/odd/${encodeURIComponent(round)}`)
    await page.getByRole('button', { name: 'Copy the name' }).click()
    await page.getByRole('button', { name: 'copied' }).waitFor()
    expect(await inPage(page, 'navigator.clipboard.readText()')).toBe(round)
    expect(wrong).toEqual([])
  })
})

describe('pages are for everybody', () => {
  it('at twice the size, in forced colours, and still where no motion is wanted', async () => {
    await api('elect/motion/1')
    const { page, wrong } = await openWindow(browser, server.url, { width: 640 })
    await page.emulateMedia({ forcedColors: 'active', reducedMotion: 'reduce' })
    for (const [path, text] of [
      ['/', 'motion/1'],
      ['/rounds', 'motion'],
      ['/rounds/motion/1', 'under fence'],
      ['/schedules', 'Make a schedule'],
      ['/alerts', 'Nothing is wrong'],
      ['/fleet', 'No worker is there'],
      ['/keys', 'No keys'],
    ] as const) {
      await page.goto(server.url + path)
      await page.getByText(text).first().waitFor()
      await expectNoSidewaysScroll(page)
      expect([path, await inPage(page, 'document.getAnimations().length')]).toEqual([path, 0])
      expect([path, await breachesOf(page)]).toEqual([path, []])
    }
    expect(wrong).toEqual([])
  })
})

describe('a newcomer', () => {
  it('finds who led, what failed and what is late, each with three clicks from the first page', async () => {
    await api('elect/report/2026-11-25-0800', { method: 'POST', headers: { 'gone-name': 'report-7f9c3' } })
    await api('complete/report/2026-11-25-0800', jsonBody({}))
    await api('elect/cleaner/2026-11-26-0800')
    await api('fail/cleaner/2026-11-26-0800', jsonBody({ reason: 'disk full' }))
    await api('elect/billing/2026-11-26-0800?deadline=1s')
    const { page, wrong } = await openWindow(browser, server.url)
    const start = () => page.goto(`${server.url}/`)
    const pages = () => page.getByRole('navigation', { name: 'Pages' })

    await start()
    await pages().getByRole('link', { name: 'Rounds' }).click()
    await page.getByRole('row').filter({ hasText: '2026-11-25-0800' }).getByText('report-7f9c3').waitFor()

    await start()
    await page.getByRole('region', { name: 'Last failures' }).getByText('disk full').waitFor()

    await start()
    await page.getByRole('link', { name: 'overdue rounds' }).click()
    await page.getByRole('link', { name: '2026-11-26-0800' }).click()
    await page.getByText('nobody has reported by its deadline').waitFor()
    expect(wrong).toEqual([])
  })

  it('finds a failed round, has it run again and sees it end, by keyboard alone', async () => {
    await api('elect/keyboard/failing')
    await api('fail/keyboard/failing', jsonBody({ reason: 'no space' }))
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/`)
    await page.getByText('no space').first().waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('r')
    await page.getByRole('heading', { name: 'Rounds' }).waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('failing')
    await page.keyboard.press('Enter')
    await page.waitForURL('**/rounds?q=failing')
    await page.getByRole('link', { name: 'failing', exact: true }).waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    const retry = page.getByRole('button', { name: 'Retry', exact: true })
    await retry.waitFor()
    for (let n = 0; n < 40 && !(await retry.evaluate((node) => node.matches(':focus'))); n += 1)
      await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByLabel('Reason').waitFor()
    await page.keyboard.type('there is space now')
    await page.keyboard.press('Enter')
    await page.getByRole('status').getByText('opened keyboard/failing again').waitFor()
    await page.getByText('opened again', { exact: true }).waitFor()
    await page.getByText('there is space now').waitFor()
    expect((await api('elect/keyboard/failing')).status).toBe(202)
    await api('complete/keyboard/failing', jsonBody({ result: 'swept' }))
    await page.getByText('completed', { exact: true }).first().waitFor()
    await page.getByText('swept').waitFor()
    expect(await retry.count()).toBe(0)
    expect(wrong).toEqual([])
  })

  it('is told where a round has been completed meanwhile, and nothing of it changes', async () => {
    await api('elect/late/1')
    await api('fail/late/1', jsonBody({ reason: 'once' }))
    const { page } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds/late/1`)
    await page.getByRole('button', { name: 'Retry', exact: true }).click()
    await page.getByLabel('Reason').fill('again')
    await api('retry/late/1', jsonBody({ reason: 'somebody else' }))
    await api('elect/late/1')
    await api('complete/late/1', jsonBody({ result: 1 }))
    await page.getByRole('button', { name: 'Retry the round' }).click()
    await page.getByRole('dialog').getByRole('alert').getByText('ROUND_').waitFor()
    expect(await (await api('rounds/late/1')).json()).toMatchObject({
      state: 'completed',
      leader: expect.any(String),
    })
  })
})

describe('whoever logs in', () => {
  it('is shown what their key permits, and nothing else', async () => {
    const redis = await startRedis()
    const admin = await makeKey(redis, { actions: ['admin'] })
    const keys = {
      read: await makeKey(redis, { actions: ['read'] }),
      submit: await makeKey(redis, { actions: ['read', 'submit'] }),
      elect: await makeKey(redis, { actions: ['read', 'elect'] }),
      operate: await makeKey(redis, { actions: ['read', 'operate'] }),
      admin,
    }
    const locked = await startTestServer({ redis })
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(`${locked.url}/api/v1/${path}`, { ...init, headers: { ...init.headers, ...admin.headers } })
    await ask('elect/a/led')
    await ask('submit/a/job', jsonBody({ worker: 'nobody' }))
    await ask('schedules/a/nightly', jsonBody({ cron: '0 2 * * *' }, 'PUT'))
    await ask('fleet/pools/mail', jsonBody({ instances: 1 }, 'PUT'))
    const buttons = async (page: Page, path: string, text: string) => {
      await page.goto(locked.url + path)
      await page.getByText(text).first().waitFor()
      // The rights come by themselves; who has none has to be given the time, too.
      await page.getByText('menu', { exact: true }).waitFor({ state: 'detached' })
      const found = await page.locator('main .side :is(button, summary, a.button):visible').allInnerTexts()
      return found.filter((word) => !['CSV', 'JSON'].includes(word)).toSorted()
    }
    const operate = ['Deploy', 'Order…', 'Scale']
    const all = ['Cancel', 'Edit', 'Fail', 'New schedule', 'Pause', 'Remove', 'Trigger', ...operate]
    const shown: Record<string, string[]> = {}
    for (const [name, key] of Object.entries(keys)) {
      const { page, wrong } = await openWindow(browser, locked.url)
      await page.goto(`${locked.url}/login?next=/`)
      await page.getByLabel('API key').fill(key.text)
      await page.getByRole('button', { name: 'Log in' }).click()
      await page.getByRole('heading', { name: 'Now' }).waitFor()
      const seen = [
        await buttons(page, '/rounds/a/led', 'under fence'),
        (await buttons(page, '/rounds/a/job', 'to the worker')).map((word) => `job: ${word}`),
        await buttons(page, '/schedules', 'at 02:00'),
        await buttons(page, '/schedules/a/nightly', 'What comes'),
        await buttons(page, '/fleet', 'Instances'),
        await buttons(page, '/fleet/pools/mail', '0 of 1 work'),
      ]
      shown[name] = [...new Set(seen.flat())].toSorted()
      expect(wrong).toEqual([])
    }
    const { page } = await openWindow(browser, locked.url)
    await page.goto(`${locked.url}/login?next=/keys`)
    await page.getByLabel('API key').fill(admin.text)
    await page.getByRole('button', { name: 'Log in' }).click()
    const used = page
      .locator('tbody tr')
      .filter({ hasText: keys.operate.id })
      .locator('[data-title="Last used"]')
    await used.getByText(/ago|now/).waitFor()
    expect(shown).toEqual({
      read: [],
      submit: ['Edit', 'New schedule', 'Pause', 'Remove', 'Trigger', 'job: Cancel'],
      elect: ['Cancel', 'Fail'],
      operate,
      admin: [...all, 'job: Cancel'].toSorted(),
    })
    await locked.stop()
    await redis.stop()
    // Five log-ins and thirty-five pages.
  }, 240_000)
})
