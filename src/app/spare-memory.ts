import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Calm } from '../service/calm.ts'

/** A collection stops everything for a moment, so whoever becomes calm again and again makes few. */
const AT_MOST_EVERY_MS = 600_000

/**
 * Gives back what the start, or a burst of work, has taken and does not need any more: where nothing is made the garbage collector does
 * not come by for a long time, and some 40 MB would stay.
 */
export function spareMemory(calm: Calm, nowMs: () => number): void {
  let collectedAtMs = Number.NEGATIVE_INFINITY
  calm.follow((isCalm) => {
    if (!isCalm || nowMs() - collectedAtMs < AT_MOST_EVERY_MS) return
    collectedAtMs = nowMs()
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    collect()
  })
}
