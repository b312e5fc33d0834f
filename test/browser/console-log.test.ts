import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createClient, type GoneClient } from '../../src/client/client.ts'
import type { InstanceJson } from '../../src/core/fleet/fleet-wire.ts'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, openWindow } from '../support/console.ts'
import type { Process } from '../support/processes.ts'
import { startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'
import { registered, seenOn, startSupervisorProcess } from '../support/supervised.ts'

const TALKER = `export default async ({ data }) => { for (const line of data.says) console.log(line) }\n`

let server: TestServer
let client: GoneClient
let browser: Browser
let folder: string
let supervisor: Process
let alone: Process
let supervised: InstanceJson

beforeAll(async () => {
  server = await startTestServer()
  client = createClient({ url: server.url })
  browser = await openBrowser()
  folder = await mkdtemp(join(tmpdir(), 'gone-console-log-'))
  await writeFile(join(folder, 'talker.mjs'), TALKER)
  const env = (host: string) => ({ REDIS_URL: server.redis.url, GONE_HOST_LABEL: host })
  supervisor = await startSupervisorProcess(1, env('log-a'), { folder })
  supervised = (await seenOn(client, 'log-a', registered(1)))[0] as InstanceJson
  alone = await startWorkProcess(folder, env('log-alone'))
})

afterAll(async () => {
  await browser.close()
  await Promise.all([supervisor.stop(), alone.kill()])
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

/** The instance that is watched prints it. */
async function say(round: string, says: readonly string[]): Promise<void> {
  const others = { id: (await seenOn(client, 'log-alone', (all) => all.length === 1))[0]?.id ?? '' }
  if (!rested) await client.fleet.order({ do: 'unregister', select: others, count: 1, atOnce: true })
  if (!rested) await seenOn(client, 'log-alone', ([one]) => one?.state === 'unregistered')
  rested = true
  await client.submit('said', round, { worker: 'talker', data: { says } })
  await client.wait('said', round)
}
let rested = false

it('an instance shows what it prints, as text, as it comes, and what of it holds a word', async () => {
  await say('before', ['said before <b>anybody</b> looked'])
  const { page, wrong } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/fleet/instances/${supervised.id}`)
  const log = page.getByRole('region', { name: 'Log', exact: true })
  await log.getByText('said before <b>anybody</b> looked').waitFor({ timeout: 30_000 })
  await say('while', ['needle in it', 'and some hay'])
  await log.getByText('and some hay').waitFor({ timeout: 30_000 })
  await page.screenshot({ path: 'test-results/instance-log.png', fullPage: true })
  expect(await breachesOf(page)).toEqual([])
  await log.getByLabel('Text').fill('NEEDLE')
  await log.getByRole('button', { name: 'Find' }).click()
  await log.getByText('1 line,').waitFor()
  await log.getByText('needle in it').waitFor()
  expect(await log.getByText('and some hay').count()).toBe(0)
  await say('later', ['hay again', 'another needle'])
  await log.getByText('another needle').waitFor({ timeout: 30_000 })
  await log.getByText('2 lines,').waitFor()
  await log.getByLabel('Text').fill('never said')
  await log.getByRole('button', { name: 'Find' }).click()
  await log.getByText('None of its lines').waitFor()
  await say('graver', ['WARN disk nearly full', 'INFO all is well'])
  await log.getByLabel('Text').fill('')
  await log.getByLabel('Level').selectOption('warn')
  await log.getByRole('button', { name: 'Find' }).click()
  await log.getByText('WARN disk nearly full').waitFor({ timeout: 30_000 })
  expect(await log.getByText('INFO all is well').count()).toBe(0)
  await page.setViewportSize({ width: 390, height: 844 })
  await expectNoSidewaysScroll(page)
  expect(wrong).toEqual([])
}, 90_000)

it('goes on after an answer that did not come, and stands still where it is told to', async () => {
  const { page } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/fleet/instances/${supervised.id}`)
  const log = page.getByRole('region', { name: 'Log', exact: true })
  await log.getByText('"msg":"working"').waitFor({ timeout: 30_000 })
  let failed = 0
  await page.route('**/console/api/fleet/log*', async (route) => {
    failed += 1
    if (failed <= 2) await route.abort()
    else await route.continue()
  })
  await expect.poll(() => failed, { timeout: 30_000 }).toBeGreaterThan(2)
  await say('after', ['said after the trouble'])
  await log.getByText('said after the trouble').waitFor({ timeout: 30_000 })
  await log.getByRole('button', { name: 'Stop following' }).click()
  await log.getByRole('button', { name: 'Follow', exact: true }).waitFor()
  await say('unseen', ['said while it stands still'])
  await expect
    .poll(
      async () => (await client.fleet.log({ id: supervised.id }, { text: 'stands still' })).lines.length,
      {
        timeout: 30_000,
      },
    )
    .toBe(1)
  expect(await log.getByText('stands still').count()).toBe(0)
  await log.getByRole('button', { name: 'Follow', exact: true }).click()
  await log.getByText('said while it stands still').waitFor({ timeout: 30_000 })
}, 90_000)

it('of one without a supervisor it says where its lines are', async () => {
  const [one] = await seenOn(client, 'log-alone', (all) => all.length === 1)
  const { page, wrong } = await openWindow(browser, server.url)
  await page.goto(`${server.url}/fleet/instances/${one?.id}`)
  await page.getByText('It runs without a supervisor').waitFor()
  expect(wrong).toEqual([])
})
