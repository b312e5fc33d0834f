import pino from 'pino'
import { afterEach } from 'vitest'
import { type RunningWorkers, startWorkers } from '../../src/app/workers.ts'
import type { WorkerDefinition } from '../../src/client/define-worker.ts'
import { readConfig } from '../../src/config.ts'
import type { TestRedis } from './redis.ts'

const open = new Set<RunningWorkers>()

afterEach(async () => {
  for (const workers of open) await workers.stop()
  open.clear()
})

/** Workers in this process, on the test's Redis; they stop with the test in any case. */
export async function startTestWorkers(
  redis: TestRedis,
  handlers: Readonly<Record<string, WorkerDefinition['handler']>>,
  options: {
    readonly env?: Readonly<Record<string, string>>
    readonly attempts?: number
    readonly concurrency?: number
    readonly timeoutMs?: number
    readonly parseConfig?: (config: unknown) => unknown
  } = {},
): Promise<RunningWorkers> {
  const config = readConfig({ REDIS_URL: redis.url, GONE_LOG_LEVEL: 'silent', ...options.env })
  const { attempts = 3, timeoutMs, parseConfig } = options
  const workers = Object.entries(handlers).map(([name, handler]) => ({
    name,
    handler,
    ...(parseConfig && { parseConfig }),
    terms: {
      concurrency: options.concurrency ?? 4,
      attempts,
      backoff: { type: 'fixed', delayMs: 20 } as const,
      lockMs: 2_000,
      ...(timeoutMs !== undefined && { timeoutMs }),
    },
  }))
  const running = await startWorkers(config, workers, {
    log: pino({ level: config.logLevel }),
    say: () => {},
  })
  open.add(running)
  return running
}
