/** What the platform says of a zone, asked in another way than `src/core/zone.ts` asks. */
export interface ZoneTransition {
  readonly zone: string
  readonly atMs: number
  readonly beforeMs: number
  readonly afterMs: number
}

const MINUTE_MS = 60_000
const DAY_MS = 1_440 * MINUTE_MS

/** All IANA zones that the platform knows. */
export const ALL_ZONES: readonly string[] = [...new Set(['UTC', ...Intl.supportedValuesOf('timeZone')])]

/** The zone that this process is set to. */
let current: string | undefined

/**
 * A function from an instant to what the wall clock shows, as if it were UTC, where offsets are whole minutes. It sets
 * the zone of this process, which is read ten times as fast as a zone is formatted.
 */
export function wallClock(zone: string): (atMs: number) => number {
  return (atMs) => {
    if (current !== zone) process.env.TZ = zone
    current = zone
    return atMs - new Date(atMs).getTimezoneOffset() * MINUTE_MS
  }
}

/** Every transition from one instant to another. Looks every other day, so none may be undone within two. */
export function transitionsOf(zone: string, fromMs: number, untilMs: number): readonly ZoneTransition[] {
  const wall = wallClock(zone)
  const offset = (atMs: number) => wall(atMs) - atMs
  const found: ZoneTransition[] = []
  let beforeMs = offset(fromMs)
  for (let ms = fromMs; ms < untilMs; ms += 2 * DAY_MS) {
    const afterMs = offset(ms + 2 * DAY_MS)
    if (afterMs === beforeMs) continue
    let [low, high] = [ms, ms + 2 * DAY_MS]
    while (high - low > 1_000) {
      const middle = low + Math.floor((high - low) / 2_000) * 1_000
      if (offset(middle) === beforeMs) low = middle
      else high = middle
    }
    found.push({ zone, atMs: high, beforeMs, afterMs })
    beforeMs = afterMs
  }
  return found
}
