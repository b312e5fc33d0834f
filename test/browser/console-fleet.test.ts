import { Redis } from 'ioredis'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { PoolPlace } from '../../src/core/fleet/pool.ts'
import { openBrowser } from '../support/browser.ts'
import { breachesOf, expectNoSidewaysScroll, jsonBody, openWindow } from '../support/console.ts'
import { makeKey } from '../support/keys.ts'
import { startPoolHost } from '../support/pool-hosts.ts'
import type { Process } from '../support/processes.ts'
import { builtPath } from '../support/program.ts'
import { startWorkProcess } from '../support/serve-process.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

/** Of test/support/workers. */
const WORKER = 'probe'

let server: TestServer
let workers: Process[]
let browser: Browser

beforeAll(async () => {
  server = await startTestServer()
  browser = await openBrowser()
  const start = (region: string, host: string) =>
    startWorkProcess(builtPath('test/support/workers'), {
      REDIS_URL: server.redis.url,
      GONE_REGION: region,
      GONE_HOST_LABEL: host,
      GONE_RELEASE: '41',
    })
  workers = [await start('eu', 'eu-a'), await start('us', 'us-a')]
})

afterAll(async () => {
  await browser.close()
  await Promise.all((workers ?? []).map((worker) => worker.kill()))
  await server.stop()
})

