/** The longest that a timer of the platform waits. One that is asked for more fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Calls `act` after so long, which may be months; at once where that has passed, of which a newer Node would warn.
 *
 * @returns what calls it off
 */
export function callAfter(ms: number, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>
  const wait = (restMs: number) => {
    timer =
      restMs > MAX_TIMER_MS
        ? setTimeout(wait, MAX_TIMER_MS, restMs - MAX_TIMER_MS)
        : setTimeout(act, Math.max(0, restMs))
  }
  wait(ms)
  return () => clearTimeout(timer)
}

/** Resolves after `ms`, or as soon as the signal is aborted. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      callOff()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const callOff = callAfter(ms, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}

/**
 * The promise's outcome, or after `ms` the error that `late` makes. What was promised goes on, and its failure after
 * that is not reported again.
 */
export async function within<T>(ms: number, promise: Promise<T>, late: () => unknown): Promise<T> {
  let callOff = () => {}
  const timeout = new Promise<never>((_, reject) => {
    callOff = callAfter(ms, () => reject(late()))
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    callOff()
  }
}

/** True if the promise is kept within `ms`. Rejects as it does until then; what it does later is not reported. */
export async function endsWithin(ms: number, promise: Promise<unknown>): Promise<boolean> {
  const waiting = new AbortController()
  try {
    return await Promise.race([promise.then(() => true), pause(ms, waiting.signal).then(() => false)])
  } finally {
    waiting.abort()
  }
}

/** The promise's outcome, or the signal's reason once that is aborted: for what cannot be ended, and need not be waited for. */
export async function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  let fail = () => {}
  const aborted = new Promise<never>((_, reject) => {
    fail = () => reject(signal.reason)
    if (signal.aborted) fail()
    signal.addEventListener('abort', fail, { once: true })
  })
  try {
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', fail)
  }
}

/**
 * Acts on each item, on at most so many at once, in their order. Once one has failed no more are begun; it rejects when
 * those under way have ended.
 *
 * @returns the results in the items' order
 */
export async function eachAtOnce<Item, Result>(
  atOnce: number,
  items: readonly Item[],
  act: (item: Item, index: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  const failures: unknown[] = []
  const rest = items.entries()
  const lane = async () => {
    for (const [index, item] of rest) {
      if (failures.length > 0) return
      try {
        results[index] = await act(item, index)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane))
  if (failures.length > 0) throw failures[0]
  return results
}
