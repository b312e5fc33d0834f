import { exactJson } from '../core/exact-json.ts'
import { GoneError } from '../errors.ts'

/** A body as it is sent. @throws GoneError `INVALID_BODY` if it holds NaN, an infinity or a bigint, which JSON has no numbers for */
export function bodyText(body: object): string {
  try {
    return exactJson(body) ?? ''
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new GoneError('INVALID_BODY', cause.message, { cause })
  }
}
