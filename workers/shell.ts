/** Runs a command from a catalogue that the worker's owner writes. Settings and an example are in README.md. */

import { JobFailed } from '../src/core/rounds/job-failed.ts'
import { formatDuration } from '../src/core/time/duration.ts'
import { defineWorker, type WorkerContext, type WorkerHandler } from '../src/index.ts'
import { type Catalogue, type CatalogueEntry, readCatalogue } from './lib/catalogue.ts'
import { Fields } from './lib/fields.ts'
import { type Command, type CommandEnd, runInGroup } from './lib/process-group.ts'
import { TimeLimit } from './lib/time-limit.ts'

/** What is submitted, such as `{ command: 'backup', args: ['db1'], input: { keep: 7 } }`. */
export interface ShellData {
  /** The command's name in the catalogue. */
  readonly command: string
  /** Added to the command, where the catalogue allows it. */
  readonly args?: readonly string[]
  /** Any JSON; the command reads it on stdin. */
  readonly input?: unknown
}

export interface ShellResult {
  readonly exitCode: 0
  /** The end of the output, up to 8 KiB and 50 lines. */
  readonly tail: string
}

export interface ShellSettings {
  /** Missing: the worker is off. */
  readonly catalogue?: Catalogue
  /** What every command finds in its environment. */
  readonly env: Readonly<Record<string, string>>
}

type Env = Readonly<Record<string, string | undefined>>

/** What a command inherits from the worker. The rest may hold secrets that are none of its business. */
const INHERITED = ['PATH', 'HOME', 'LANG', 'GONE_INSTANCE']

/**
 * What the environment asks for. The catalogue is read once.
 *
 * @throws GoneError `CONFIG`
 */
export function shellSettings(env: Env): ShellSettings {
  const path = env.GONE_SHELL_CATALOGUE?.trim()
  const inherited = INHERITED.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]]))
  return { ...(path && { catalogue: readCatalogue(path) }), env: Object.fromEntries(inherited) }
}

/** The handler under other settings than the environment's. */
export function shellHandler({ catalogue, env }: ShellSettings): WorkerHandler<ShellData, ShellResult> {
  return async ({ data }, context) => {
    if (!catalogue) {
      throw new JobFailed('the shell worker is off: start it with GONE_SHELL_CATALOGUE=<path of a JSON file>')
    }
    const job = readData(data, catalogue)
    const { timeoutMs } = job.entry
    const limit = new TimeLimit(context.signal, timeoutMs)
    try {
      const end = await runInGroup(commandOf(job, context, env), limit.signal)
      const why = limit.isOver ? `took longer than ${formatDuration(timeoutMs ?? 0)}` : troubleOf(end)
      // The command has run: a log that cannot be written does not make that undone.
      await writeLog(end.lines, context).catch(() => undefined)
      if (why !== undefined) throw new Error(`${why}${shown(end)}`)
      return { exitCode: 0, tail: end.lines.join('\n') }
    } catch (error) {
      context.signal.throwIfAborted()
      throw new Error(`${job.name}: ${(error as Error).message}`, { cause: error })
    } finally {
      limit.lift()
    }
  }
}

export default defineWorker({ concurrency: 4 }, shellHandler(shellSettings(process.env)))

interface ShellJob {
  readonly name: string
  readonly entry: CatalogueEntry
  readonly args: readonly string[]
  readonly input: unknown
}

/** A bound of Linux on one variable, GONE_ARGS, is 128 KiB. */
const MAX_ARGS_BYTES = 32_768

function readData(data: unknown, catalogue: Catalogue): ShellJob {
  const fields = new Fields('data', data, ['command', 'args', 'input'], (message) => new JobFailed(message))
  const name = fields.text('command')
  if (name === undefined) throw fields.wrong('command', 'expected the name of a command')
  const entry = catalogue.get(name)
  if (!entry) throw fields.wrong('command', `"${name.slice(0, 64)}" is not in the catalogue`)
  const args = fields.texts('args') ?? []
  if (args.length > 0 && !entry.takesArgs) {
    throw fields.wrong('args', `"${name}" takes none; "args": true in the catalogue allows them`)
  }
  if (args.some((arg) => arg.includes('\0'))) throw fields.wrong('args', 'must not contain a NUL')
  const bytes = Buffer.byteLength(JSON.stringify(args))
  if (bytes > MAX_ARGS_BYTES)
    throw fields.wrong('args', `expected at most ${MAX_ARGS_BYTES} bytes, got ${bytes}`)
  return { name, entry, args, input: fields.any('input') }
}

function commandOf(
  { entry, args, input }: ShellJob,
  { system, round, fence, attempt }: WorkerContext,
  env: Readonly<Record<string, string>>,
): Command {
  const ours = {
    GONE_SYSTEM: system,
    GONE_ROUND: round,
    GONE_FENCE: String(fence),
    GONE_ATTEMPT: String(attempt),
    GONE_ARGS: JSON.stringify(args),
  }
  return {
    line: [...entry.command, ...args],
    ...(entry.cwd !== undefined && { cwd: entry.cwd }),
    env: { ...env, ...entry.env, ...ours },
    stdin: input === undefined ? '' : JSON.stringify(input),
  }
}

function troubleOf({ exitCode, killedBy }: CommandEnd): string | undefined {
  if (exitCode === 0) return undefined
  return killedBy === undefined ? `exit code ${exitCode}` : `killed by ${killedBy}`
}

async function writeLog(lines: readonly string[], context: WorkerContext): Promise<void> {
  for (const line of lines) await context.log(line)
}

const SHOWN_CHARS = 500

function shown({ lines }: CommandEnd): string {
  const tail = lines.join('\n').slice(-SHOWN_CHARS)
  return tail && `: ${tail}`
}
