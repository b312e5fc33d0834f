import { isHolding } from './live.ts'

const EVERY_MS = 1_000

/**
 * Reads each second what no stream tells of, as long as it is wanted and the page is seen: whatever comes of one time, the
 * next is as long after it.
 *
 * @param read never rejects
 */
export function often(isWanted: () => boolean, read: () => Promise<void>): void {
  const turn = async () => {
    if (isWanted() && !document.hidden && !isHolding()) await read()
    setTimeout(turn, EVERY_MS)
  }
  setTimeout(turn, EVERY_MS)
}
