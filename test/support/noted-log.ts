import type { Log } from '../../src/core/rounds/round-ports.ts'

/** A log whose lines the test reads: `warn job not queued yet`. */
export function notedLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = []
  const note = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`)
  return {
    lines,
    log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
  }
}