describe('Fleet', () => {
  it('shows who lives where, and is told to take no jobs', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/fleet`)
    await page.getByRole('link', { name: 'eu-a', exact: true }).first().waitFor()
    await page.getByRole('link', { name: 'us-a', exact: true }).first().waitFor()
    await page.screenshot({ path: 'test-results/fleet.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    await page.getByRole('link', { name: 'eu-a', exact: true }).first().click()
    await page.waitForURL('**/fleet?host=eu-a')
    await page.getByText('1 shown').waitFor()
    await page.getByText('Order…').click()
    await page.getByRole('button', { name: 'unregister' }).click()
    await page.getByRole('heading', { name: 'unregister: 1 instance' }).waitFor()
    await page.getByLabel('Reason').fill('new disk')
    await page.screenshot({ path: 'test-results/fleet-order.png' })
    expect(await breachesOf(page)).toEqual([])
    await page.getByRole('button', { name: 'unregister 1' }).click()
    await page.getByRole('status').getByRole('link', { name: 'told 1 to unregister' }).click()
    await page.getByText('done', { exact: true }).first().waitFor()
    await page.getByText('new disk').waitFor()
    await page.screenshot({ path: 'test-results/fleet-order-page.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    await page.goto(`${server.url}/fleet?view=inactive`)
    await page.getByText('1 shown').waitFor()
    await page.locator('td .name').first().click()
    await page.getByText('Since this page was opened').waitFor()
    await page.screenshot({ path: 'test-results/instance.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    expect(wrong).toEqual([])
  })

  it('shows of a worker what was done for it, in the course of time, and by whom', async () => {
    const submit = (round: string, worker: string) =>
      fetch(`${server.url}/api/v1/submit/graphs/${round}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ worker }),
      })
    for (let n = 0; n < 5; n += 1) await submit(String(n), WORKER)
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/fleet`)
    await page.getByRole('link', { name: 'graphs' }).first().waitFor()
    await page.goto(`${server.url}/fleet/workers/${WORKER}`)
    const series = page.getByRole('region', { name: 'In the course of time' })
    // Instances report every 15 s.
    await series.getByText('Done 5').waitFor({ timeout: 60_000 })
    await series.locator('polyline').first().waitFor({ state: 'attached' })
    await series.getByText('release 41 from').waitFor()
    await series.getByText('As a table').click()
    await series.getByRole('cell', { name: '5', exact: true }).first().waitFor()
    await page.getByRole('region', { name: 'Instances' }).locator('tbody tr').nth(1).waitFor()
    await page.screenshot({ path: 'test-results/worker.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    await page.getByRole('link', { name: '24 hours' }).click()
    await page.waitForURL('**/fleet/workers/*?span=24h')
    await series.getByText('Done 5').waitFor()
    await page.setViewportSize({ width: 390, height: 844 })
    await expectNoSidewaysScroll(page)
    expect(wrong).toEqual([])
  }, 120_000)

  it('shows which jobs an instance runs, until they have ended', async () => {
    const { page, wrong } = await openWindow(browser, server.url)
    await fetch(`${server.url}/api/v1/submit/in-hand/long`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ worker: WORKER, data: { untilKey: 'in-hand:may-end' } }),
    })
    // The other was told to take no jobs.
    await page.goto(`${server.url}/fleet?host=us-a&view=all`)
    await page.locator('td .name').first().click()
    const runs = page.getByRole('region', { name: 'Jobs it runs' })
    await runs.getByRole('link', { name: 'in-hand/long' }).waitFor()
    await page.screenshot({ path: 'test-results/instance-jobs.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    const redis = new Redis(server.redis.url)
    await redis.set('in-hand:may-end', 1)
    redis.disconnect()
    await runs.getByText('None now.').waitFor({ timeout: 60_000 })
    expect(wrong).toEqual([])
  })

  it.each([
    ['a phone', { width: 390 }],
    ['the dark', { isDark: true }],
  ])('is for everybody, on %s too', async (name, look) => {
    const { page, wrong } = await openWindow(browser, server.url, look)
    for (const [path, text] of [
      ['/fleet', 'us-a'],
      ['/keys', 'No keys: whoever reaches'],
    ] as const) {
      await page.goto(server.url + path)
      await page.getByText(text).first().waitFor()
      await page.screenshot({ path: `test-results/${path.slice(1)}-${name.replaceAll(' ', '-')}.png` })
      expect([path, await breachesOf(page)]).toEqual([path, []])
      await expectNoSidewaysScroll(page)
    }
    expect(wrong).toEqual([])
  })
})

describe('pools', () => {
  it('are shown by host, and deployed to, with what goes wrong, as it goes', async () => {
    // What of each release the hosts say: none of 43 comes up, and those of 42 once they may.
    let is42: 'begins' | 'works' = 'begins'
    const reportOf = ({ runs: { release } }: PoolPlace) =>
      release === '43'
        ? ({ state: 'failed', why: 'mailer does not load' } as const)
        : ({ state: release === '42' ? is42 : 'works' } as const)
    const hosts = ['eu-a', 'eu-b'].map((host) =>
      startPoolHost(server.redis.url, { host, region: 'eu', releases: ['41', '42', '43'], reportOf }),
    )
    const body = { instances: 4, workers: ['mailer'], region: 'eu', release: '41', reason: 'as ever' }
    await fetch(`${server.url}/api/v1/fleet/pools/mail`, jsonBody(body, 'PUT'))
    const { page, wrong } = await openWindow(browser, server.url)
    await page.goto(`${server.url}/fleet`)
    const list = page.getByRole('region', { name: 'Pools' })
    await list.getByText('eu-a 2 of 2, eu-b 2 of 2').waitFor()
    await page.getByRole('region', { name: 'Hosts that take places' }).getByText('2 of 8').nth(1).waitFor()
    await list.getByRole('link', { name: 'mail', exact: true }).click()
    await page.getByText('4 of 4 work').waitFor()

    const ask = async (button: string, release: string | undefined, verb: string) => {
      await page.getByRole('button', { name: button, exact: true }).click()
      const dialog = page.getByRole('dialog')
      if (release !== undefined) await dialog.getByLabel('Release').fill(release)
      await dialog.getByLabel('Reason').fill('new templates')
      await dialog.getByRole('button', { name: verb, exact: true }).click()
      return dialog
    }
    const refused = await ask('Deploy', '44', 'Deploy')
    await refused.getByRole('alert').getByText('it has no release 44').waitFor()
    await page.screenshot({ path: 'test-results/pool-dialog.png' })
    expect(await breachesOf(page)).toEqual([])
    await refused.getByRole('button', { name: 'Leave it' }).click()

    await ask('Deploy', '42', 'Deploy')
    await page.getByText('0 of 4 have 42').waitFor()
    await page.screenshot({ path: 'test-results/pool-rolling.png', fullPage: true })
    expect(await breachesOf(page)).toEqual([])
    is42 = 'works'
    const last = page.getByRole('region', { name: 'Last deploy' })
    await last.getByText('41 → 42').waitFor()
    await last.getByText('done', { exact: true }).waitFor()
    await page.getByRole('cell', { name: '42', exact: true }).nth(3).waitFor()

    await ask('Deploy', '43', 'Deploy')
    await last.getByText('rolled-back', { exact: true }).waitFor()
    await last.getByText('mailer does not load').waitFor()
    await page.screenshot({ path: 'test-results/pool.png', fullPage: true })
    await page.setViewportSize({ width: 390, height: 844 })
    expect(await breachesOf(page)).toEqual([])
    await expectNoSidewaysScroll(page)

    await ask('Roll back', undefined, 'Roll back to 41')
    await last.getByText('42 → 41').waitFor()
    await last.getByText('done', { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Scale', exact: true }).click()
    const scaling = page.getByRole('dialog')
    await scaling.getByLabel('Instances').fill('6')
    await scaling.getByLabel('Reason').fill('more mail')
    await scaling.getByRole('button', { name: 'Scale', exact: true }).click()
    await page.getByText('6 of 6 work').waitFor()
    await page.goto(`${server.url}/fleet`)
    await list.getByText('42 → 41').waitFor()
    await page.screenshot({ path: 'test-results/pools-phone.png', fullPage: true })
    expect(wrong.filter((text) => !text.includes('status of 409'))).toEqual([])
    await Promise.all(hosts.map((host) => host.stop()))
  })
})

describe('whoever may only read', () => {
  it('sees all pages and no button, and of the keys their own', async () => {
    const locked = await startTestServer()
    const [reader, other] = [
      await makeKey(locked.redis, { actions: ['read'] }),
      await makeKey(locked.redis, { actions: ['admin'] }),
    ]
    await fetch(`${locked.url}/api/v1/elect/cleaner/1`, { headers: other.headers })
    await fetch(`${locked.url}/api/v1/schedules/cleaner/nightly`, {
      method: 'PUT',
      headers: { ...other.headers, 'content-type': 'application/json' },
      body: JSON.stringify({ cron: '0 2 * * *' }),
    })
    // Until the server has read the keys anew: what is open until then is not of this test.
    await expect.poll(async () => (await fetch(`${locked.url}/api/v1/rounds`)).status).toBe(401)
    const { page, wrong } = await openWindow(browser, locked.url)
    await page.goto(`${locked.url}/login?next=/rounds/cleaner/1`)
    await page.getByLabel('API key').fill(reader.text)
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.waitForURL(`${locked.url}/rounds/cleaner/1`)
    await page.getByText('under fence 1').waitFor()
    expect(await page.getByRole('button', { name: /Cancel|Fail|Retry/ }).count()).toBe(0)
    await page.goto(`${locked.url}/schedules`)
    await page.getByText('at 02:00 every day').waitFor()
    expect(await page.getByRole('button', { name: /Trigger|Pause/ }).count()).toBe(0)
    await page.goto(`${locked.url}/keys`)
    await page.getByText(`You: key ${reader.id}`).waitFor()
    expect(await page.getByText(other.id).count()).toBe(0)
    await page.screenshot({ path: 'test-results/keys-reader.png' })
    expect(await breachesOf(page)).toEqual([])
    expect(wrong.filter((text) => !/status of 40[134]/.test(text))).toEqual([])
    await locked.stop()
  })
})

describe('a server that goes', () => {
  it('is said to, what was seen stays, and it is live again when the server is', async () => {
    const first = await startTestServer({ redis: server.redis })
    const { url } = first
    await fetch(`${url}/api/v1/elect/stays/there`)
    const { page } = await openWindow(browser, url)
    await page.goto(`${url}/rounds`)
    await page.getByRole('link', { name: 'there' }).waitFor()
    await page.getByText('live', { exact: true }).waitFor()
    await first.stop()
    await page.getByRole('alert').getByText('The server does not answer.').waitFor()
    await page.getByText('not live').waitFor()
    await page.getByRole('link', { name: 'there' }).waitFor()
    await page.screenshot({ path: 'test-results/rounds-lost.png' })
    const second = await startTestServer({ redis: server.redis, env: { GONE_PORT: new URL(url).port } })
    await page.getByText('live', { exact: true }).waitFor()
    expect(await page.getByRole('alert').count()).toBe(0)
    await second.stop()
  })

  it('keeps what was seen and says what works where it is Redis that has gone', async () => {
    const alone = await startTestServer()
    await fetch(`${alone.url}/api/v1/elect/stays/there`)
    const { page } = await openWindow(browser, alone.url)
    await page.goto(`${alone.url}/rounds`)
    await page.getByRole('link', { name: 'there' }).waitFor()
    await alone.redis.stop()
    await page.getByRole('alert').getByText('Redis does not answer.').waitFor()
    await page.getByRole('link', { name: 'there' }).waitFor()
    await page.screenshot({ path: 'test-results/rounds-no-redis.png' })
    expect(await breachesOf(page)).toEqual([])
    await alone.stop()
  })
})
