import { isSame, sign } from './signature.ts'

/** A request as a receiver of webhooks or alerts got it. */
export interface WebhookRequest {
  /** What this receiver's requests are signed with; while it is changed, the old one and the new one. */
  readonly secret: string | readonly string[]
  readonly method: string
  /** What this receiver is reached by, with the port if it is not the protocol's own: not what the request says. */
  readonly host: string
  /** With the query, as it arrived. */
  readonly path: string
  /** Of Node, or of fetch. */
  readonly headers:
    | Readonly<Record<string, string | readonly string[] | undefined>>
    | { get(name: string): string | null }
  /** The bytes as they arrived. JSON that was parsed and written again is not the same. */
  readonly body: string | Buffer | Uint8Array
}

const TOLERANCE_S = 300

/**
 * True if the request was signed (version 2) with the secret for this receiver, method and path, at most five minutes
 * from now. Check it before anything in the request is believed; then the headers `Gone-System`, `Gone-Round` and
 * `Gone-Fence` are true as well: refuse a fence lower than one seen for the same system, and a round that was dealt with.
 *
 * Never throws, whatever it is given.
 *
 * @param nowS Unix seconds on the receiver's clock
 * @example
 * const { method, url: path, headers } = request
 * if (!verifyWebhook({ secret, method, host: 'hooks.example.com', path, headers, body })) return reply.code(401).send()
 */
export function verifyWebhook(request: WebhookRequest, nowS: number = Date.now() / 1_000): boolean {
  try {
    const { secret, method, host, path, body } = request
    const header = (name: string) => headerOf(request.headers, name)
    const timestamp = header('gone-timestamp')
    if (!/^\d{1,12}$/.test(timestamp) || !(Math.abs(nowS - Number(timestamp)) <= TOLERANCE_S)) return false
    const given = header('gone-signature-2')
    const bytes = typeof body === 'string' ? body : Buffer.from(body)
    const [system, round, fence] = [header('gone-system'), header('gone-round'), header('gone-fence')]
    const parts = { timestamp, method, host, path, system, round, fence, body: bytes }
    const secrets = typeof secret === 'string' ? [secret] : secret
    return secrets.some((one) => one.length > 0 && isSame(sign(one, parts), given))
  } catch {
    return false
  }
}

function headerOf(headers: WebhookRequest['headers'], name: string): string {
  const value =
    typeof headers.get === 'function' ? headers.get(name) : (headers as Record<string, unknown>)[name]
  return typeof value === 'string' ? value : ''
}
