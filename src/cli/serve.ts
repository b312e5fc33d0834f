import type { Command } from 'commander'
import type { Logger } from 'pino'
import type { GoneServer } from '../app/server.ts'
import type { Config } from '../config.ts'
import { tellWithoutInit } from './first-process.ts'
import { processCount } from './option-values.ts'
import type { ServedStart } from './served-process.ts'
import { EXIT } from './terminal.ts'
import { WorkProcess } from './work-process.ts'

interface ServeOptions {
  readonly host?: string
  readonly port?: string
  readonly redis?: string
  readonly dataDir?: string
  /** True: the workers that come with gone. */
  readonly work?: string | true
  readonly processes?: number
}

interface Setup {
  readonly env: NodeJS.ProcessEnv
  readonly config: Config
  readonly log: Logger
  /** From now on signals end the process, and before that whatever it was given to stop, the latest first. */
  readonly heedSignals: (stop: () => Promise<void>) => void
}

/** Beyond what processes have for their end, for those that did not keep to it. */
const KILL_MS = 2_000

/** `gone serve`: a facade until it is told to stop. */
export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run a server: HTTP facade, board and, without REDIS_URL, a Redis of its own')
    .option('--host <address>', 'address to listen on (GONE_HOST, default 127.0.0.1)')
    .option('--port <number>', 'port to listen on (GONE_PORT, default 8080)')
    .option('--redis <url>', 'Redis to use (REDIS_URL)')
    .option('--data-dir <folder>', 'where an embedded Redis keeps its data (GONE_DATA_DIR, default .gone)')
    .option('--work [folder]', 'run workers too, as a process apart; without a folder those of gone')
    .option(
      '--processes <number>',
      'so many processes that serve the port together, or auto: one for each core (default: 1)',
      processCount,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ gone serve\n  $ gone serve --work ./workers\n' +
        '  $ REDIS_URL=redis://redis:6379 gone serve --port 8081\n  $ gone serve --processes auto\n\n' +
        'Exit codes:\n  0  stopped by a signal, and drained\n' +
        '  1  a second signal, GONE_SHUTDOWN passed, or its data folder was taken away\n' +
        '  2  it cannot start: a wrong setting, no Redis, or the port is taken;\n' +
        '     with --work also: a worker does not load',
    )
    .action(serve)
}

async function serve(options: ServeOptions): Promise<void> {
  const [{ readConfig }, { createLog }, { stopOnSignal }, { withSecretFiles }] = await Promise.all([
    import('../config.ts'),
    import('../log.ts'),
    import('./stop-on-signal.ts'),
    import('../secrets.ts'),
  ])
  const { processes = 1 } = options
  const env = { ...process.env, ...settingsOf(options) }
  const config = readConfig(env)
  const log = createLog('gone', config, withSecretFiles(env))
  tellWithoutInit(log)
  const graceMs = config.shutdownMs + (processes > 1 ? KILL_MS : 0)
  const stops: (() => Promise<void>)[] = []
  let end: (() => void) | undefined
  const heedSignals = (stop: () => Promise<void>) => {
    stops.unshift(stop)
    end ??= stopOnSignal({ graceMs, log, message: 'stopping' }, async () => {
      for (const each of stops) await each()
    })
  }
  const server = await (processes === 1 ? startHere : startApart(processes))({
    env,
    config,
    log,
    heedSignals,
  })
  // Before it is said that it serves: until then a signal ends it without a word.
  heedSignals(() => server.stop())
  log.info(
    {
      url: server.url,
      redis: server.dataDir ? `embedded, data in ${server.dataDir}` : 'given',
      ...(processes > 1 && { processes }),
    },
    'listening',
  )
  // On a terminal the line before says where it listens, unless its level is not shown.
  if (process.stderr.isTTY)
    say(`  console  ${server.url}${config.basePath}/\n  docs     ${server.url}${config.basePath}/docs`)

  void server.lost?.then(end)
  const workers = options.work === undefined ? undefined : workersOf(options.work, { env, config, log })
  if (workers) heedSignals(() => workers.stop())
  workers?.start()
  void workers?.unable.then(async () => {
    await server.stop()
    process.exit(EXIT.unknown)
  })
}

const say = (line: string) => void process.stderr.write(`${line}\n`)

async function startHere({ config, log }: Setup): Promise<GoneServer> {
  const { startServer } = await import('../app/server.ts')
  return startServer(config, { env: process.env, log, say })
}

/** This process serves nothing then, and loads no more than it needs to look after those that do. */
function startApart(count: number) {
  return async ({ env, config, log, heedSignals }: Setup): Promise<GoneServer> => {
    const { startProcesses } = await import('../app/processes.ts')
    return startProcesses(config, {
      env,
      log,
      say,
      count,
      program: new URL('./served-process.ts', import.meta.url),
      args: (redis) => [JSON.stringify({ ...(redis !== undefined && { redis }) } satisfies ServedStart)],
      onBeginning(ends) {
        heedSignals(ends.stop)
        process.once('exit', ends.killAll)
      },
    })
  }
}

/** They report to the Redis that may be this server's own, so they end first: of the time there is they get a half. */
function workersOf(folder: string | true, { env, config, log }: Omit<Setup, 'heedSignals'>): WorkProcess {
  const workMs = Math.max(100, Math.floor(config.shutdownMs / 2))
  return new WorkProcess({
    ...(folder !== true && { folder }),
    env: { ...env, GONE_SHUTDOWN: `${workMs}ms` },
    log,
    // A handler that blocks keeps its process from minding the time.
    endMs: workMs * 1.25,
  })
}

/** Options are settings said on the command line; they win over the environment. */
function settingsOf({ host, port, redis, dataDir }: ServeOptions): Record<string, string> {
  return {
    ...(host !== undefined && { GONE_HOST: host }),
    ...(port !== undefined && { GONE_PORT: port }),
    ...(redis !== undefined && { REDIS_URL: redis }),
    ...(dataDir !== undefined && { GONE_DATA_DIR: dataDir }),
  }
}
