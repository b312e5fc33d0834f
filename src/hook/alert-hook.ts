import { lookup } from 'node:dns/promises'
import type { AlertNewsJson } from '../core/alert-wire.ts'
import { formatDuration } from '../core/duration.ts'
import { sign } from '../core/signature.ts'
import { call } from './http-call.ts'

export interface AlertHookParts {
  readonly url: string
  /** Missing: requests are not signed. */
  readonly secret?: string
}

const ANSWER_WITHIN_MS = 10_000
const SHOWN_CHARS = 300

/**
 * Tells one receiver of an alert: a POST that is signed as the webhook worker's are. Its operator has chosen the URL, so it
 * may be a private one.
 *
 * @param nowMs Unix time, which the signature holds
 * @throws Error unless the receiver answers 2xx in time; the message shows no more of the URL than its origin
 */
export async function tellAlert(
  { url: text, secret }: AlertHookParts,
  news: AlertNewsJson,
  nowMs: number,
  stopping: AbortSignal,
): Promise<void> {
  const url = new URL(text)
  const what = `POST ${url.origin}`
  const body = JSON.stringify(news)
  const timestamp = String(Math.floor(nowMs / 1_000))
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'gone',
    'gone-delivery': news.id,
    'gone-timestamp': timestamp,
    ...(secret !== undefined && { 'gone-signature': sign({ secret, timestamp, body }) }),
  }
  const answer = await withinTime(what, stopping, async (signal) => {
    const addresses = await lookup(url.hostname.replace(/^\[|\]$/g, ''), { all: true })
    signal.throwIfAborted()
    return call({ url, method: 'POST', headers, body, addresses, signal })
  })
  if (answer.status >= 200 && answer.status < 300) return
  throw new Error(
    `${what}: answered ${answer.status}${answer.tail && `: ${answer.tail.slice(0, SHOWN_CHARS)}`}`,
  )
}

/** A name's resolution cannot be aborted, so it is not waited for. */
async function withinTime<T>(
  what: string,
  stopping: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const ending = new AbortController()
  const stop = () => ending.abort(new Error('the server stops'))
  const late = () => ending.abort(new Error(`no full answer within ${formatDuration(ANSWER_WITHIN_MS)}`))
  const timer = setTimeout(late, ANSWER_WITHIN_MS)
  stopping.addEventListener('abort', stop, { once: true })
  if (stopping.aborted) stop()
  const aborted = new Promise<never>((_, reject) => {
    const fail = () => reject(ending.signal.reason)
    ending.signal.addEventListener('abort', fail, { once: true })
    if (ending.signal.aborted) fail()
  })
  try {
    return await Promise.race([aborted, run(ending.signal)])
  } catch (error) {
    const reason: unknown = ending.signal.aborted ? ending.signal.reason : error
    throw new Error(`${what}: ${trouble(reason)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    stopping.removeEventListener('abort', stop)
  }
}

/** Where several addresses were tried, Node's error has no message, only a code. */
function trouble(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}
