import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WorkerContext } from '../../src/client/define-worker.ts'
import type { RoundListJson } from '../../src/core/rounds/round-wire.ts'
import type { ScheduleJson } from '../../src/core/schedules/schedule-wire.ts'
import { Timetable } from '../../src/core/time/timetable.ts'
import { pause } from '../../src/waiting.ts'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, jsonBody, openWindow } from '../support/console.ts'
import { startRedis } from '../support/redis.ts'
import { startServeProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { startTestWorkers } from '../support/work.ts'

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

describe('Schedules', () => {
  it('say what to do first where there is none, and of alerts and expectations too', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/schedules`)
    await page.getByText('gone schedule set cleaner nightly').waitFor()
    expect(await breachesOf(page)).toEqual([])
    await page.goto(`${server.url}/alerts`)
    await page.getByText('Nothing is wrong, and nothing was.').waitFor()
    await page.getByText('gone expectation set report hourly').waitFor()
    expect(await breachesOf(page)).toEqual([])
    expect(wrong).toEqual([])
  })

  it('are made in a form that says what they would do, or what is wrong', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/schedules`)
    await page.getByRole('link', { name: 'New schedule' }).click()
    await page.getByLabel('System', { exact: true }).fill('cleaner')
    await page.getByLabel('Name', { exact: true }).fill('nightly')
    await page.getByLabel('That is').fill('99 2 * * *')
    await page.getByRole('status').filter({ hasText: 'cron' }).waitFor()
    expect(await page.getByRole('button', { name: 'Make it' }).isDisabled()).toBe(true)
    await page.getByLabel('That is').fill('0 2 * * *')
    await page.getByLabel('Zone').fill('Europe/Berlin')
    await page.getByLabel('Worker').fill('hello')
    await page.getByText('at 02:00 every day').waitFor()
    await page.locator('.next li').nth(4).waitFor()
    await page.screenshot({ path: 'test-results/schedule-new.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    // What a browser says of a request that was refused is no error of ours.
    expect(wrong.filter((text) => !text.includes('status of 400'))).toEqual([])
    await page.getByRole('button', { name: 'Make it' }).click()
    await page.waitForURL('**/schedules/cleaner/nightly')
    const { slots } = (await (await api('schedules/cleaner/nightly/next?n=5')).json()) as {
      slots: { slot: string }[]
    }
    for (const { slot } of slots) await page.getByText(slot).first().waitFor()
  })

  it('show when they are due and how they went; are triggered, paused and gone on with', async () => {
    await api('schedules/report/often', jsonBody({ every: '1s', job: { worker: 'nobody' } }, 'PUT'))
    await expect
      .poll(
        async () =>
          ((await (await api('rounds?system=report')).json()) as { rounds: unknown[] }).rounds.length,
        { timeout: 30_000 },
      )
      .toBeGreaterThan(3)
    await api('schedules/report/often/pause', { method: 'POST' })
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/schedules?order=name`)
    await page.getByText('at 02:00 every day').waitFor()
    await page.locator('.strip i').nth(2).waitFor()
    const oldestFirst = async () => {
      const { rounds } = (await (await api('rounds?system=report&limit=30')).json()) as {
        rounds: { round: string; state: string }[]
      }
      return rounds.toReversed()
    }
    const [oldest] = await oldestFirst()
    await api(`cancel/report/${oldest?.round}`, jsonBody({ reason: 'asked' }))
    const strip = page.locator('tr', { hasText: 'report/often' }).locator('.strip i')
    const drawn = () => strip.evaluateAll((bars) => bars.map((bar) => bar.getAttribute('class')))
    await expect.poll(async () => (await drawn()).join()).toMatch(/^failed,submitted/)
    const bySlot = (await oldestFirst()).toSorted((a, b) => (a.round < b.round ? -1 : 1))
    expect(await drawn()).toEqual(bySlot.map(({ state }) => state))
    await page.screenshot({ path: 'test-results/schedules.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    await page.getByRole('button', { name: 'Resume often' }).click()
    await page.getByRole('status').getByText('resumed report/often').waitFor()
    await page.getByRole('button', { name: 'Pause often' }).click()
    await page.getByRole('status').getByText('paused report/often').waitFor()
    await page.getByRole('button', { name: 'Trigger nightly' }).click()
    await page
      .getByRole('status')
      .getByRole('link', { name: /submitted cleaner\/nightly\+console-/ })
      .click()
    await page.getByText('to the worker hello').waitFor()
    expect(wrong).toEqual([])
  })

  it('say which fail, of however many systems there are and however much comes beside it', async () => {
    // The strips are of ten systems.
    for (let n = 0; n < 12; n += 1)
      await api(`schedules/many-${n}/often`, jsonBody({ every: '1s', job: { worker: 'nobody' } }, 'PUT'))
    const lastOf = async () =>
      ((await (await api('schedules/many-9/often')).json()) as ScheduleJson).last?.round
    await expect.poll(lastOf).toBeDefined()
    for (let n = 0; n < 12; n += 1) await api(`schedules/many-${n}/often/pause`, { method: 'POST' })
    await api(`cancel/many-9/${encodeURIComponent((await lastOf()) ?? '')}`, jsonBody({ reason: 'asked' }))
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/schedules?q=many-&state=failing`)
    await page.getByRole('link', { name: 'many-9/often' }).waitFor()
    expect(await page.locator('tbody tr').count()).toBe(1)
    await page.getByRole('link', { name: /^failing 1$/ }).waitFor()
    expect(wrong).toEqual([])
    for (let n = 0; n < 12; n += 1) await api(`schedules/many-${n}/often`, { method: 'DELETE' })
  })

  it('show each of the last slots as it went: late, missed, skipped, failed and run again, after the server was killed', async () => {
    const redis = await startRedis()
    const env = { REDIS_URL: redis.url }
    const seen = new Set<string>()
    const strip = async (_: unknown, { round }: WorkerContext) => {
      const [isFirst, nth] = [!seen.has(round), seen.add(round).size]
      if (isFirst && nth === 2) throw new Error('no such list')
      // For two slots to come while it runs.
      if (nth === 4) await pause(5_000)
    }
    await startTestWorkers(redis, { strip }, { attempts: 1 })
    let url = ''
    const ask = async <T>(path: string, init?: RequestInit) =>
      (await (await fetch(`${url}/api/v1/${path}`, init)).json()) as T
    const rounds = async () => (await ask<RoundListJson>('rounds?system=strip&limit=100')).rounds
    const counts = async () => (await ask<ScheduleJson>('schedules/strip/s')).counts
    const body = { every: '2s', overlap: 'skip', catchUp: { max: 1 }, job: { worker: 'strip' } }

    const killed = await startServeProcess(env)
    url = killed.url
    const { createdAt } = await ask<ScheduleJson>('schedules/strip/s', jsonBody(body, 'PUT'))
    await expect.poll(async () => (await counts()).submitted).toBeGreaterThan(1)
    await killed.kill()
    // For three slots to come of which one is made up for.
    await pause(7_000)
    const other = await startServeProcess(env)
    url = other.url
    await expect.poll(async () => (await counts()).missed).toBeGreaterThan(0)
    await expect.poll(async () => (await counts()).skipped).toBeGreaterThan(1)
    await ask('schedules/strip/s/pause', { method: 'POST' })
    const failed = (await rounds()).filter(({ state }) => state === 'failed')
    expect(failed).toHaveLength(1)
    await ask(
      `retry/strip/${encodeURIComponent(failed[0]?.round ?? '')}`,
      jsonBody({ reason: 'there is one now' }),
    )
    await expect.poll(async () => (await rounds()).every(({ state }) => state === 'completed')).toBe(true)

    const schedule = await ask<ScheduleJson>('schedules/strip/s')
    const made = schedule.leftOut?.findLast(({ why }) => why === 'missed')
    // So that it is late by more than what counts as on time.
    await expect.poll(() => Date.now() - Date.parse(made?.slot ?? '')).toBeGreaterThan(12_000)
    const at = (made?.slot ?? '').replace('+00:00', 'Z')
    await ask('schedules/strip/s/backfill', jsonBody({ from: at, to: at }))
    await expect.poll(async () => (await rounds()).every(({ state }) => state === 'completed')).toBe(true)

    const found = new Map((await rounds()).map((round) => [round.round, round]))
    const due = new Timetable({ everyMs: 2_000, tz: 'UTC', dst: { gap: 'run-after', overlap: 'first' } })
      .between(Date.parse(createdAt), Date.parse(schedule.updatedAt), 1_000)
      .map(({ key }) => `s@${key}`)
    const expected = due.slice(-30).map((round) => {
      const came = found.get(round)
      if (came === undefined) return `${round}: left out`
      if (came.history) return `${round}: completed, opened again once`
      const lateMs = Date.parse(came.job?.submittedAt ?? '') - Date.parse(round.slice(2))
      return `${round}: ${lateMs > 10_000 ? 'late' : came.state}`
    })
    expect(expected).toContain(`${made?.round}: late`)
    const { page, wrong } = await openWindow(browser, url)
    for (const path of ['/schedules', '/schedules/strip/s']) {
      await page.goto(url + path)
      const bars = page.locator('.strip i')
      await expect.poll(() => bars.count()).toBe(expected.length)
      const shown = await bars.evaluateAll((all) => all.map((bar) => bar.getAttribute('title') ?? ''))
      expect(
        shown.map((said) => said.replace(/: (?:missed|skipped)$/, ': left out').replace(/, .* late$/, '')),
      ).toEqual(expected)
      const of = (why: string) => shown.filter((said) => said.endsWith(`: ${why}`)).length
      const { missed, skipped } = schedule.counts
      // Unless a loaded machine has had more come than are shown; one of the missed was made up for.
      if (due.length <= 30) expect([of('missed') + 1, of('skipped')]).toEqual([missed, skipped])
    }
    expect(wrong).toEqual([])
    await other.stop()
    await redis.stop()
  }, 240_000)

  it('have a page each, from which they are changed and removed', async () => {
    await api(
      'schedules/billing/monthly',
      jsonBody(
        {
          cron: '0 6 1 * *',
          catchUp: { window: '2h', max: 3 },
          job: { worker: 'hello', timeout: '5m', data: { a: 1 } },
        },
        'PUT',
      ),
    )
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/schedules/billing/monthly`)
    await page.getByText('at 06:00 on day 1 of the month').waitFor()
    await page.screenshot({ path: 'test-results/schedule.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    await page.getByRole('link', { name: 'Edit' }).click()
    await page.getByLabel('Grace').fill('5m')
    await page.getByText('expect.grace').waitFor()
    await page.screenshot({ path: 'test-results/schedule-edit.png', fullPage: true })
    await page.getByRole('button', { name: 'Save' }).click()
    await page.waitForURL('**/schedules/billing/monthly')
    expect(await (await api('schedules/billing/monthly')).json()).toMatchObject({
      cron: '0 6 1 * *',
      catchUp: { window: '2h', max: 3 },
      expect: { grace: '5m' },
      job: { worker: 'hello', timeout: '5m', data: { a: 1 } },
    })
    await page.getByRole('button', { name: 'Remove' }).click()
    await page.getByLabel('Type monthly').fill('monthly')
    await page.getByRole('button', { name: 'Remove the schedule' }).click()
    await page.getByText('There is no such schedule.').waitFor()
    expect(wrong.filter((text) => !text.includes('status of 404'))).toEqual([])
  })

  it.each([
    ['a phone', { width: 390 }],
    ['320 px', { width: 320 }],
    ['the dark', { isDark: true }],
  ])('are for everybody, on %s too', async (name, look) => {
    const { page, wrong } = await openWindow(browser, server.url, look)
    for (const [path, text] of [
      ['/schedules', 'at 02:00 every day'],
      ['/schedules/cleaner/nightly', 'What comes'],
      ['/schedules/new', 'What it would do'],
      ['/alerts', 'Expected of systems'],
    ] as const) {
      await page.goto(server.url + path)
      await page.getByText(text).first().waitFor()
      await page.screenshot({
        path: `test-results/${path.slice(1).replaceAll('/', '-')}-${name.replaceAll(' ', '-')}.png`,
      })
      expect([path, await breachesOf(page)]).toEqual([path, []])
      await expectNoSidewaysScroll(page)
    }
    expect(wrong).toEqual([])
  })
})

describe('Alerts', () => {
  it('show what is wrong as it comes, first what is open', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/alerts`)
    await page.getByText('gone expectation set report hourly').waitFor()
    await api('expectations/backup/often', jsonBody({ every: '1s', grace: '1s' }, 'PUT'))
    await page.getByRole('link', { name: 'backup/often' }).first().waitFor()
    await page.locator('td').getByText('missed', { exact: true }).first().waitFor({ timeout: 30_000 })
    await page.getByRole('link', { name: /Alerts \d+ open/ }).waitFor()
    // Jobs that nobody takes for long are wrong as well.
    expect(await page.title()).toMatch(/^\(\d+\) Alerts · gone$/)
    await page.screenshot({ path: 'test-results/alerts.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    await page.locator('tbody').first().getByRole('link', { name: 'backup/often' }).click()
    await page.getByRole('link', { name: 'an expectation' }).click()
    await page.getByRole('heading', { name: 'often' }).waitFor()
    await page.getByText('What is expected').waitFor()
    await page.goto(`${server.url}/`)
    await page.locator('td').getByText('missed', { exact: true }).first().waitFor()
    await page.screenshot({ path: 'test-results/now-alert.png', fullPage: true })
    expect(wrong.filter((text) => !text.includes('status of 404'))).toEqual([])
  })
})
