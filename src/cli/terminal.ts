import type { WriteStream } from 'node:tty'
import pc from 'picocolors'
import { visible } from '../core/printable.ts'
import { type ErrorCode, GoneError } from '../errors.ts'
import { exitWhenRead } from '../process/exit.ts'
import { jsonRedactor, redactor } from '../secrets.ts'

/** What a command says to the shell. `notNow`: lost, not yet, refused. `unknown`: nobody could tell, or bad usage. `restart`: to be started again, EX_TEMPFAIL of sysexits. */
export const EXIT = { done: 0, notNow: 1, unknown: 2, restart: 75 } as const

/** A Ctrl-C may come twice, from the terminal and from npm: only what comes later is a second signal. */
export const SECOND_SIGNAL_MS = 500

export type Colors = ReturnType<typeof colorsOf>

/** What a person at a shell does about an error that the SDK words for everybody. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  SERVER_UNREACHABLE: 'start one with "gone serve", or name it with --server or GONE_URL',
  UNAUTHORIZED: 'show a key by GONE_KEY or --key-file; "gone key create" makes one',
}

type Stream = Pick<WriteStream, 'isTTY'>

/** Colours where a person looks, and plain text in pipes, logs and dumb terminals. See https://no-color.org */
export function colorsOf(stream: Stream): ReturnType<typeof pc.createColors> {
  const { NO_COLOR, TERM } = process.env
  return pc.createColors(stream.isTTY === true && !NO_COLOR && TERM !== 'dumb')
}

/** How many columns a line may have; in a pipe as many as it likes. */
export function columnsOf({ isTTY, columns }: Pick<WriteStream, 'isTTY' | 'columns'>): number {
  return isTTY === true ? columns : Number.POSITIVE_INFINITY
}

/** Ends the process, and never resolves, with the error in one line; the stack of a defect only for a person who debugs. */
export function exitWith(error: unknown, isJson = false): Promise<never> {
  sayError(error, isJson)
  return exitWhenRead(EXIT.unknown)
}

/** Says the error in one line, as the command that ends by it does. */
export function sayError(error: unknown, isJson = false): void {
  const redact = redactor(process.env)
  const known = withHint(error)
  const line = isJson ? jsonRedactor(redact)(errorJson(known)) : redact(errorLine(known))
  process.stderr.write(`${line}\n`)
}

/**
 * Where what a command prints cannot be written, what it has decided is decided all the same: it ends with that code, and
 * in silence where the reader has gone.
 */
export function heedUnread(isLasting: boolean): void {
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isLasting) return
    if (error.code === 'EPIPE') process.exit()
    process.stderr.write(`gone: cannot write to standard output: ${oneLine(error.message)}\n`)
    // A code that says nothing of a decision would say that all is well.
    process.exit(process.exitCode ?? EXIT.unknown)
  })
}

function withHint(error: unknown): unknown {
  if (!(error instanceof GoneError)) return error
  const hint = HINTS[error.code]
  return hint === undefined ? error : new GoneError(error.code, `${error.message}; ${hint}`, { cause: error })
}

function errorLine(error: unknown): string {
  const name = colorsOf(process.stderr).red('gone:')
  if (error instanceof GoneError) return `${name} ${oneLine(error.message)}`
  if (process.env.GONE_LOG_LEVEL === 'debug' && error instanceof Error) return `${name} ${error.stack}`
  return `${name} defect: ${oneLine(String(error))} (GONE_LOG_LEVEL=debug shows where)`
}

function errorJson(error: unknown): string {
  const code = error instanceof GoneError ? error.code : 'INTERNAL'
  return JSON.stringify({ code, message: error instanceof Error ? error.message : String(error) })
}

function oneLine(text: string): string {
  return visible(text.replace(/\s*\n\s*/g, ' '))
}
