import type { Logger } from 'pino'

/**
 * Says in the first line of a log that an init is missing: processes that lose their parent become children of the first
 * process of a container, and what of them has ended stays in its table, of which Node clears away none.
 */
export function tellWithoutInit(log: Logger): void {
  if (process.pid !== 1) return
  log.warn(
    {},
    'this is the first process of its container, and ended processes that lose their parent will fill it up: start it by an init ' +
      '(tini, docker run --init, "init: true" in compose)',
  )
}
