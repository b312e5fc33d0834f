import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { makeKey } from '../support/keys.ts'
import { startProxy, stopProxies } from '../support/proxies.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

const BASE = '/tools/gone'
let redis: TestRedis
let server: TestServer
let browser: Browser
let key: string

beforeAll(async () => {
  redis = await startRedis()
  key = (await makeKey(redis, { actions: ['admin'] })).text
  server = await startTestServer({
    env: { GONE_BASE_PATH: BASE, GONE_TRUSTED_PROXIES: '127.0.0.1' },
    redis,
  })
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
  await stopProxies()
  await server.stop()
  await redis.stop()
})

describe.each([
  ['strips it', '/'],
  ['leaves it', ''],
])('below a path, of a proxy that %s', (_, slash) => {
  let url: string
  let page: Page
  const troubles: string[] = []

  beforeAll(async () => {
    const said = 'proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto $scheme;'
    const proxy = await startProxy(
      'nginx',
      (port) =>
        `server { listen 127.0.0.1:${port}; location ${BASE}/ { proxy_pass ${server.url}${slash}; ${said} } }`,
    )
    url = `${proxy}${BASE}`
    await fetch(`${server.url}/api/v1/elect/below/a-round`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
    })
  })

  beforeEach(async () => {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } })
    page = await context.newPage()
    troubles.length = 0
    // Whatever the page asks for outside of the path, or does not find.
    page.on('response', (answer) => {
      const { pathname } = new URL(answer.url())
      if (answer.status() >= 400 || !pathname.startsWith(`${BASE}/`))
        troubles.push(`${answer.status()} ${answer.url()}`)
    })
    page.on('pageerror', (error) => troubles.push(error.message))
  })

  /** As a person does, from the page that was wanted back to it. */
  async function logInAt(path: string): Promise<void> {
    await page.goto(`${url}${path}`)
    await page.getByLabel('API key').fill(key)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.waitForURL(`${url}${path}`)
  }

  it('the console loads, asks and leads on', async () => {
    await logInAt('/')
    const nav = page.getByRole('navigation', { name: 'Pages' })
    await nav.waitFor()
    await page.getByText('a-round').first().waitFor()
    expect(await nav.getByRole('link', { name: 'Now' }).getAttribute('aria-current')).toBe('page')
    await nav.getByRole('link', { name: 'Rounds' }).click()
    await page.getByRole('textbox', { name: 'Round' }).fill('a-r')
    await page.getByRole('button', { name: 'Filter' }).click()
    await page.waitForURL(`${url}/rounds?q=a-r`)
    await page.getByText('live', { exact: true }).waitFor()
    await page.getByRole('link', { name: 'Clear all' }).click()
    await page.waitForURL(`${url}/rounds`)
    await nav.getByRole('link', { name: 'Queues' }).click()
    await page.waitForURL(`${url}/board**`)
    expect(troubles).toEqual([])
  })

  it('the board shows its queues and logs out', async () => {
    await logInAt('/board')
    await page.getByText('rounds').first().waitFor()
    expect(troubles).toEqual([])
    await page.goto(`${url}/logout`)
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.waitForURL(`${url}/login`)
    expect(await page.context().cookies()).toEqual([])
  })

  it('the docs show the operations, and ask below it', async () => {
    await logInAt('/docs')
    await page.getByText('/api/v1/elect/{system}/{round}').first().waitFor()
    await page.getByRole('link', { name: 'Log out' }).waitFor()
    expect(await page.getByRole('link', { name: 'Log out' }).getAttribute('href')).toBe(`${BASE}/logout`)
    expect(troubles).toEqual([])
  })
})
