import { GoneError } from '../errors.ts'

/** A candidate that nobody else is: 128 random bits. `randomUUID` would do, but browsers have it on https only. */
export function randomToken(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
}

/**
 * Anything else would be trimmed or refused on its way, or be read as two.
 *
 * @throws GoneError `INVALID_PARAMETER`
 */
export function checkToken(token: string | null): void {
  if (token === null || /^[\x21-\x2b\x2d-\x7e]{1,128}$/.test(token)) return
  throw new GoneError(
    'INVALID_PARAMETER',
    `candidate: expected 1 to 128 visible ASCII characters without a comma, got ${JSON.stringify(token)}`,
  )
}
