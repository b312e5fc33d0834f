import { within } from '../../waiting.ts'

const SCRAPE_WITHIN_MS = 1_000

/** What was asked of Redis, or undefined: a scrape must answer also when Redis does not. */
export async function withinScrape<T>(promise: Promise<T>): Promise<T | undefined> {
  return within(SCRAPE_WITHIN_MS, promise, () => new Error('too slow')).catch(() => undefined)
}

/** How old a count may be that is told in place of one that takes longer than a scrape may. */
const KNOWN_FOR_MS = 60_000

/**
 * What is counted, or what was counted a moment ago where that takes long: a number that is missing says that it could not be asked.
 * It is counted once at a time, however many ask.
 */
export function lastKnown(count: () => Promise<number>): () => Promise<number | undefined> {
  let known: { readonly count: number; readonly atMs: number } | undefined
  let counting: Promise<void> | undefined
  return async () => {
    counting ??= count()
      .then((found) => {
        known = { count: found, atMs: performance.now() }
      })
      .catch(() => {
        known = undefined
      })
      .finally(() => {
        counting = undefined
      })
    await withinScrape(counting)
    return known && performance.now() - known.atMs < KNOWN_FOR_MS ? known.count : undefined
  }
}
