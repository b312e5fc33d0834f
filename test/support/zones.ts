/** What the platform says of a zone, asked in another way than `src/core/zone.ts` asks. */
export interface ZoneTransition {
  readonly zone: string
  readonly atMs: number
  readonly beforeMs: number
  readonly afterMs: number
}

const DAY_MS = 86_400_000

/** All IANA zones that the platform knows. */
export const ALL_ZONES: readonly string[] = [...new Set(['UTC', ...Intl.supportedValuesOf('timeZone')])]

/** A function from an instant to what the wall clock shows, as if it were UTC. */
export function wallClock(zone: string): (atMs: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    calendar: 'gregory',
    numberingSystem: 'latn',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return (atMs) => {
    const [month = 0, day = 0, year = 0, hour = 0, minute = 0, second = 0] = format
      .format(atMs)
      .split(/\D+/)
      .map(Number)
    return Date.UTC(year, month - 1, day, hour, minute, second)
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
