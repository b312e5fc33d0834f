import type { Target } from './fuzz.ts'
import { makeKey } from './keys.ts'
import { startRedis } from './redis.ts'
import { startServeProcess } from './serve-process.ts'

export interface FuzzTarget extends Target {
  /** @throws if the server has ended, or logged what a person must look at */
  expectNoDefect(): void
  stop(): Promise<void>
}

/** A real server with a Redis of its own, and three keys: for everything, for little, and unknown. */
export async function startFuzzTarget(): Promise<FuzzTarget> {
  const redis = await startRedis({ aof: 'off' })
  const all = await makeKey(redis, { actions: ['admin'] })
  const few = await makeKey(redis, { actions: ['read'], systems: ['a'] })
  const server = await startServeProcess({ REDIS_URL: redis.url, GONE_LOG_LEVEL: 'info' })
  let errors = ''
  server.child.stdout?.on('data', (chunk: Buffer) => {
    for (const line of chunk.toString().split('\n')) if (line.includes('"level":50')) errors += `${line}\n`
  })
  return {
    url: server.url,
    keys: [all.text, few.text, `gone_0123456789ab_${'A'.repeat(43)}`],
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
