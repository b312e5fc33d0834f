import closeWithGrace from 'close-with-grace'
import type { Logger } from 'pino'
import { EXIT, SECOND_SIGNAL_MS } from './terminal.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Stops on a signal, or on an error that nobody handled, and ends the process: with 0 when `stop` has ended, with 1 when
 * it takes longer than `graceMs`, at a second signal, or after an error.
 */
export function stopOnSignal(
  parts: { readonly graceMs: number; readonly log: Logger; readonly message: string },
  stop: () => Promise<void>,
): void {
  const { graceMs, log, message } = parts
  let first: { readonly signal: NodeJS.Signals; readonly atMs: number } | undefined
  // It would end the process at a second signal however soon that comes.
  const { close } = closeWithGrace(
    { delay: graceMs, logger: false, skip: [...SIGNALS] },
    async ({ signal = first?.signal, err }) => {
      if (err) log.error({ err }, 'stopping after an error that nobody handled')
      else log.info({ signal }, message)
      await stop()
      log.info('stopped')
    },
  )
  for (const name of SIGNALS) {
    process.on(name, (signal) => {
      if (first && performance.now() - first.atMs > SECOND_SIGNAL_MS) process.exit(EXIT.notNow)
      if (first) return
      first = { signal, atMs: performance.now() }
      void close()
    })
  }
}
