import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** What a signature of version 2 covers: who was asked for what, when, on behalf of which round. */
export interface SignedParts {
  /** Unix seconds, as in the header `Gone-Timestamp`. */
  readonly timestamp: string
  readonly method: string
  /** With the port, if it is not the protocol's own. */
  readonly host: string
  /** With the query. */
  readonly path: string
  /** As in the headers; empty where there is none, as in an alert. */
  readonly system: string
  readonly round: string
  readonly fence: string
  readonly body: string | Buffer
}

/** The headers that sign a request, of both versions. */
export function signatures(secret: string, parts: SignedParts): Readonly<Record<string, string>> {
  const { timestamp, body } = parts
  return {
    'gone-signature': `v1=${createHmac('sha256', secret).update(`${timestamp}.`).update(body).digest('hex')}`,
    'gone-signature-2': sign(secret, parts),
  }
}

/** `v2=` and the hex HMAC-SHA-256 of the parts, a line each; of the body its SHA-256. No part has a line break. */
export function sign(secret: string, parts: SignedParts): string {
  const { timestamp, method, host, path, system, round, fence, body } = parts
  const bodyDigest = createHash('sha256').update(body).digest('hex')
  const lines = [
    'v2',
    timestamp,
    method.toUpperCase(),
    host.toLowerCase(),
    path,
    system,
    round,
    fence,
    bodyDigest,
  ]
  return `v2=${createHmac('sha256', secret).update(lines.join('\n')).digest('hex')}`
}

/** The time it takes says nothing of where they differ. */
export function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
