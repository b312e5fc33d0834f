import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import type { OrderedEnd } from '../app/instance.ts'
import type { RunningWorkers } from '../app/workers.ts'
import type { Config } from '../config.ts'
import { EXIT } from './terminal.ts'

/** Which workers are run. */
export interface WorkersChosen {
  /** Missing: the workers that come with gone. */
  readonly folder?: string
  /** Missing: all of them. */
  readonly only?: readonly string[]
}

/** What is to know of these workers besides the fleet. */
export interface RunHooks {
  readonly place?: string
  /** Missing: as if a signal had come, the process drains, and ends. */
  readonly onOrdered?: (how: OrderedEnd) => Promise<void>
  /** What the process exits with where an order ended it. */
  readonly endsWith?: Readonly<Record<OrderedEnd, number>>
}

/** What a process of workers is made of: its settings as the options have them, and its log. */
export async function workSetup(env: NodeJS.ProcessEnv): Promise<{
  readonly config: Config
  readonly log: Logger
}> {
  const [{ readConfig }, { createLog }, { withSecretFiles }] = await Promise.all([
    import('../config.ts'),
    import('../log.ts'),
    import('../secrets.ts'),
  ])
  const config = readConfig(env)
  return { config, log: createLog('gone-work', config, withSecretFiles(env)) }
}

/** Loads workers and runs them until a signal or an order ends this process. */
export async function runWorkers(
  chosen: WorkersChosen,
  env: NodeJS.ProcessEnv,
  { config, log }: { readonly config: Config; readonly log: Logger },
  hooks: RunHooks = {},
): Promise<RunningWorkers> {
  const [{ startWorkers }, { loadWorkers }, { readyAll }, { stopOnSignal }, { failureOf }] =
    await Promise.all([
      import('../app/workers.ts'),
      import('../app/worker-files.ts'),
      import('../app/ready-workers.ts'),
      import('./stop-on-signal.ts'),
      import('../core/rounds/handler-end.ts'),
    ])
  const { workers, leftOut } = await loadWorkers(...folderOf(chosen, env))
  await readyAll(workers)
  const { endsWith = { restart: EXIT.restart, stop: EXIT.done } } = hooks
  let ordered: OrderedEnd | undefined
  const onOrdered = async (how: OrderedEnd) => {
    await hooks.onOrdered?.(how)
    ordered = how
    if (!hooks.onOrdered) process.kill(process.pid, 'SIGTERM')
  }
  const running = await startWorkers(config, workers, { ...hooks, log, say, onOrdered })
  // Of which round it is nobody can tell, but that it is one of these: the others are not to end with it.
  const onRejection = (reason: unknown) => {
    const { reason: cause, stack } = failureOf(reason)
    log.error({ cause, stack, rounds: running.rounds() }, 'a promise was rejected that no handler awaits')
  }
  stopOnSignal({ graceMs: config.shutdownMs, log, message: 'draining', onRejection }, async (trouble) => {
    await running.stop(trouble)
    if (ordered) process.exit(endsWith[ordered])
  })
  // Said when it can be told to stop: until then a signal would end it without a word.
  log.info({ workers: workers.map(({ name }) => name), leftOut }, 'working')
  return running
}

export const say = (line: string) => void process.stderr.write(`${line}\n`)

/** Without one it could only fail what it is given. */
const NO_CATALOGUE = 'GONE_SHELL_CATALOGUE names no catalogue'

/** What finds the workers: the folder, those that are wanted, and why some of them cannot be served. */
export function folderOf(
  { folder, only }: WorkersChosen,
  env: NodeJS.ProcessEnv,
): [string, readonly string[] | undefined, Readonly<Record<string, string>>] {
  const off = folder === undefined && !env.GONE_SHELL_CATALOGUE?.trim() ? { shell: NO_CATALOGUE } : {}
  return [folder ?? ownFolder(), only, off]
}

/** The workers that come with the package: as far from here in its tree as in what is compiled of it. */
function ownFolder(): string {
  return fileURLToPath(new URL('../../workers', import.meta.url))
}
