import { GoneError } from '../../errors.ts'
import { ofText, span } from '../expect.ts'
import { MAX_REASON, MAX_RESULT_BYTES, MAX_WAIT_MS } from './limits.ts'
import { MAX_DEADLINE_MS } from './record.ts'

const MIN_LEASE_MS = 1_000
const MAX_LEASE_MS = 86_400_000

/** What may be asked of a round. */
export const LEASE = span(MIN_LEASE_MS, MAX_LEASE_MS)
export const DEADLINE = span(1_000, MAX_DEADLINE_MS)
export const WAIT = span(0, MAX_WAIT_MS)

export const REASON = ofText({
  expected: () => `1 to ${MAX_REASON} characters`,
  fromText: (text) => (text.length >= 1 && text.length <= MAX_REASON ? text : undefined),
  schema: { type: 'string', minLength: 1, maxLength: MAX_REASON },
})

/**
 * A result as the record keeps it.
 *
 * @throws GoneError `INVALID_BODY` where it is too large
 */
export function keptResult(result: unknown): string {
  const detail = result === undefined ? '' : JSON.stringify(result)
  const bytes = new TextEncoder().encode(detail).length
  if (bytes <= MAX_RESULT_BYTES) return detail
  throw new GoneError(
    'INVALID_BODY',
    `result: expected at most ${MAX_RESULT_BYTES} bytes of JSON, got ${bytes}`,
  )
}
