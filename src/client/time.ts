import { GoneError } from '../errors.ts'

/** A text is a time of RFC 3339 with its zone. */
export type Time = string | Date

/**
 * As HTTP takes it; the server checks a text.
 *
 * @throws GoneError `INVALID_PARAMETER`
 */
export function timeText(name: string, time: Time | undefined): string | undefined {
  if (typeof time !== 'object') return time
  if (!Number.isNaN(time.getTime())) return time.toISOString()
  throw new GoneError('INVALID_PARAMETER', `${name}: not a valid date`)
}

/**
 * As a schedule takes it, in whole seconds. Slots are due at whole seconds, so a `Date` that starts a time is rounded up
 * and one that ends it down, and nothing is lost.
 *
 * @throws GoneError `INVALID_PARAMETER`
 */
export function secondText(name: string, time: Time | undefined, rounded: 'up' | 'down'): string | undefined {
  if (typeof time !== 'object') return time
  const seconds = Math[rounded === 'up' ? 'ceil' : 'floor'](time.getTime() / 1_000)
  return timeText(name, new Date(seconds * 1_000))?.replace('.000Z', 'Z')
}
