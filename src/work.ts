import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Logger } from 'pino'
import { type Config, hidePassword } from './config.ts'
import { roundKey } from './core/round.ts'
import { GoneError } from './errors.ts'
import { RedlockGate } from './gate/redlock-gate.ts'
import { JobWorker } from './queue/job-worker.ts'
import { BullRoundQueue } from './queue/round-queue.ts'
import { RedisRecords } from './records/redis-records.ts'
import { connect, disconnect, type RedisClient, type RedisTarget } from './redis/connections.ts'
import { readPolicy, whenReachable, whenSettled } from './redis/readiness.ts'
import { JobRunner } from './service/job-runner.ts'
import type { LoadedWorker } from './worker-files.ts'

export interface RunningWorkers {
  /** Takes no more jobs, lets those that run end within `GONE_SHUTDOWN`, then gives them back. May be called twice. */
  stop(): Promise<void>
}

/** What workers need of the process that they run in. */
interface WorkSurroundings {
  readonly log: Logger
  readonly say: (line: string) => void
  /** Shorter where dead executors are to be followed sooner, at the price of trusting a silent one for less. */
  readonly gateTtlMs?: number
}

/** How long the gate holds without an extension; an executor that dies keeps others out for so long. */
const GATE_TTL_MS = 10_000
/** Of the time to stop, what is kept for handlers to notice that they were cut off, at most half of it. */
const CUT_OFF_MS = 6_000
/** And for closing connections after that. */
const CLOSING_MS = 500

/**
 * Starts workers on the Redis of the servers.
 *
 * @throws GoneError with one line for the person who started it; nothing is left running then
 */
export async function startWorkers(
  config: Config,
  workers: readonly LoadedWorker[],
  { log, say, gateTtlMs = GATE_TTL_MS }: WorkSurroundings,
): Promise<RunningWorkers> {
  const target = targetOf(config)
  const clients: RedisClient[] = []
  const open = (kind: 'commands' | 'waiting', name: string, to: RedisTarget = target) => {
    const client = connect(to, kind, name, log)
    clients.push(client)
    return client
  }
  const commands = open('commands', 'records')
  try {
    await whenReachable(commands, config.redisUrl && hidePassword(config.redisUrl), say)
    const policy = await readPolicy(commands, config.allowEviction)
    if (!policy.ready) throw new GoneError('CONFIG', policy.trouble)
  } catch (error) {
    await Promise.all(clients.map(disconnect))
    throw error
  }

  const records = new RedisRecords(commands, config.retentionMs)
  const rounds = new BullRoundQueue(open('commands', 'rounds'))
  const gateUrls: readonly RedisTarget[] = config.gateUrls.length > 0 ? config.gateUrls : [target]
  const gate = new RedlockGate(
    gateUrls.map((url, index) => open('commands', `gate-${index}`, url)),
    log,
  )
  await whenSettled(clients)
  const nowMs = () => performance.now()
  const runner = new JobRunner({ records, rounds, gate, log, nowMs, gateTtlMs })
  const running = workers.map(({ name, terms, handler }) => {
    const worker = new JobWorker({
      ...config,
      queue: name,
      terms,
      handler: (data, context) => Promise.resolve(handler({ id: roundKey(context), data }, context)),
      runner,
      client: open('waiting', `worker-${name}`),
      log,
      address: `${name}@${hostname()}:${process.pid}`,
    })
    worker.start()
    return worker
  })

  const drainMs = config.shutdownMs - Math.min(CUT_OFF_MS, config.shutdownMs / 2)
  const endMs = config.shutdownMs - Math.min(CLOSING_MS, config.shutdownMs / 10)
  let stopped: Promise<void> | undefined
  const stop = async () => {
    await Promise.all(running.map((worker) => worker.stop(drainMs, endMs)))
    await records.flush()
    await rounds.stop()
    await Promise.all(clients.map(disconnect))
  }
  return { stop: () => (stopped ??= stop()) }
}

/** REDIS_URL, or the embedded Redis of a server that was started in this folder. */
function targetOf({ redisUrl, dataDir }: Config): RedisTarget {
  if (redisUrl !== undefined) return redisUrl
  const path = resolve(dataDir, 'redis.sock')
  if (existsSync(path)) return { path }
  throw new GoneError(
    'REDIS_NOT_FOUND',
    `REDIS_URL: workers need the Redis of a server; set it, or start "gone serve" in this folder first (no ${path})`,
  )
}
