import { afterEach, expect, it, vi } from 'vitest'
import { startTestServer } from '../support/server.ts'

const seen = vi.hoisted(() => ({ made: [] as object[], started: [] as object[], ended: [] as object[] }))

vi.mock('../../src/service/loop.ts', async (original) => {
  const real = await original<typeof import('../../src/service/loop.ts')>()
  class Loop extends real.Loop {
    constructor(...terms: ConstructorParameters<typeof real.Loop>) {
      super(...terms)
      seen.made.push(this)
    }
    override start(): void {
      seen.started.push(this)
      super.start()
    }
    override async stop(): Promise<void> {
      await super.stop()
      seen.ended.push(this)
    }
  }
  return { ...real, Loop }
})

vi.mock('../../src/queue/bullmq.ts', async (original) => {
  const { bullmq } = await original<typeof import('../../src/queue/bullmq.ts')>()
  class Worker extends bullmq.Worker {
    constructor(...terms: ConstructorParameters<typeof bullmq.Worker>) {
      super(...terms)
      seen.made.push(this)
    }
    override run(): Promise<void> {
      seen.started.push(this)
      return super.run()
    }
    override async close(force?: boolean): Promise<void> {
      await super.close(force)
      seen.ended.push(this)
    }
  }
  return { bullmq: { ...bullmq, Worker } }
})

afterEach(() => {
  for (const list of Object.values(seen)) list.length = 0
})

/** How many of these are not among those: the things themselves take half a minute to print. */
const missing = (those: readonly object[], of: readonly object[]) =>
  of.filter((work) => !those.includes(work)).length

it('starts everything that is to work by itself, once, and ends it when the server stops', async () => {
  const server = await startTestServer({ env: { GONE_ALERT_URL: 'http://127.0.0.1:9/' } })
  // The loops of keyring, uses of keys, store watch, sweeper, deadline watch, watchdog, watchman, fleet watch, pools, forgotten queues, beat of the server, and two each
  // of series and roll call; three workers.
  expect(seen.made.length).toBe(18)
  expect(missing(seen.started, seen.made)).toBe(0)
  expect(seen.started.length).toBe(18)
  expect(seen.ended.length).toBe(0)
  await server.stop()
  expect(missing(seen.ended, seen.made)).toBe(0)
})

it('ends it also where the server could not start', async () => {
  const first = await startTestServer()
  const madeBefore = seen.made.length
  const env = { GONE_PORT: new URL(first.url).port }
  await expect(startTestServer({ redis: first.redis, env })).rejects.toThrow('is taken')
  const failed = seen.made.slice(madeBefore)
  expect(failed.length).toBe(17)
  expect(missing(seen.started, failed)).toBe(17)
  expect(missing(seen.ended, failed)).toBe(0)
})
