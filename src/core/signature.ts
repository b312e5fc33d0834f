import { createHmac, timingSafeEqual } from 'node:crypto'

/** A webhook request as its receiver got it. */
export interface SignedRequest {
  readonly secret: string
  /** The header `Gone-Timestamp`. */
  readonly timestamp: string
  /** The header `Gone-Signature`. */
  readonly signature: string
  /** The body's bytes as they arrived. JSON that was parsed and written again is not the same. */
  readonly body: string | Buffer
}

const TOLERANCE_S = 300

/**
 * The value of the header `Gone-Signature`: `v1=` and the hex HMAC-SHA-256 of `<timestamp>.<body>`.
 *
 * @param request.timestamp Unix seconds
 */
export function sign({ secret, timestamp, body }: Omit<SignedRequest, 'signature'>): string {
  const digest = createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')
  return `v1=${digest}`
}

/**
 * True if the request was signed with the secret, at most five minutes from now. For the receiver of a webhook: check
 * it before anything in the body is believed, then refuse a `Gone-Fence` lower than one seen for the same system, and
 * a `Gone-Round` that was dealt with.
 *
 * @param nowS Unix seconds on the receiver's clock
 * @example
 * const timestamp = request.headers['gone-timestamp'] ?? ''
 * const signature = request.headers['gone-signature'] ?? ''
 * if (!verifySignature({ secret, timestamp, signature, body: rawBody }, Date.now() / 1_000)) return reply.code(401).send()
 */
export function verifySignature(request: SignedRequest, nowS: number): boolean {
  if (!/^\d{1,12}$/.test(request.timestamp)) return false
  if (Math.abs(nowS - Number(request.timestamp)) > TOLERANCE_S) return false
  const expected = Buffer.from(sign(request))
  const given = Buffer.from(request.signature)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
