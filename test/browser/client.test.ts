import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openBrowser } from '../support/browser.ts'
import { compile } from '../support/compile.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { ROOT } from '../support/snippets.ts'

let server: TestServer
let browser: Browser
let built: string

beforeAll(async () => {
  server = await startTestServer()
  built = await compile(ROOT)
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
  await server.stop()
  await rm(built, { recursive: true, force: true })
})

/** Runs in the page: the modules as they are, so that one which needs Node, or a package, does not load. */
const PLAY = `async () => {
  const { createClient, GoneError } = await import('/modules/src/client/only.js')
  const client = createClient({ url: location.origin, candidate: 'a-page' })
  const election = await client.elect('browser', '1', { lease: '30s' })
  const end = await client.once('browser', '2', ({ fence }) => ({ fence }))
  await client.submit('browser', '3', { worker: 'nobody' })
  const refused = await client.elect('browser', 'a/b').catch((error) => error instanceof GoneError && error.code)
  return { leads: election.leads, end: end.kind, submitted: (await client.round('browser', '3')).state, refused }
}`

it('runs in a page of a browser as it is', async () => {
  const page = await browser.newPage()
  await page.route(`${server.url}/own.html`, (route) =>
    route.fulfill({ contentType: 'text/html', body: '<title>a page of yours</title>' }),
  )
  const asked: string[] = []
  await page.route(`${server.url}/modules/**`, (route) => {
    const { pathname } = new URL(route.request().url())
    asked.push(pathname)
    return route.fulfill({
      path: join(built, pathname.replace('/modules/', '')),
      contentType: 'text/javascript',
    })
  })
  await page.goto(`${server.url}/own.html`)
  expect(await page.evaluate(`(${PLAY})()`)).toEqual({
    leads: true,
    end: 'ran',
    submitted: 'submitted',
    refused: 'INVALID_IDENTIFIER',
  })
  expect(asked.length).toBeGreaterThan(20)
})
