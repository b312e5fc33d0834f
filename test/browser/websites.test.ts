import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { snapshotOf } from '../support/snapshot.ts'

/** What a website in the developer's browser can do to a server on their machine that needs no key. */

const SITE = 'evil.example'

let server: TestServer
let site: Server
let browser: Browser
/** What the server was asked, and how it answered. */
let requests: number
let answers: string[]
let page: Page

beforeAll(async () => {
  server = await startTestServer()
  site = createServer((_, response) =>
    response.setHeader('content-type', 'text/html').end('<h1>a website</h1>'),
  )
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve))
  browser = await openBrowser([SITE])
})

beforeEach(async () => {
  page = await browser.newPage()
  requests = 0
  answers = []
  const isServers = (url: string) => new URL(url).port === new URL(server.url).port
  page.on('request', (request) => {
    if (isServers(request.url())) requests += 1
  })
  // Of what it keeps from the page, such as an image that is none, the browser does not tell the answer.
  page.on('response', (response) => {
    const { pathname } = new URL(response.url())
    if (isServers(response.url()))
      answers.push(`${response.request().method()} ${pathname} ${response.status()}`)
  })
})

// The board goes on asking.
afterEach(() => page.close())

afterAll(async () => {
  await browser.close()
  await new Promise((resolve) => site.close(resolve))
  await server.stop()
})

/** Everything that a page can send without asking first; runs there. */
const ATTACK = `async (to) => {
  const load = (tag, path) => new Promise((resolve) => {
    const element = document.createElement(tag)
    element.onload = element.onerror = resolve
    element.src = to + path
    document.body.append(element)
  })
  const plain = (path, init) => fetch(to + path, { mode: 'no-cors', ...init }).catch(() => undefined)
  await load('img', '/api/v1/elect/site/image')
  await load('script', '/api/v1/complete/site/script')
  await plain('/api/v1/elect/site/get')
  await plain('/api/v1/elect/site/post', { method: 'POST' })
  await plain('/api/v1/complete/site/post', { method: 'POST' })
  await plain('/api/v1/fail/site/post', { method: 'POST' })
  await plain('/api/v1/submit/site/post', { method: 'POST' })
  await plain('/api/v1/submit/site/text', { method: 'POST', body: '{"worker":"shell"}' })
  await plain('/board/api/queues')
}`
const ATTACKS = ATTACK.match(/await/g)?.length ?? 0

async function attack(url: string): Promise<void> {
  await page.evaluate(`(${ATTACK})(${JSON.stringify(url)})`)
}

describe('a page of another origin', () => {
  it.each([
    ['another site', () => `http://${SITE}:${(site.address() as AddressInfo).port}/`],
    ['another port of this machine', () => `http://127.0.0.1:${(site.address() as AddressInfo).port}/`],
  ])('elects, completes, fails and submits nothing: %s', async (_, from) => {
    await page.goto(from())
    const before = await snapshotOf(server.redis)
    await attack(server.url)
    await attack(server.url.replace('127.0.0.1', 'localhost'))
    expect(requests).toBe(2 * ATTACKS)
    expect(answers.length).toBeGreaterThanOrEqual(2 * (ATTACKS - 2))
    expect(answers.filter((answer) => !answer.endsWith(' 403'))).toEqual([])
    expect(await snapshotOf(server.redis)).toEqual(before)
  })

  it('cannot lead the whole browser to an election either, only to a page', async () => {
    await page.goto(`http://${SITE}:${(site.address() as AddressInfo).port}/`)
    const before = await snapshotOf(server.redis)
    await page.evaluate(`location.assign('${server.url}/api/v1/elect/site/link')`)
    await page.waitForURL('**/elect/site/link')
    expect(answers).toContain('GET /api/v1/elect/site/link 403')
    expect(await snapshotOf(server.redis)).toEqual(before)
    await page.goto(`http://${SITE}:${(site.address() as AddressInfo).port}/`)
    await page.evaluate(`location.assign('${server.url}/board')`)
    await page.getByText('rounds').first().waitFor()
  })
})

describe('a website whose name is rebound to this machine', () => {
  it('reads and does nothing', async () => {
    const rebound = `http://${SITE}:${new URL(server.url).port}`
    await page.goto(`${rebound}/board`)
    const before = await snapshotOf(server.redis)
    await attack(rebound)
    const read = await page.evaluate(async () => {
      const answer = await fetch('/api/v1/rounds')
      const submitted = await fetch('/api/v1/submit/site/json', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"worker":"shell","data":{"command":"hello"}}',
      })
      return [answer.status, ((await answer.json()) as { code: string }).code, submitted.status]
    })
    expect(read).toEqual([403, 'UNKNOWN_HOST', 403])
    expect(requests).toBeGreaterThan(ATTACKS)
    expect(answers.filter((answer) => !answer.endsWith(' 403'))).toEqual([])
    expect(await snapshotOf(server.redis)).toEqual(before)
  })
})

describe('the pages of this server', () => {
  it('let a developer try the API under its own names', async () => {
    for (const url of [server.url, server.url.replace('127.0.0.1', 'localhost')]) {
      await page.goto(`${url}/docs`)
      const round = `own-${new URL(url).hostname}`
      const status = await page.evaluate(
        async (path) => (await fetch(path, { method: 'POST' })).status,
        `/api/v1/elect/site/${round}`,
      )
      expect(status).toBe(202)
      await page.goto(`${url}/api/v1/elected/site/${round}`)
      expect(await page.locator('body').innerText()).toMatch(/^127\.0\.0\.1:\d+$/)
    }
  })
})
