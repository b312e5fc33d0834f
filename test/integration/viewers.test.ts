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

/** What Redis was asked to write, each with how often, while that went on. */
async function writesOf(act: () => Promise<void>): Promise<Readonly<Record<string, number>>> {
  const names = (await client.call('COMMAND', 'LIST', 'FILTERBY', 'ACLCAT', 'write')) as string[]
  const read = async () => {
    const lines = (await client.info('commandstats')).matchAll(/cmdstat_([^:]+):calls=(\d+)/g)
    return new Map([...lines].map(([, name, calls]) => [String(name), Number(calls)]))
  }
  const before = await read()
  await act()
  const after = await read()
  return Object.fromEntries(
    names.flatMap((name) => {
      const calls = (after.get(name) ?? 0) - (before.get(name) ?? 0)
      return calls > 0 ? [[name, calls]] : []
    }),
  )
}

describe('elections', () => {
  it('write the same whether pages are open or not: nothing is kept for the console', async () => {
    const electing = async (name: string) => {
      for (let n = 0; n < 100; n += 1) {
        const answer = await fetch(`${server.url}/api/v1/elect/written/${name}-${n}`, { method: 'POST' })
        expect(answer.status).toBe(202)
      }
    }
    await electing('first')
    const without = await writesOf(() => electing('without'))
    const keys = new Set(await client.keys('*'))
    const pages = await Promise.all([look(server.url), look(other.url)])
    for (const page of pages) await expect.poll(page.heard, { timeout: 30_000 }).toContain('event: ping')
    const beside = await writesOf(() => electing('beside'))
    for (const page of pages) page.leave()
    // The record of each, and no other key; servers begin theirs of the fleet and of work when a look of theirs is due.
    const isServersOwn = (key: string) => /^gone:\{~(fleet|work)\}:/.test(key)
    const added = (await client.keys('*')).filter((key) => !keys.has(key) && !isServersOwn(key))
    expect(added.toSorted()).toEqual(
      Array.from({ length: 100 }, (_, n) => `gone:{written}:round:beside-${n}`).toSorted(),
    )
    // One entry of the history and one fence each; servers write by themselves with other commands.
    for (const written of [without, beside]) expect(written).toMatchObject({ xadd: 100, incr: 100 })
  })
})

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
