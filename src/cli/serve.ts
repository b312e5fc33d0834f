import type { Command } from 'commander'

interface ServeOptions {
  readonly host?: string
  readonly port?: string
  readonly redis?: string
  readonly dataDir?: string
}

/** `gone serve`: a facade until it is told to stop. */
export function addServe(program: Command): void {
  program
    .command('serve')
    .description('run a server: HTTP facade, board and, without REDIS_URL, a Redis of its own')
    .option('--host <address>', 'address to listen on (GONE_HOST, default 127.0.0.1)')
    .option('--port <number>', 'port to listen on (GONE_PORT, default 8080)')
    .option('--redis <url>', 'Redis to use (REDIS_URL)')
    .option('--data-dir <folder>', 'where an embedded Redis keeps its data (GONE_DATA_DIR, default .gone)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ gone serve\n  $ REDIS_URL=redis://redis:6379 gone serve --host 0.0.0.0\n\n' +
        'Exit codes:\n  0  stopped by a signal, and drained\n' +
        '  1  stopped before it was drained: at a second signal, or after GONE_SHUTDOWN\n' +
        '  2  it cannot start: a wrong setting, no Redis, or the port is taken',
    )
    .action(serve)
}

async function serve(options: ServeOptions): Promise<void> {
  const [{ startServer }, { readConfig }, { createLog }, { stopOnSignal }, { withSecretFiles }] =
    await Promise.all([
      import('../app.ts'),
      import('../config.ts'),
      import('../log.ts'),
      import('./stop-on-signal.ts'),
      import('../secrets.ts'),
    ])
  const env = { ...process.env, ...settingsOf(options) }
  const config = readConfig(env)
  const log = createLog('gone', config.logLevel, withSecretFiles(env))
  const say = (line: string) => process.stderr.write(`${line}\n`)
  const server = await startServer(config, { env: process.env, log, say })
  log.info(
    { url: server.url, redis: server.dataDir ? `embedded, data in ${server.dataDir}` : 'given' },
    'listening',
  )
  if (process.stderr.isTTY)
    say(`listening on ${server.url}\n  board  ${server.url}/board\n  docs   ${server.url}/docs`)

  stopOnSignal({ graceMs: config.shutdownMs, log, message: 'stopping' }, () => server.stop())
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
