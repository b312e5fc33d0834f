import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { expect } from 'vitest'

const AXE_POLL = { timeout: 20_000, interval: 500 }
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** A page of the console, and what went wrong on it. */
export interface Watched {
  readonly page: Page
  /** What the console of the browser said, and requests that left the origin. */
  readonly wrong: string[]
}

interface Look {
  readonly width?: number
  readonly isDark?: boolean
  readonly zone?: string
}

/** A fresh browser window in which nothing may go wrong unseen. */
export async function openWindow(browser: Browser, origin: string, look: Look = {}): Promise<Watched> {
  const { width = 1280, isDark = false, zone = 'Europe/Berlin' } = look
  const context = await browser.newContext({
    viewport: { width, height: width < 720 ? 844 : 860 },
    colorScheme: isDark ? 'dark' : 'light',
    timezoneId: zone,
    // For axe alone, which tests put into the page; the policy is held by the pages of which it is not asked.
    bypassCSP: false,
  })
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(message.text())
  })
  page.on('pageerror', (error) => wrong.push(error.message))
  page.on('request', (request) => {
    if (!request.url().startsWith(origin) && /^https?:/.test(request.url()))
      wrong.push(`asks ${request.url()}`)
  })
  return { page, wrong }
}

/** A request that changes something, with this as its body. */
export function jsonBody(body: unknown, method = 'POST'): RequestInit {
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

/** What axe-core finds on the page, once the page has shown what it asked for. */
export async function breachesOf(page: Page, rules?: readonly string[]): Promise<string[]> {
  await page.locator('main h1').first().waitFor()
  await expect.poll(() => page.locator('[aria-busy=true]').count()).toBe(0)
  // By the debugger's own evaluation, which no policy of the page stops.
  if (!(await page.evaluate("'axe' in globalThis"))) await page.evaluate(AXE)
  let found: string[] = []
  // What is wrong stays wrong; a page that draws itself anew is looked at again.
  await expect
    .poll(async () => {
      found = await axeFindings(page, rules)
      return found.length
    }, AXE_POLL)
    .toBe(0)
    .catch(() => {})
  return found
}

/** How people look at a page. */
const LOOKS = [
  ['at a desk', { width: 1280, isDark: false }],
  ['on a phone', { width: 390, isDark: false }],
  ['in the dark', { width: 1280, isDark: true }],
] as const

/** The same in each look, one after the other on the page as it was loaded; and that none of them has it scroll sideways. */
export async function breachesInEachLook(page: Page): Promise<string[]> {
  const found: string[] = []
  for (const [name, { width, isDark }] of LOOKS) {
    await page.setViewportSize({ width, height: width < 720 ? 844 : 860 })
    await page.emulateMedia({ colorScheme: isDark ? 'dark' : 'light' })
    // In the dark nothing but colours is another.
    const breaches = await breachesOf(page, isDark ? ['color-contrast'] : undefined)
    found.push(...breaches.map((breach) => `${name}: ${breach}`))
    await expectNoSidewaysScroll(page)
  }
  return found
}

function axeFindings(page: Page, rules?: readonly string[]): Promise<string[]> {
  return page.evaluate(async (only) => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(
          options: object,
        ): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }>
      }
    }
    const { violations } = await axe.run(only ? { runOnly: { type: 'rule', values: only } } : {})
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`),
    )
  }, rules)
}

/** Holds that the page is as wide as its window. */
export async function expectNoSidewaysScroll(page: Page): Promise<void> {
  const { scrollWidth, clientWidth } = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = (
      globalThis as unknown as { document: { documentElement: { scrollWidth: number; clientWidth: number } } }
    ).document.documentElement
    return { scrollWidth, clientWidth }
  })
  expect(scrollWidth).toBeLessThanOrEqual(clientWidth)
}
