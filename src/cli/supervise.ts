import type { Logger } from 'pino'
import type { Config } from '../config.ts'
import type { Limits } from '../core/fleet/limits.ts'
import { redactor, withSecretFiles } from '../secrets.ts'
import { folderOf, say, type WorkersChosen } from './run-workers.ts'
import { stopOnSignal } from './stop-on-signal.ts'
import type { SupervisedStart } from './supervised-work.ts'
import { EXIT } from './terminal.ts'

export interface SuperviseOptions {
  readonly instances: number
  readonly limits: Limits
  readonly hungMs: number
  readonly probe?: number
}

/** Beyond what instances have for their end, for those that did not keep to it. */
const KILL_MS = 2_000
/** A reader that takes nothing is not waited for: beyond this, lines are left out, and counted. */
const MAX_UNREAD_BYTES = 1_048_576

/** The parent of `gone work --instances`: runs no handler, and does not load one. */
export async function supervise(
  chosen: WorkersChosen,
  env: NodeJS.ProcessEnv,
  { config, log }: { readonly config: Config; readonly log: Logger },
  { instances, limits, hungMs, probe }: SuperviseOptions,
): Promise<void> {
  const [{ startSupervisor }, { workerNames }] = await Promise.all([
    import('../app/supervisor.ts'),
    import('../app/worker-files.ts'),
  ])
  const workers = await workerNames(...folderOf(chosen, env))
  const supervisor = await startSupervisor(config, {
    instances,
    limits,
    hungMs,
    workers,
    program: new URL('./supervised-work.ts', import.meta.url),
    args: (place) => [JSON.stringify({ ...chosen, place } satisfies SupervisedStart)],
    env,
    log,
    say,
    print: printer(log),
    redact: redactor(withSecretFiles(env)),
    ...(probe !== undefined && { probe }),
    // What is wrong with it is said: it is as if there were no supervisor.
    onUnusable: () => void supervisor.stop().finally(() => process.exit(EXIT.unknown)),
  })
  log.info({ instances, workers, ...(supervisor.probe && { probe: supervisor.probe }) }, 'supervising')
  process.once('exit', () => supervisor.killAll())
  stopOnSignal({ graceMs: config.shutdownMs + KILL_MS, log, message: 'draining' }, () => supervisor.stop())
}

/** Prints lines of instances as ours, each with the place that it is from. */
function printer(log: Logger): (place: number, line: string, isError: boolean) => void {
  let left = 0
  for (const stream of [process.stdout, process.stderr])
    stream.on('drain', () => {
      if (left > 0) log.warn({ lines: left }, 'lines of instances were left out: nobody read them in time')
      left = 0
    })
  return (place, line, isError) => {
    const stream = isError ? process.stderr : process.stdout
    if (stream.writableLength > MAX_UNREAD_BYTES) left += 1
    else stream.write(line.startsWith('{"') ? `{"place":${place},${line.slice(1)}\n` : `${place}| ${line}\n`)
  }
}
