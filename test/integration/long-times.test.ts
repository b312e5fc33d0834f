import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import pino from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadWorkers } from '../../src/app/worker-files.ts'
import { startWorkers } from '../../src/app/workers.ts'
import { createClient } from '../../src/client/client.ts'
import { readConfig } from '../../src/config.ts'
import { startTestServer, type TestServer } from '../support/server.ts'

let server: TestServer
let folder: string
let refused = 0

beforeAll(async () => {
  server = await startTestServer()
  folder = await mkdtemp(join(tmpdir(), 'gone-workers-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

async function writeWorker(name: string, options: object): Promise<void> {
  const handler = 'async () => { await new Promise((resolve) => setTimeout(resolve, 1_000)); return "done" }'
  await writeFile(
    join(folder, `${name}.mjs`),
    `export default { options: ${JSON.stringify(options)}, handler: ${handler} }\n`,
  )
}

it.each([
  [{ lock: '8d' }, 'lock: expected a duration like "30s" from 1 s to 7 d, got "8d"'],
  [{ lock: '60d' }, 'lock: expected a duration like "30s" from 1 s to 7 d, got "60d"'],
  [{ lock: '10ms' }, 'lock: expected a duration like "30s" from 1 s to 7 d, got "10ms"'],
  [
    { backoff: { type: 'fixed', delay: '60d' } },
    'backoff.delay: expected a duration like "30s" from 0 ms to 7 d, got "60d"',
  ],
  [{ timeout: 0 }, 'timeout: expected a duration like "30s" of at least 1 ms, got 0'],
])('a worker with %j is refused when it is loaded', async (options, message) => {
  // A module of a path is loaded once.
  const name = `refused-${refused++}`
  await writeWorker(name, options)
  await expect(loadWorkers(folder, [name])).rejects.toThrow(message)
})

it('a handler has the months that its worker gives it, and a lock of days costs no more than one of seconds', async () => {
  await writeWorker('patient', { timeout: '60d', lock: '7d' })
  const config = readConfig({ REDIS_URL: server.redis.url, GONE_LOG_LEVEL: 'silent' })
  const { workers: loaded } = await loadWorkers(folder, ['patient'])
  const workers = await startWorkers(config, loaded, { log: pino({ level: 'silent' }), say: () => {} })
  const redis = new Redis(server.redis.url)
  try {
    const client = createClient({ url: server.url })
    const before = await scriptsRun(redis)
    await client.submit('jobs', 'patient', { worker: 'patient' })
    const round = await client.wait('jobs', 'patient', { timeout: '20s' })
    expect(round).toMatchObject({ state: 'completed', completion: { result: 'done' } })
    expect((await scriptsRun(redis)) - before).toBeLessThan(100)
  } finally {
    redis.disconnect()
    await workers.stop()
  }
})

async function scriptsRun(redis: Redis): Promise<number> {
  const stats = await redis.info('commandstats')
  const calls = [...stats.matchAll(/^cmdstat_eval(?:sha)?:calls=(\d+)/gm)]
  return calls.reduce((sum, [, count]) => sum + Number(count), 0)
}

it('a submission that waits for days is remembered from when it may be started', async () => {
  const short = await startTestServer({ env: { GONE_RETENTION: '8d', GONE_JOB_RETENTION: '1s' } })
  const client = createClient({ url: short.url })
  const at = new Date(Date.now() + 6 * 86_400_000).toISOString()
  await client.submit('kept', 'delayed', { worker: 'later', delay: '7d' })
  await client.submit('kept', 'at', { worker: 'later', at })
  await client.submit('kept', 'now', { worker: 'later' })
  const redis = new Redis(short.redis.port)
  const daysOf = async (round: string) => (await redis.pttl(`gone:{kept}:round:${round}`)) / 86_400_000
  // A slow test has used up seconds of them.
  expect(await daysOf('delayed')).toBeCloseTo(15, 2)
  expect(await daysOf('at')).toBeCloseTo(14, 2)
  expect(await daysOf('now')).toBeCloseTo(8, 2)
  redis.disconnect()
  await short.stop()
})
