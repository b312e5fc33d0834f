const UNITS_MS = { ms: 1, s: 1_000, min: 60_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** What is read as a duration, for whoever describes it. */
export const DURATION_PATTERN = '^(0|\\d{1,9}(ms|s|m|min|h|d))$'

/** The ms that a text like `500ms`, `30s`, `10m`, `1h` or `30d` means; `0` needs no unit. Undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0
  const match = /^(\d{1,9})(ms|s|m|min|h|d)$/.exec(text)
  if (!match) return undefined
  return Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS]
}

/** Writes a duration in the largest unit that divides it, for people: `60 min`, `90 s`, `1500 ms`. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'min', 's'] as const) {
    if (ms >= UNITS_MS[unit] && ms % UNITS_MS[unit] === 0) return `${ms / UNITS_MS[unit]} ${unit}`
  }
  return `${ms} ms`
}

/** Writes a duration as it is read, in the largest unit that divides it: `1h`, `90s`, `1500ms`. */
export function durationText(ms: number): string {
  if (ms === 0) return '0'
  const unit = (['d', 'h', 'm', 's'] as const).find((name) => ms % UNITS_MS[name] === 0) ?? 'ms'
  return `${ms / UNITS_MS[unit]}${unit}`
}
