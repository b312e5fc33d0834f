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

/**
 * A header takes no other, and `fetch` would say so in words of its own.
 *
 * @throws GoneError `INVALID_PARAMETER`
 */
export function checkName(name: string | undefined): void {
  if (name === undefined || /^[\x21-\x7e](?:[\x20-\x7e]{0,98}[\x21-\x7e])?$/.test(name)) return
  throw new GoneError(
    'INVALID_PARAMETER',
    `name: expected 1 to 100 visible ASCII characters, with spaces between, got ${JSON.stringify(name)}`,
  )
}
