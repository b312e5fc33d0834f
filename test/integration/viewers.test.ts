import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { pause } from '../../src/waiting.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let redis: TestRedis
let server: TestServer
let other: TestServer
let client: Redis

beforeAll(async () => {
  redis = await startRedis()
  server = await startTestServer({ redis })
  other = await startTestServer({ redis })
  client = new Redis(redis.port)
})

afterAll(async () => {
  client.disconnect()
  await other.stop()
  await server.stop()
  await redis.stop()
})

/** An open page, and what it has heard. */
async function look(url: string): Promise<{ readonly heard: () => string; readonly leave: () => void }> {
  const leaving = new AbortController()
  const answer = await fetch(`${url}/console/stream`, { signal: leaving.signal })
  expect(answer.status).toBe(200)
  let heard = ''
  const read = async () => {
    for await (const chunk of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) heard += chunk
  }
  read().catch(() => {})
  onTestFinished(() => leaving.abort())
  return { heard: () => heard, leave: () => leaving.abort() }
}

const isTold = (heard: string) => /"topics":\[[^\]]*"rounds"/.test(heard)

describe('pages that are open', () => {
  it('are told of what another server has decided', async () => {
    const page = await look(server.url)
    await expect.poll(page.heard, { timeout: 30_000 }).toContain('event: ping')
    await fetch(`${other.url}/api/v1/elect/viewed/1`)
    await expect.poll(() => isTold(page.heard()), { timeout: 30_000 }).toBe(true)
  })

  it('cost Redis the same however many they are, and nothing once the last is closed', async () => {
    /** How often the histories are looked into, which nobody does but for pages. */
    const readsIn = async (ms: number) => {
      const before = await histories()
      await pause(ms)
      return (await histories()) - before
    }
    const histories = async () => {
      const text = await client.info('commandstats')
      const calls = /cmdstat_xrevrange:calls=(\d+)/.exec(text)?.[1]
      return Number(calls ?? 0)
    }
    await fetch(`${server.url}/api/v1/elect/viewed/2`)
    const one = await look(server.url)
    await expect.poll(one.heard, { timeout: 30_000 }).toContain('event: ping')
    await expect.poll(histories, { timeout: 30_000 }).toBeGreaterThan(0)
    const ofOne = await readsIn(3_000)
    const more = await Promise.all(Array.from({ length: 19 }, () => look(server.url)))
    const ofTwenty = await readsIn(3_000)
    expect(ofOne).toBeGreaterThan(0)
    // Once a second for all of them, give or take one look in the time.
    expect(ofTwenty).toBeLessThanOrEqual(ofOne + Math.ceil(ofOne / 2) + 1)
    for (const page of [one, ...more]) page.leave()
    await expect.poll(() => readsIn(2_000), { timeout: 30_000 }).toBe(0)
  })
})
