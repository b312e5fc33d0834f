import { GoneError } from '../errors.ts'

/** A text is ISO 8601 with its zone. */
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
