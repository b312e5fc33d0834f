import { appendFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { compile } from '../support/compile.ts'
import { openWindow } from '../support/console.ts'
import { type Process, startProcess } from '../support/processes.ts'
import { startProxy, stopProxies } from '../support/proxies.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { ROOT } from '../support/snippets.ts'

/** No browser takes what is under it for safe, unlike localhost. */
const NAME = 'gone.example'
const BASE = '/gone'
const LOADS = 200

let redis: TestRedis
let server: TestServer
let otherBuild: string
let other: Process
let browser: Browser
/** Behind which servers of two builds take turns. */
let balanced: string
let behindCaddy: string

beforeAll(async () => {
  redis = await startRedis()
  const env = { GONE_BASE_PATH: BASE, GONE_TRUSTED_PROXIES: '127.0.0.1', GONE_ALLOWED_HOSTS: NAME }
  server = await startTestServer({ redis, env })
  otherBuild = await compile(ROOT)
  await appendFile(join(otherBuild, 'console/main.js'), 'document.documentElement.dataset.build="other";\n')
  other = await startProcess({
    name: 'gone serve of another build',
    args: [join(otherBuild, 'src/cli/main.js'), 'serve', '--port', '0'],
    env: { ...env, REDIS_URL: redis.url },
  })
  const said = 'proxy_set_header Host $http_host;'
  balanced = await startProxy(
    'nginx',
    (port) => `upstream both { server ${new URL(server.url).host}; server ${new URL(other.url).host}; }
server { listen 127.0.0.1:${port}; location ${BASE}/ { proxy_pass http://both; ${said} } }`,
  )
  behindCaddy = await startProxy('caddy', (port) => `http://:${port} {\n reverse_proxy ${server.url}\n}`)
  browser = await openBrowser([NAME])
})

afterAll(async () => {
  await browser.close()
  await stopProxies()
  await other.stop()
  await rm(otherBuild, { recursive: true, force: true })
  await server.stop()
  await redis.stop()
})

const named = (url: string) => `http://${NAME}:${new URL(url).port}${BASE}`

describe('servers of two builds that take turns', () => {
  it(`show a page each of ${LOADS} times, whichever answers`, async () => {
    const url = named(balanced)
    const { page, wrong } = await openWindow(browser, url)
    const builds: string[] = []
    for (let n = 0; n < LOADS; n += 1) {
      // The page that asks for least: what stands in it is what is looked at.
      await page.goto(`${url}/keys`, { waitUntil: 'commit' })
      await page.getByText('No keys: whoever reaches').waitFor()
      builds.push((await page.locator('html').getAttribute('data-build')) ?? 'own')
    }
    expect(new Set(builds)).toEqual(new Set(['own', 'other']))
    expect(wrong).toEqual([])
  }, 300_000)

  it('send next to nothing to a browser that has the page of that build', async () => {
    await fetch(`${server.url}/api/v1/elect/turns/1`)
    const url = named(balanced)
    const { page } = await openWindow(browser, url)
    const sizes: number[] = []
    for (let n = 0; n < 6; n += 1) {
      await page.goto(`${url}/rounds`)
      await page.getByRole('link', { name: '1', exact: true }).waitFor()
      sizes.push(
        (await page.evaluate('performance.getEntriesByType("navigation")[0].transferSize')) as number,
      )
    }
    expect(Math.min(...sizes)).toBeLessThan(2_000)
    expect(Math.max(...sizes)).toBeLessThanOrEqual(60 * 1_024)
    const asked = (await page.evaluate(
      'performance.getEntriesByType("resource").map(({ initiatorType, name }) => initiatorType + " " + name)',
    )) as string[]
    expect(asked.filter((one) => /^(?:script|link|css)/.test(one))).toEqual([])
    expect(asked.length).toBeLessThanOrEqual(14)
  })
})

describe('a page behind a proxy as it comes', () => {
  it.each([
    ['nginx', () => balanced],
    ['Caddy', () => behindCaddy],
  ])('is told by %s of what changes', async (proxy, where) => {
    const url = named(where())
    const { page, wrong } = await openWindow(browser, url)
    await page.goto(`${url}/rounds`)
    await page.getByText('live', { exact: true }).waitFor()
    await fetch(`${other.url}/api/v1/elect/told/by-${proxy}`)
    await page.getByRole('link', { name: `by-${proxy}` }).waitFor()
    expect(wrong).toEqual([])
  })

  it('copies names over plain HTTP too', async () => {
    const url = named(balanced)
    const { page } = await openWindow(browser, url)
    await page.goto(`${url}/rounds/turns/1`)
    expect(await page.evaluate('isSecureContext')).toBe(false)
    await page.getByRole('button', { name: 'Copy the name' }).click()
    await page.getByRole('button', { name: 'copied' }).waitFor()
    await page.goto(`${url}/rounds`)
    const text = page.getByRole('textbox', { name: 'Round' })
    await text.focus()
    await page.keyboard.press('Control+v')
    expect(await text.inputValue()).toBe('1')
  })
})
