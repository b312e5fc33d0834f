import type { Config } from '../config.ts'
import type { FromServer, StartServerProcess, ToServer } from '../core/siblings.ts'
import { startClustered } from '../process/server-process.ts'
import type { RedisTarget } from '../redis/connections.ts'
import { ServerProcesses } from '../service/server-processes.ts'
import { nowMs } from './assembly.ts'
import { Closing } from './closing.ts'
import type { Surroundings } from './lines.ts'
import type { GoneServer } from './server.ts'
import { redisOfServer } from './server-redis.ts'

export interface ProcessesStart extends Surroundings {
  readonly env: NodeJS.ProcessEnv
  readonly count: number
  /** The program of each, which is told where its Redis is, if that is not its settings' to say. */
  readonly program: URL
  readonly args: (redis: RedisTarget | undefined) => readonly string[]
  /** Told how to end what runs before the first of them does: that one answers callers while the others begin. */
  readonly onBeginning: (ends: Ends) => void
}

export interface Ends {
  stop(): Promise<void>
  killAll(): void
}

/** A process keeps to GONE_SHUTDOWN itself, unless it hangs. */
const LATE_MS = 500

/**
 * Starts so many processes that serve one port together, and Redis where none is given: that is this process' own.
 *
 * @throws GoneError with one line for the person who started it; nothing is left running then
 */
export async function startProcesses(config: Config, start: ProcessesStart): Promise<GoneServer> {
  const { log, env, count } = start
  const closing = new Closing()
  try {
    const { target, embedded } = await redisOfServer(config, env, start, closing)
    const args = start.args(embedded && target)
    const startProcess: StartServerProcess = (listener) =>
      startClustered<FromServer, ToServer>({ program: start.program, args, env }, listener)
    const processes = new ServerProcesses({
      count,
      startProcess,
      log,
      nowMs,
      random: Math.random,
      endMs: config.shutdownMs + LATE_MS,
      trouble: () => embedded?.trouble(),
    })
    closing.add('callers', () => processes.stop())
    const stop = () => closing.close(log)
    start.onBeginning({ stop, killAll: () => processes.killAll() })
    const url = await processes.start()
    const own = embedded && { dataDir: config.dataDir, lost: embedded.lost }
    return { url, ...own, stop }
  } catch (error) {
    await closing.close(log)
    throw error
  }
}
