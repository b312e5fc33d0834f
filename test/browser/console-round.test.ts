import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WorkerContext } from '../../src/client/define-worker.ts'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, jsonBody, openWindow } from '../support/console.ts'
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

describe('the job of a round', () => {
  it('shows what its handler writes and how far it is, as it runs', async () => {
    let go = () => {}
    const gone = new Promise<void>((resolve) => {
      go = resolve
    })
    const mailer = async (_: unknown, { log, progress }: WorkerContext) => {
      await log('connected to mail-1')
      await progress(40)
      await gone
      await log('<b>sent</b> 299')
      await progress({ sent: 299 })
      return { sent: 299 }
    }
    await startTestWorkers(server.redis, { mailer })
    await api('submit/mail/nightly@2026-11-26', jsonBody({ worker: 'mailer', data: { to: 'ops' } }))
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds/mail/nightly@2026-11-26`)
    const job = page.getByRole('region', { name: 'Job' })
    await job.getByText('connected to mail-1').waitFor()
    await job.getByText('40 %').waitFor()
    await job.getByText('"to": "ops"').waitFor()
    await job.getByText('active').waitFor()
    await page.screenshot({ path: 'test-results/round-job.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    go()
    await job.getByText('<b>sent</b> 299').waitFor()
    await job.getByText('"sent": 299').waitFor()
    await job.getByText('2 lines').waitFor()
    await page.getByRole('region', { name: 'Result' }).getByText('"sent": 299').waitFor()
    await page.getByRole('link', { name: 'nightly', exact: true }).waitFor()
    await page.getByRole('link', { name: 'on the queue mailer' }).click()
    await page.getByText('mail/nightly@2026-11-26').first().waitFor()
    await page.screenshot({ path: 'test-results/board-job.png' })
    expect(wrong).toEqual([])
  })

  it('is asked for again each second after an answer that did not come', async () => {
    const go: (() => void)[] = []
    const told = () => new Promise<void>((resolve) => go.push(resolve))
    const patient = async (_: unknown, { log }: WorkerContext) => {
      await log('before the trouble')
      await told()
      await log('after the trouble')
      await told()
    }
    await startTestWorkers(server.redis, { patient })
    await api('submit/mail/troubled', jsonBody({ worker: 'patient' }))
    const { page } = await openWindow(browser, server.url)
    const asked: number[] = []
    await page.route('**/console/api/rounds/mail/troubled/job*', async (route) => {
      asked.push(performance.now())
      if (asked.length === 2) await route.abort()
      else await route.continue()
    })
    await page.goto(`${server.url}/rounds/mail/troubled`)
    const job = page.getByRole('region', { name: 'Job' })
    await job.getByText('before the trouble').waitFor()
    await expect.poll(() => asked.length, { timeout: 30_000 }).toBeGreaterThan(3)
    go.shift()?.()
    await job.getByText('after the trouble').waitFor()
    // Once a second, and not more and more often: besides what the page asks again by itself.
    const [count, fromMs] = [asked.length, performance.now()]
    await expect.poll(() => performance.now() - fromMs, { timeout: 30_000 }).toBeGreaterThan(6_000)
    expect(asked.length - count).toBeLessThan(12)
    go.shift()?.()
    await job.getByText('completed').waitFor()
  }, 60_000)

  it('is told to be gone where it is, and a round without one says nothing of it', async () => {
    await api('submit/mail/removed', jsonBody({ worker: 'nobody' }))
    await api('cancel/mail/removed', jsonBody({ reason: 'not needed' }))
    await api('elect/mail/led')
    const { page } = await openWindow(browser, server.url, { width: 390 })
    await page.goto(`${server.url}/rounds/mail/removed`)
    await page.getByText('not in its queue any more').waitFor()
    await expectNoSidewaysScroll(page)
    await page.goto(`${server.url}/rounds/mail/led`)
    await page.getByText('under fence').waitFor()
    expect(await page.getByRole('region', { name: 'Job' }).count()).toBe(0)
  })
})

describe('the story of a round', () => {
  /** What is told, and that it is in the order in which it happened. */
  const storyOn = async (page: Page) => {
    const events = await page.locator('.story strong').allInnerTexts()
    const whole = await page.locator('.story li').allInnerTexts()
    const times = await page.locator('.story time').all()
    const at = (await Promise.all(times.map((time) => time.getAttribute('datetime')))).map(String)
    expect(at).toEqual(at.toSorted())
    return { events, at, text: whole.map((line) => line.replace(/\s+/g, ' ')).join('\n') }
  }

  it('tells three attempts, a death, a takeover and a refused report, each once and in order, and the same when asked anew', async () => {
    const round = 'crm/hourly'
    const take = async () => {
      const answer = await api('take/sync?wait=25s&lease=1s', { method: 'POST' })
      expect(answer.status).toBe(200)
      return ((await answer.json()) as { fence: number }).fence
    }
    const report = async (how: 'complete' | 'fail', fence: number, body: object) =>
      (await api(`${how}/${round}?fence=${fence}`, jsonBody(body))).status
    const submission = jsonBody({ worker: 'sync', attempts: 3, backoff: { type: 'fixed', delay: '1s' } })
    for (const status of [202, 200, 200])
      expect((await api(`submit/${round}`, submission)).status).toBe(status)
    // Whoever takes it first dies with it: nothing is heard of them until their lease has ended, and another has it.
    const dead = await take()
    const first = await take()
    expect(await report('complete', dead, { result: 'too late' })).toBe(400)
    expect(await report('fail', first, { reason: 'connect ECONNREFUSED' })).toBe(200)
    const second = await take()
    expect(await report('fail', second, { reason: 'connect ETIMEDOUT' })).toBe(200)
    const third = await take()
    expect(await report('complete', third, { result: 'synced' })).toBe(200)
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds/${round}`)
    await page.getByText('"synced"').waitFor()
    const story = await storyOn(page)
    expect(story.events).toEqual([
      'submitted',
      'started',
      'started',
      'report refused',
      'attempt failed',
      'started',
      'attempt failed',
      'start 4',
      'completed',
    ])
    expect(story.text).toMatch(
      new RegExp(
        [
          'to the worker sync and 2 times more: one job',
          `under fence ${dead} came to no end: its worker died, or lost Redis`,
          `under fence ${first}`,
          `report refused of [^ ]+ under fence ${dead}: completed`,
          `attempt failed under fence ${first} connect ECONNREFUSED`,
          `under fence ${second}`,
          `attempt failed under fence ${second} connect ETIMEDOUT`,
          `under fence ${third}`,
          'completed',
        ].join('.*\n.*'),
      ),
    )
    expect(story.text).not.toMatch(/-\d/)
    await page.reload()
    await page.getByText('"synced"').waitFor()
    expect(await storyOn(page)).toEqual(story)
    expect(wrong).toEqual([])
  })

  it('tells attempts, a failure and how it was opened again, each once, in order, and the same when asked anew', async () => {
    let runs = 0
    const again = async () => {
      runs += 1
      if (runs <= 3) throw new Error(`connect ECONNREFUSED ${runs}`)
      return 'synced'
    }
    await startTestWorkers(server.redis, { again }, { attempts: 3 })
    await api('submit/crm/daily', jsonBody({ worker: 'again' }))
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/rounds/crm/daily`)
    await page.getByRole('button', { name: 'Retry', exact: true }).click()
    await page.getByLabel('Reason').fill('the database is back')
    await page.getByRole('button', { name: 'Retry the round' }).click()
    await page.getByText('"synced"').waitFor()
    const story = await storyOn(page)
    expect(story.events).toEqual([
      'submitted',
      'started',
      'attempt failed',
      'started',
      'attempt failed',
      'started',
      'failed',
      'opened again',
      'started',
      'completed',
    ])
    for (const run of [1, 2, 3]) expect(story.text.split(`connect ECONNREFUSED ${run}`)).toHaveLength(2)
    await page.reload()
    await page.getByText('"synced"').waitFor()
    expect(await storyOn(page)).toEqual(story)
    expect(wrong).toEqual([])
  })
})
