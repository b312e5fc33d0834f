import type { Command } from 'commander'
import { createClient, type GoneClient } from '../client/client.ts'
import { formatDuration } from '../core/time/duration.ts'
import { callAfter } from '../waiting.ts'
import { addServerOptions, clientOptions, type ServerOptions } from './server-options.ts'
import { type Colors, colorsOf, EXIT, exitWith } from './terminal.ts'

/** The options of every command that asks a server. */
export interface AskOptions extends ServerOptions {
  readonly json?: boolean
  readonly candidate?: string
  readonly wait?: string
}

/** What a command found out: said as text, or with --json as what the SDK answers. */
export interface Answer {
  /** Makes the exit code: 0 or 1. */
  readonly isDone: boolean
  readonly text: string
  readonly json: unknown
}

/** Finds out what a command was asked; what takes long looks at the signal, whose abort says that nobody waits any more. */
export type Find = (client: GoneClient, colors: Colors, signal: AbortSignal) => Promise<Answer>

const PATIENCE_MS = 1_000
const NEVER = new AbortController().signal

export function addAskOptions(command: Command): Command {
  return addServerOptions(command).option('--json', 'print JSON')
}

/** The end of a command's help. `meanings` are those of the exit codes 0 and, where there is one, 1. */
export function helpText(
  examples: readonly string[],
  meanings: readonly string[],
  unknown = 'could not tell: bad usage, or no answer from the server',
): string {
  const codes = meanings.map((meaning, code) => `  ${code}  ${meaning}\n`).join('')
  return (
    `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}\n\nExit codes:\n${codes}` +
    `  2  ${unknown}`
  )
}

/** Runs a command that asks a server: prints what it found out and sets the exit code. */
export async function ask(options: AskOptions, find: Find): Promise<void> {
  process.once('uncaughtException', (error) => void exitWith(error, options.json))
  const callOff = callAfter(PATIENCE_MS, () => {
    if (process.stderr.isTTY && !options.wait) sayPatience(options)
  })
  try {
    const { candidate = null } = options
    // Without a token of the caller's there is none: a random one would be gone by the time of `gone complete`.
    const client = createClient({ ...clientOptions(options), candidate })
    const { isDone, text, json } = await find(client, colorsOf(process.stdout), NEVER)
    process.stdout.write(`${options.json ? JSON.stringify(json) : text}\n`)
    process.exitCode = isDone ? EXIT.done : EXIT.notNow
  } catch (error) {
    await exitWith(error, options.json)
  } finally {
    callOff()
  }
}

/** The options that were given; the SDK's are missing rather than undefined. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof given<T>
  >
}

/** To the person who waits. */
function sayPatience({ server, timeout }: AskOptions): void {
  process.stderr.write(`no answer from ${server} yet, asking again for up to ${formatDuration(timeout)}\n`)
}
