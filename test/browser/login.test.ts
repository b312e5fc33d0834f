import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { makeKey, revokeKey, type TestKey } from '../support/keys.ts'
import { startRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let reader: TestKey
let browser: Browser
let page: Page

beforeAll(async () => {
  const redis = await startRedis()
  reader = await makeKey(redis, { actions: ['read', 'elect'] })
  server = await startTestServer({ redis, env: { GONE_BOARD: 'read-write' } })
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
  await server.stop()
  await server.redis.stop()
})

beforeEach(async () => {
  page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage()
})

async function logIn({ text }: TestKey): Promise<void> {
  await page.getByLabel('API key').fill(text)
  await page.getByRole('button', { name: 'Log in' }).click()
}

describe('the login', () => {
  it('lets whoever shows a key see the board, and go on to where they wanted', async () => {
    for (const call of ['elect', 'complete'])
      await fetch(`${server.url}/api/v1/${call}/cleaner/2026-11-22-0800`, { headers: reader.headers })
    await page.goto(`${server.url}/board/queue/rounds?status=completed`)
    expect(new URL(page.url()).pathname).toBe('/login')
    await page.screenshot({ path: 'test-results/login.png' })
    await logIn(reader)
    await page.getByText('cleaner~2026-11-22-0800').first().waitFor()
    expect(new URL(page.url()).pathname).toBe('/board/queue/rounds')
    await page.screenshot({ path: 'test-results/board-logged-in.png' })

    const [cookie] = await page.context().cookies()
    expect(cookie).toMatchObject({ name: 'gone-session', httpOnly: true, sameSite: 'Strict', path: '/' })
    expect(JSON.stringify(cookie)).not.toContain(reader.text.slice(18))
    await page.goto(`${server.url}/docs`)
    await page.getByText('Am I the leader?').first().waitFor()
  })

  it('is not asked of whoever has logged in and comes by a link in a mail', async () => {
    await page.goto(`${server.url}/login`)
    await logIn(reader)
    await page.waitForURL(`${server.url}/`)
    await page.route('http://mail.example/', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<a href="${server.url}/fleet?host=eu-*">the fleet</a>`,
      }),
    )
    await page.goto('http://mail.example/')
    await page.getByText('the fleet').click()
    await page.waitForURL(`${server.url}/fleet?host=eu-*`)
    await page.context().clearCookies()
    await page.goto('http://mail.example/')
    await page.getByText('the fleet').click()
    await page.waitForURL(/again=1$/)
    await logIn(reader)
    await page.waitForURL(`${server.url}/fleet?host=eu-*`)
  })

  it('says what is wrong with a key, and lets nobody in', async () => {
    await page.goto(`${server.url}/login`)
    await logIn({ ...reader, text: `gone_0123456789ab_${'A'.repeat(43)}` })
    await page.getByRole('alert').getByText('the key is not known').waitFor()
    await page.screenshot({ path: 'test-results/login-refused.png' })
    expect(await page.context().cookies()).toEqual([])
  })

  it('ends with a log-out, and with the key', async () => {
    const key = await makeKey(server.redis, { actions: ['read'] })
    await page.goto(`${server.url}/login`)
    await expect
      .poll(
        async () => {
          await logIn(key)
          return new URL(page.url()).pathname
        },
        { timeout: 45_000, interval: 500 },
      )
      .toBe('/')
    await page.goto(`${server.url}/logout`)
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByLabel('API key').waitFor()
    expect(await page.context().cookies()).toEqual([])

    await logIn(key)
    await page.waitForURL(`${server.url}/`)
    await revokeKey(server.redis, key)
    const landing = async () => {
      await page.goto(`${server.url}/board`)
      return new URL(page.url()).pathname
    }
    await expect.poll(landing, { timeout: 11_000, interval: 500 }).toBe('/login')
  })

  it('does not let a reader change a queue, from the page itself', async () => {
    await page.goto(`${server.url}/login`)
    await logIn(reader)
    await page.waitForURL(`${server.url}/`)
    const status = await page.evaluate(
      async () => (await fetch('/board/api/queues/rounds/pause', { method: 'PUT' })).status,
    )
    expect(status).toBe(403)
  })

  it('lets an admin change a queue', async () => {
    const admin = await makeKey(server.redis, { actions: ['admin'] })
    await page.goto(`${server.url}/login`)
    await expect
      .poll(
        async () => {
          await logIn(admin)
          return new URL(page.url()).pathname
        },
        { timeout: 45_000, interval: 500 },
      )
      .toBe('/')
    const change = (path: string) =>
      page.evaluate(
        async (to) => (await fetch(to, { method: 'PUT' })).status,
        `/board/api/queues/rounds/${path}`,
      )
    expect([await change('pause'), await change('resume')]).toEqual([200, 200])
  })

  it('leads to no page of others', async () => {
    for (const next of [
      '//evil.example',
      'https://evil.example/board',
      '/\\evil.example',
      '/board//evil',
      'javascript:alert(1)',
    ]) {
      await page.goto(`${server.url}/login?next=${encodeURIComponent(next)}`)
      await logIn(reader)
      await page.waitForURL(/^[^?]*:\d+\/(?:board.*)?$/)
      await page.context().clearCookies()
    }
  })
})
