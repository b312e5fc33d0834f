import { createHmac, timingSafeEqual } from 'node:crypto'
import { isKeyId } from '../core/api-key.ts'

/** How long somebody stays logged in. */
export const SESSION_MS = 12 * 3_600_000

/** Who is logged in, in a cookie: the id of the key that was shown, until when, and our signature under both. */
export function signSession(keyId: string, untilMs: number, secret: string): string {
  const claim = `v1.${keyId}.${Math.floor(untilMs / 1_000)}`
  return `${claim}.${signatureOf(claim, secret)}`
}

/** The id of the key; undefined if it is not one of ours, or is over. What the key may do is asked with each request. */
export function sessionKeyId(cookie: string, secret: string, nowMs: number): string | undefined {
  const match = /^(v1\.([0-9a-f]{12})\.(\d{1,12}))\.([\w-]{43})$/.exec(cookie)
  const [, claim = '', keyId = '', untilS, signature = ''] = match ?? []
  if (!isKeyId(keyId) || Number(untilS) * 1_000 <= nowMs) return undefined
  const expected = Buffer.from(signatureOf(claim, secret))
  const given = Buffer.from(signature)
  return given.length === expected.length && timingSafeEqual(given, expected) ? keyId : undefined
}

function signatureOf(claim: string, secret: string): string {
  return createHmac('sha256', secret).update(claim).digest('base64url')
}
