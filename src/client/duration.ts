import { parseDuration } from '../core/time/duration.ts'
import { GoneError } from '../errors.ts'

/** Milliseconds, or a text like `500ms`, `30s`, `10m`, `1h`. */
export type Duration = number | string

/** As HTTP takes it; the server checks it. */
export function durationText(duration: Duration | undefined): string | undefined {
  return typeof duration === 'number' ? `${duration}ms` : duration
}

/** @throws GoneError `INVALID_PARAMETER` */
export function durationMs(name: string, duration: Duration): number {
  const ms = typeof duration === 'number' ? duration : parseDuration(duration)
  if (ms !== undefined && ms >= 0 && ms < Number.POSITIVE_INFINITY) return ms
  throw new GoneError('INVALID_PARAMETER', `${name}: expected a duration like 30s or 10m, got "${duration}"`)
}
