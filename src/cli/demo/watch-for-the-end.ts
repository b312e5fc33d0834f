import { EXIT, SECOND_SIGNAL_MS } from '../terminal.ts'

/**
 * Calls on a signal, when nobody reads the output any more, and when the process that started this one has gone: npm
 * and tsx stand between it and the terminal, and a kill -9 of them tells it nothing.
 */
export function watchForTheEnd(onEnd: () => void): () => void {
  let firstMs: number | undefined
  const onSignal = () => {
    firstMs ??= performance.now()
    if (performance.now() - firstMs > SECOND_SIGNAL_MS) process.exit(EXIT.unknown)
    onEnd()
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const signal of signals) process.on(signal, onSignal)
  process.stdout.on('error', onEnd)
  const parentPid = process.ppid
  const timer = setInterval(() => {
    if (process.ppid !== parentPid) onEnd()
  }, 500)
  return () => {
    clearInterval(timer)
    for (const signal of signals) process.off(signal, onSignal)
  }
}
