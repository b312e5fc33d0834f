type Close = () => unknown

/** What closes what is open, the latest last. */
const open = new Set<Close>()

/**
 * Has something closed behind the file of tests that opened it, unless it was before: files follow one another in one process, so what is left
 * open would go on beside those that come after.
 *
 * @returns what is to be called when it has been closed
 */
export function closeBehindFile(close: Close): () => void {
  open.add(close)
  return () => void open.delete(close)
}

/** Closes what this file has left open, the latest first. */
export async function closeLeftOpen(): Promise<void> {
  const left = [...open].reverse()
  open.clear()
  for (const close of left) await close()
}
