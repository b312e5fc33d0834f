import type { Log } from '../core/rounds/round-ports.ts'
import type { Calm } from '../service/calm.ts'

/** A collection stops everything for a moment, so whoever becomes calm again and again makes few. */
const AT_MOST_EVERY_MS = 600_000

/**
 * Gives back what the start, or a burst of work, has taken and does not need any more: where nothing is made the garbage collector does
 * not come by for a long time, and half of the memory would stay taken.
 */
export function spareMemory(calm: Calm, nowMs: () => number, log: Log): void {
  let collectedAtMs = Number.NEGATIVE_INFINITY
  calm.follow((isCalm) => {
    if (!isCalm || nowMs() - collectedAtMs < AT_MOST_EVERY_MS) return
    collectedAtMs = nowMs()
    // A Node without its inspector, or whose permissions leave it out, keeps the memory.
    giveBack().catch((cause: unknown) => log.debug({ cause: String(cause) }, 'no memory was given back'))
  })
}

/**
 * By the inspector, which says that memory is short: `gc()` frees what is dead, and keeps the room that new objects had, up to 32 MB.
 *
 * @throws Error where this process has no inspector
 */
export async function giveBack(): Promise<void> {
  const { Session } = await import('node:inspector/promises')
  const session = new Session()
  session.connect()
  try {
    await session.post('HeapProfiler.collectGarbage')
  } finally {
    session.disconnect()
  }
}
