import pino, { type Logger } from 'pino'
import { afterAll } from 'vitest'
import { type GoneServer, startServer } from '../../src/app/server.ts'
import { readConfig } from '../../src/config.ts'
import { startRedis, type TestRedis } from './redis.ts'

export interface TestServer {
  /** Such as `http://127.0.0.1:40123`. */
  readonly url: string
  readonly redis: TestRedis
  /** Stops the server, and its Redis where that was started for it. May be called twice. */
  stop(): Promise<void>
}

interface TestServerOptions {
  /** Settings as the server reads them; the environment of the test process is not read. */
  readonly env?: Readonly<Record<string, string>>
  /** To share one between servers; its owner stops it. */
  readonly redis?: TestRedis
  /** Default: nothing is logged. */
  readonly log?: Logger
}

const open = new Set<TestServer>()

afterAll(async () => {
  for (const server of open) await server.stop()
})

/** A real server on a free port, by default with a Redis of its own. It ends with the test file in any case. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const redis = options.redis ?? (await startRedis())
  const stopRedis = async () => {
    if (options.redis === undefined) await redis.stop()
  }
  const server = await startOn(redis, options).catch(async (error: unknown) => {
    await stopRedis()
    throw error
  })
  let stopped: Promise<void> | undefined
  const test: TestServer = {
    url: server.url,
    redis,
    stop() {
      open.delete(test)
      stopped ??= server.stop().finally(stopRedis)
      return stopped
    },
  }
  open.add(test)
  return test
}

function startOn(redis: TestRedis, { env, log }: TestServerOptions): Promise<GoneServer> {
  const settings = { REDIS_URL: redis.url, GONE_PORT: '0', GONE_LOG_LEVEL: 'silent', ...env }
  const config = readConfig(settings)
  return startServer(config, { env: settings, log: log ?? pino({ level: config.logLevel }), say: () => {} })
}
