import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pause } from '../../src/waiting.ts'
import { openBrowser } from '../support/browser.ts'
import { openWindow } from '../support/console.ts'
import { makeKey, revokeKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

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

const api = (path: string) => fetch(`${server.url}/api/v1/${path}`)

/** Runs in the page, whose globals this program does not know. */
function inPage<T>(page: Page, text: string): Promise<T> {
  return page.evaluate(text) as Promise<T>
}

const live = (page: Page) => page.getByText('live', { exact: true }).waitFor()

it('moves nothing while rounds come and somebody is at the list', async () => {
  for (let n = 0; n < 60; n += 1) await api(`elect/still/${n}`)
  const { page, wrong } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/rounds?system=still`)
  const row = page.locator('tbody tr').nth(5).getByRole('link')
  await row.focus()
  await live(page)
  const focused = await row.innerText()
  // From here on whatever moves is noted by the browser itself.
  await inPage(
    page,
    `globalThis.moved = []
    const note = ({ value, sources }) => moved.push([value, ...sources.map(({ node }) => node?.outerHTML ?? node?.textContent)])
    new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type: 'layout-shift' })`,
  )
  const place = await row.boundingBox()
  for (let n = 0; n < 25; n += 1) {
    await api(`elect/still/new-${n}`)
    await pause(100)
  }
  await page.getByRole('button', { name: '25 new · show' }).waitFor()
  expect(await row.boundingBox()).toEqual(place)
  expect(await inPage(page, 'document.activeElement.textContent')).toBe(focused)
  // A time that goes on, and grows within its own cell, moves nothing else.
  const isTime = (source: string) => /^\d+(\.\d+)? (ms|s)$/.test(source)
  const moved = await inPage<[number, ...string[]][]>(page, 'moved')
  expect(moved.filter(([, ...sources]) => !sources.every(isTime))).toEqual([])
  expect(wrong).toEqual([])
})

it('leaves the connections of a browser to the tab that is seen', async () => {
  const context = await browser.newContext()
  // Headless browsers take all tabs for seen.
  await context.addInitScript(`
    Object.defineProperty(document, 'hidden', { get: () => globalThis.isAway === true })
  `)
  const tabs: Page[] = []
  for (let n = 0; n < 9; n += 1) {
    const tab = await context.newPage()
    tabs.push(tab)
    await tab.goto(`${server.url}/rounds`)
    await live(tab)
    await inPage(tab, `globalThis.isAway = true; document.dispatchEvent(new Event('visibilitychange'))`)
    // They let go after 5 s; a browser has six connections.
    if (n % 4 === 3) await pause(5_500)
  }
  await pause(5_500)
  const tenth = await context.newPage()
  await tenth.goto(`${server.url}/rounds`)
  await live(tenth)
  const { responseEnd } = await inPage<{ responseEnd: number }>(
    tenth,
    'performance.getEntriesByType("navigation")[0].toJSON()',
  )
  expect(responseEnd).toBeLessThan(10_000)
  await inPage(
    tabs[0] as Page,
    `globalThis.isAway = false; document.dispatchEvent(new Event('visibilitychange'))`,
  )
  await live(tabs[0] as Page)
  await context.close()
})

it('shows what is there after servers and Redis were killed while it changed', async () => {
  const redis = await startRedis({ aof: 'always' })
  let other = await startTestServer({ redis })
  const port = new URL(other.url).port
  const { page } = await openWindow(browser, other.url)
  await page.goto(`${other.url}/rounds`)
  await page.getByText('No round yet').waitFor()
  const change = async (name: string) => {
    for (let n = 0; n < 10; n += 1) {
      const path = `${other.url}/api/v1/elect/killed/${name}-${n}`
      await expect
        .poll(() =>
          fetch(path).then(
            ({ ok }) => ok,
            () => false,
          ),
        )
        .toBe(true)
      if (n % 2 === 0)
        await fetch(`${other.url}/api/v1/complete/killed/${name}-${n}`, { method: 'POST' }).catch(() => {})
    }
  }
  for (let turn = 0; turn < 3; turn += 1) {
    await change(`before-${turn}`)
    await redis.kill()
    await page.getByRole('alert').waitFor()
    await redis.restart()
    await change(`redis-${turn}`)
    await other.stop()
    other = await startTestServer({ redis, env: { GONE_PORT: port } })
  }
  await change('last')
  await live(page)
  const said = async () => {
    const { rounds } = (await (await fetch(`${other.url}/api/v1/rounds?limit=50`)).json()) as {
      rounds: { round: string; state: string }[]
    }
    return rounds.map(({ round, state }) => `${round} ${state}`)
  }
  const shown = async () => {
    const rows = await page.locator('tbody tr').all()
    return Promise.all(
      rows.map(
        async (row) => `${await row.locator('.name').innerText()} ${await row.locator('.badge').innerText()}`,
      ),
    )
  }
  await expect.poll(async () => (await shown()).join('\n')).toBe((await said()).join('\n'))
  expect(await page.getByRole('alert').count()).toBe(0)
  await other.stop()
  await redis.stop()
}, 120_000)

describe('a key that is revoked', () => {
  it('ends the log-in of a page that is open', async () => {
    const redis = await startRedis()
    const [key] = [await makeKey(redis, { actions: ['read'] }), await makeKey(redis, { actions: ['admin'] })]
    const locked = await startTestServer({ redis })
    const { page } = await openWindow(browser, locked.url)
    await page.goto(`${locked.url}/login?next=/rounds`)
    await page.getByLabel('API key').fill(key.text)
    await page.getByRole('button', { name: 'Log in' }).click()
    await live(page)
    await revokeKey(redis, key)
    const startMs = Date.now()
    await page.getByRole('alert').getByText('You are logged out').waitFor()
    expect(Date.now() - startMs).toBeLessThan(30_000)
    await page.getByText('not live').waitFor()
    await page.getByRole('link', { name: 'Log in' }).click()
    await page.waitForURL('**/login?next=%2Frounds')
    await locked.stop()
    await redis.stop()
  })
})
