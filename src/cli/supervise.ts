import type { Logger } from 'pino'
import type { ReleasesFolder } from '../app/releases.ts'
import type { PressureTerms } from '../app/supervisor.ts'
import type { Config } from '../config.ts'
import type { Limits } from '../core/fleet/limits.ts'
import type { Runs } from '../core/fleet/pool.ts'
import type { PlaceName } from '../core/fleet/supervised.ts'
import { redactor, withSecretFiles } from '../secrets.ts'
import { folderOf, say, type WorkersChosen } from './run-workers.ts'
import { stopOnSignal } from './stop-on-signal.ts'
import type { SupervisedStart } from './supervised-work.ts'
import { EXIT } from './terminal.ts'

export interface SuperviseOptions {
  /** How many it keeps running; 0 where the pools of the fleet say how many. */
  readonly instances: number
  /** How many places of pools it takes; missing: none. */
  readonly pools?: number
  /** The root of the releases that these run; missing: what is in the folder of workers. */
  readonly releases?: string
  readonly limits: Limits
  readonly hungMs: number
  readonly pressure: PressureTerms
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
  { instances, pools, releases: root, limits, hungMs, pressure, probe }: SuperviseOptions,
): Promise<void> {
  const [{ startSupervisor }, { workerNames }] = await Promise.all([
    import('../app/supervisor.ts'),
    import('../app/worker-files.ts'),
  ])
  const { folder } = chosen
  const releases: ReleasesFolder | undefined =
    root === undefined ? undefined : { root, ...(folder !== undefined && { folder }) }
  const workers = releases ? [] : await workerNames(...folderOf(chosen, env))
  const supervisor = await startSupervisor(config, {
    instances,
    limits,
    hungMs,
    pressure,
    workers,
    program: new URL('./supervised-work.ts', import.meta.url),
    args: (place, runs) => [JSON.stringify(startOf(chosen, place, runs, releases))],
    ...(pools !== undefined && { pools: { most: pools, ...(releases && { releases }) } }),
    env,
    log,
    say,
    print: printer(log),
    redact: redactor(withSecretFiles(env)),
    ...(probe !== undefined && { probe }),
    // What is wrong with it is said: it is as if there were no supervisor.
    onUnusable: () => void supervisor.stop().finally(() => process.exit(EXIT.unknown)),
  })
  process.once('exit', () => supervisor.killAll())
  stopOnSignal({ graceMs: config.shutdownMs + KILL_MS, log, message: 'draining' }, () => supervisor.stop())
  log.info(
    {
      instances,
      ...(pools !== undefined && { pools }),
      workers,
      ...(supervisor.probe && { probe: supervisor.probe }),
    },
    'supervising',
  )
}

/** What an instance is started with: of a pool's place, its workers and its release. */
function startOf(
  chosen: WorkersChosen,
  place: string,
  { workers: only, release: name }: Runs = {},
  releases: ReleasesFolder | undefined,
): SupervisedStart {
  const release = name !== undefined && releases ? { ...releases, name } : undefined
  return { ...chosen, place, ...(only && { only }), ...(release && { release }) }
}

/** Prints lines of instances as ours, each with the place that it is from. */
function printer(log: Logger): (place: PlaceName, line: string, isError: boolean) => void {
  let left = 0
  for (const stream of [process.stdout, process.stderr])
    stream.on('drain', () => {
      if (left > 0) log.warn({ lines: left }, 'lines of instances were left out: nobody read them in time')
      left = 0
    })
  return (place, line, isError) => {
    const stream = isError ? process.stderr : process.stdout
    if (stream.writableLength > MAX_UNREAD_BYTES) left += 1
    else
      stream.write(
        line.startsWith('{"')
          ? `{"place":${JSON.stringify(place)},${line.slice(1)}\n`
          : `${place}| ${line}\n`,
      )
  }
}
