import type { Target } from './fuzz.ts'
import { makeKey } from './keys.ts'
import { startRedis } from './redis.ts'
import { startServeProcess } from './serve-process.ts'

export interface FuzzTarget extends Target {
  /** Of the server's process. */
  readonly pid: number | undefined
  /** @throws if the server has ended, or logged what a person must look at */
  expectNoDefect(): void
  stop(): Promise<void>
}

/** A real server with a Redis of its own, and four keys: for everything, for little, with shares that are soon used up, and unknown. */
export async function startFuzzTarget(): Promise<FuzzTarget> {
  const redis = await startRedis({ aof: 'off' })
  const all = await makeKey(redis, { actions: ['admin'] })
  const few = await makeKey(redis, { actions: ['read'], systems: ['a'] })
  const shares = { schedules: 3, queuedBytes: 20_000, submissions: 600, waits: 2 }
  const greedy = await makeKey(redis, { actions: ['submit', 'elect', 'read'], workers: ['a', 'b*'], shares })
  const server = await startServeProcess({ REDIS_URL: redis.url, GONE_LOG_LEVEL: 'info' })
  let errors = ''
  server.child.stdout?.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n')) if (line.includes('"level":50')) errors += `${line}\n`
  })
  return {
    url: server.url,
    pid: server.child.pid,
    keys: [all.text, few.text, greedy.text, `gone_0123456789ab_${'A'.repeat(43)}`],
    expectNoDefect() {
      const { exitCode, signalCode } = server.child
      if (exitCode !== null || signalCode !== null)
        throw new Error(`the server ended with ${exitCode ?? signalCode}`)
      if (errors) throw new Error(`the server logged a defect: ${errors}`)
    },
    async stop() {
      await server.stop()
      await redis.stop()
    },
  }
}
