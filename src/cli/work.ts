import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'

interface WorkOptions {
  readonly only?: string
  readonly redis?: string
}

/** `gone work`: workers that take submitted rounds from their queues. */
export function addWork(program: Command): void {
  program
    .command('work')
    .description('run workers: one file each, named as the queue that it serves')
    .argument('[folder]', 'where the workers are; without it the ones that come with gone')
    .option('--only <names>', 'only these workers, comma-separated')
    .option('--redis <url>', "the servers' Redis (REDIS_URL; else that of a server started in this folder)")
    .addHelpText(
      'after',
      '\nExamples:\n  $ gone work ./workers\n  $ REDIS_URL=redis://redis:6379 gone work --only webhook,shell\n\n' +
        'Exit codes:\n  0  stopped by a signal, and drained\n' +
        '  1  stopped before it was drained: at a second signal, or after GONE_SHUTDOWN\n' +
        '  2  a worker does not load, or the configuration is wrong',
    )
    .action(work)
}

async function work(folder: string | undefined, { only, redis }: WorkOptions): Promise<void> {
  const [
    { startWorkers },
    { loadWorkers },
    { readConfig },
    { createLog },
    { stopOnSignal },
    { withSecretFiles },
  ] = await Promise.all([
    import('../work.ts'),
    import('../worker-files.ts'),
    import('../config.ts'),
    import('../log.ts'),
    import('./stop-on-signal.ts'),
    import('../secrets.ts'),
  ])
  const env = { ...process.env, ...(redis !== undefined && { REDIS_URL: redis }) }
  const config = readConfig(env)
  const log = createLog('gone-work', config.logLevel, withSecretFiles(env))
  const workers = await loadWorkers(
    folder ?? ownFolder(),
    only?.split(',').map((name) => name.trim()),
  )
  const say = (line: string) => process.stderr.write(`${line}\n`)
  const running = await startWorkers(config, workers, { log, say })
  log.info({ workers: workers.map(({ name }) => name) }, 'working')

  stopOnSignal({ graceMs: config.shutdownMs, log, message: 'draining' }, () => running.stop())
}

/** The workers that come with the package: as far from here in its tree as in what is compiled of it. */
function ownFolder(): string {
  return fileURLToPath(new URL('../../workers', import.meta.url))
}
