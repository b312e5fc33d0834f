import { lookup } from 'node:dns/promises'
import { type AlertTarget, requestOf } from '../core/alerts/alert-forms.ts'
import type { AlertNewsJson } from '../core/alerts/alert-wire.ts'
import { formatDuration } from '../core/time/duration.ts'
import { callAfter, unlessAborted } from '../waiting.ts'
import { expectTaken } from './answer.ts'
import { call } from './http-call.ts'
import { signatures } from './signature.ts'

export interface AlertHookParts extends AlertTarget {
  /** Missing: requests are not signed. */
  readonly secret?: string
}

const ANSWER_WITHIN_MS = 10_000

/**
 * Tells one receiver of an alert: a POST that is signed as the webhook worker's are. Its operator has chosen the URL, so it
 * may be a private one.
 *
 * @param nowMs Unix time, which the signature holds
 * @throws JobFailed, JobLater or Error unless the receiver answers 2xx in time, see `expectTaken`; the message shows no more of the URL than its origin
 */
export async function tellAlert(
  { secret, ...target }: AlertHookParts,
  news: AlertNewsJson,
  nowMs: number,
  stopping: AbortSignal,
): Promise<void> {
  const { url, body } = requestOf(target, news)
  const what = `POST ${url.origin}`
  const timestamp = String(Math.floor(nowMs / 1_000))
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'user-agent': 'gone',
    'gone-delivery': news.id,
    'gone-timestamp': timestamp,
    ...(secret !== undefined &&
      signatures(secret, {
        timestamp,
        method: 'POST',
        host: url.host,
        path: url.pathname + url.search,
        system: '',
        round: '',
        fence: '',
        body,
      })),
  }
  const answer = await withinTime(what, stopping, async (signal) => {
    const addresses = await lookup(url.hostname.replace(/^\[|\]$/g, ''), { all: true })
    signal.throwIfAborted()
    return call({ url, method: 'POST', headers, body, addresses, signal })
  })
  expectTaken(what, answer, nowMs)
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
  const callOff = callAfter(ANSWER_WITHIN_MS, late)
  stopping.addEventListener('abort', stop, { once: true })
  if (stopping.aborted) stop()
  try {
    return await unlessAborted(ending.signal, run(ending.signal))
  } catch (error) {
    const reason: unknown = ending.signal.aborted ? ending.signal.reason : error
    throw new Error(`${what}: ${trouble(reason)}`, { cause: error })
  } finally {
    callOff()
    stopping.removeEventListener('abort', stop)
  }
}

/** Where several addresses were tried, Node's error has no message, only a code. */
function trouble(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}
