import { isatty } from 'node:tty'
import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import { EXIT, SECOND_SIGNAL_MS } from './terminal.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** A process with one of these cannot go on: with a handler it would only come to the same instruction again, for ever. */
const FAULTS = ['SIGILL', 'SIGTRAP', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGSEGV'] as const
const STANDARD = [0, 1, 2] as const

interface StopParts {
  readonly graceMs: number
  readonly log: Logger
  readonly message: string
  /** Told of a promise whose rejection nobody handles, which then does not stop the process. */
  readonly onRejection?: (reason: unknown) => void
}

/**
 * Stops on a signal, or on an error that nobody handled, and ends the process: with 0 when `stop` has ended, with 1 when
 * it takes longer than `graceMs`, at a second signal, or after an error.
 *
 * @returns what ends it likewise where it cannot go on, with 1 and for a reason that has been told
 */
export function stopOnSignal(parts: StopParts, stop: (trouble?: Error) => Promise<void>): () => void {
  const { graceMs, log, message, onRejection } = parts
  let cannotGoOn = false
  let first: { readonly signal: NodeJS.Signals; readonly atMs: number } | undefined
  const terminals = STANDARD.filter((fd) => isatty(fd))
  // It would end the process at a second signal however soon that comes.
  const { close } = closeWithGrace(
    {
      delay: graceMs,
      logger: false,
      skip: [...SIGNALS, ...FAULTS, ...(onRejection ? (['unhandledRejection'] as const) : [])],
    },
    async ({ signal = first?.signal, err }) => {
      if (err) log.error({ err }, 'stopping after an error that nobody handled')
      else log.info({ signal }, message)
      await stop(err)
      log.info('stopped')
      // At its end Node aborts where a terminal is gone that it had.
      if (terminals.some((fd) => !isatty(fd))) hangUp()
      if (cannotGoOn) process.exit(EXIT.notNow)
    },
  )
  if (onRejection) process.on('unhandledRejection', onRejection)
  for (const name of SIGNALS) {
    process.on(name, (signal) => {
      if (first && performance.now() - first.atMs > SECOND_SIGNAL_MS) process.exit(EXIT.notNow)
      if (first) return
      first = { signal, atMs: performance.now() }
      void close()
    })
  }
  return () => {
    if (first) return
    cannotGoOn = true
    void close()
  }
}

/** Ends this process as the closing of its terminal ends any. */
function hangUp(): void {
  process.removeAllListeners('SIGHUP')
  process.kill(process.pid, 'SIGHUP')
}
