import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Board, lookAtBoard } from '../support/board.ts'
import { openBrowser } from '../support/browser.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let board: Board
let browser: Browser
let page: Page

beforeAll(async () => {
  server = await startTestServer()
  board = lookAtBoard(server.redis)
  browser = await openBrowser()
})

afterAll(async () => {
  await browser.close()
  await board.stop()
  await server.stop()
})

beforeEach(async () => {
  page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
})

const api = (path: string, init?: RequestInit) => fetch(`${server.url}/api/v1/${path}`, init)
const settled = (round: string, state: string) =>
  expect
    .poll(async () => (await board.job({ system: 'cleaner', round }))?.state, { timeout: 30_000 })
    .toBe(state)

describe('the board', () => {
  it('shows a completed round with who completed it', async () => {
    await api('elect/cleaner/2026-11-22-0800')
    await api('complete/cleaner/2026-11-22-0800', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"result":{"files":42}}',
    })
    await settled('2026-11-22-0800', 'completed')

    await page.goto(`${server.url}/board/queue/rounds?status=completed`)
    await page.getByText('cleaner~2026-11-22-0800').first().waitFor()
    expect(await page.locator('body').innerText()).toContain('files')
    await page.screenshot({ path: 'test-results/board-completed.png' })
  })

  it('shows a round that nobody finished as failed, with the reason', async () => {
    await api('elect/cleaner/2026-11-22-0900?deadline=1s')
    await settled('2026-11-22-0900', 'failed')

    await page.goto(`${server.url}/board/queue/rounds?status=failed`)
    await page.getByText('cleaner~2026-11-22-0900').first().waitFor()
    await page.getByText('no completion reported within 1 s').first().waitFor()
    await page.screenshot({ path: 'test-results/board-failed.png' })
  })

  it('offers nothing that changes a queue', async () => {
    await page.goto(`${server.url}/board/queue/rounds?status=failed`)
    await page.getByText('cleaner~2026-11-22-0900').first().waitFor()
    expect(await page.getByRole('button', { name: /retry|clean|pause|obliterate|promote/i }).count()).toBe(0)
  })
})

describe('the docs', () => {
  it('describe the API in a page that works', async () => {
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(error.message))
    await page.goto(`${server.url}/docs`)
    await page.getByText('Am I the leader?').first().waitFor()
    await page.screenshot({ path: 'test-results/docs.png' })
    expect(errors).toEqual([])
  })
})
