import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { type AlertReceiver, startAlertReceiver } from '../support/alert-receiver.ts'
import type { Process } from '../support/processes.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { send } from '../support/requests.ts'
import { startDyingFacade, startServeProcess } from '../support/serve-process.ts'

const closers: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

interface World {
  readonly redis: TestRedis
  readonly receiver: AlertReceiver
  readonly env: Record<string, string>
}

async function startWorld(answer?: (n: number) => number | undefined): Promise<World> {
  const redis = await startRedis()
  closers.push(() => redis.stop())
  const receiver = await startAlertReceiver(answer)
  closers.push(() => receiver.stop())
  const env = { REDIS_URL: redis.url, GONE_ALERT_URL: receiver.url, GONE_ALERT_SECRET: receiver.secret }
  return { redis, receiver, env }
}

async function started(start: Promise<Process>): Promise<Process> {
  const server = await start
  closers.push(() => server.kill())
  return server
}

/** Expects a round every second, of which none comes. */
async function expectRounds(server: Process): Promise<void> {
  const path = '/api/v1/expectations/shop/daily'
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify({ every: '1s', grace: '1s' })
  expect((await send(server.url, { method: 'PUT', path, headers, body })).status).toBe(201)
}

async function hasDied({ child }: Process): Promise<void> {
  if (child.signalCode === null) await once(child, 'exit')
  expect(child.signalCode).toBe('SIGKILL')
}

// Who takes over from the dead waits for their locks to run out.
describe('an alert', { timeout: 60_000 }, () => {
  it('is told by another server when the one that opened it died before it was queued', async () => {
    const { receiver, env } = await startWorld()
    const dying = await started(startDyingFacade('alert', env))
    await expectRounds(dying)
    await hasDied(dying)
    expect(receiver.deliveries).toEqual([])
    await started(startServeProcess(env))
    const { alert, id } = await receiver.told('opened', 'shop', 25_000)
    expect(alert).toMatchObject({ kind: 'missed', firstSlot: expect.any(String) })
    expect(receiver.deliveries.map((delivery) => delivery.id)).toEqual([id])
    expect(receiver.deliveries[0]?.isSigned).toBe(true)
  })

  it('is told by another server when the one that was about to tell it died', async () => {
    const { receiver, env } = await startWorld()
    const dying = await started(startDyingFacade('deliver', env))
    await expectRounds(dying)
    await hasDied(dying)
    await started(startServeProcess(env))
    const { id } = await receiver.told('opened', 'shop', 28_000)
    expect(receiver.deliveries.map((delivery) => delivery.id)).toEqual([id])
  })

  it('is told again, under the same id, when the server died before it heard the answer', async () => {
    const { receiver, env } = await startWorld((n) => (n === 1 ? undefined : 200))
    const first = await started(startServeProcess(env))
    await expectRounds(first)
    while (receiver.deliveries.length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    await first.kill()
    await started(startServeProcess(env))
    const { id } = await receiver.told('opened', 'shop', 28_000)
    expect(receiver.deliveries.map((delivery) => delivery.id)).toEqual([id, id])
  })

  it('is told when the receiver is back, though all servers have ended in between', async () => {
    let isUp = false
    const { receiver, env } = await startWorld(() => (isUp ? 200 : 503))
    const first = await started(startServeProcess(env))
    await expectRounds(first)
    while (receiver.deliveries.length < 2) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(await first.stop()).toBe(0)
    isUp = true
    const second = await started(startServeProcess(env))
    await receiver.told('opened', 'shop', 25_000)
    const { text } = await send(second.url, { path: '/metrics' })
    expect(text).toContain('gone_alert_deliveries_total{outcome="delivered"} 1')
  })

  it('is opened once by three servers of which one is killed again and again', async () => {
    const { receiver, env } = await startWorld()
    const stay = await started(startServeProcess(env))
    await started(startServeProcess(env))
    await expectRounds(stay)
    for (let n = 0; n < 3; n += 1) {
      const killed = await started(startServeProcess(env))
      await new Promise((resolve) => setTimeout(resolve, 1_000 + Math.random() * 500))
      await killed.kill()
    }
    const counts = async () => {
      const { text } = await send(stay.url, { path: '/api/v1/alerts' })
      return (JSON.parse(text) as { alerts: { count: number }[] }).alerts.map(({ count }) => count)
    }
    // What a server was looking at as it was killed is looked at by another once its hold has ended.
    await expect.poll(async () => Math.max(0, ...(await counts()))).toBeGreaterThanOrEqual(3)
    expect(await counts()).toHaveLength(1)
    await receiver.told('opened', 'shop', 30_000)
    expect(receiver.deliveries.map(({ id }) => id)).toEqual([expect.stringMatching(/-opened$/)])
  })
})
