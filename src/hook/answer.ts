import { JobFailed, JobLater } from '../core/rounds/job-failed.ts'
import type { HttpAnswer } from './http-call.ts'

/** Statuses below 500 that say "later", not "never". */
const LATER = [408, 425, 429]
const SHOWN_CHARS = 300
const SECOND_MS = 1_000
/** A receiver cannot put a call off for days. */
const LONGEST_MS = 3_600_000

/**
 * Takes a 2xx for an answer.
 *
 * @param what such as `POST https://example.com`, which is all that is shown of a URL
 * @throws JobFailed where asking again changes nothing: redirects, and what the receiver does not take; JobLater where it may,
 * after the time that `Retry-After` says, from a second to an hour
 */
export function expectTaken(what: string, { status, tail, retryAfter }: HttpAnswer, nowMs: number): void {
  if (status >= 200 && status < 300) return
  if (status >= 300 && status < 400)
    throw new JobFailed(`${what}: answered ${status}, and redirects are not followed`)
  const said = `${what}: answered ${status}${tail && `: ${tail.slice(0, SHOWN_CHARS)}`}`
  if (status >= 400 && status < 500 && !LATER.includes(status)) throw new JobFailed(said)
  throw new JobLater(said, retryAfter === undefined ? undefined : afterMs(retryAfter, nowMs))
}

/** Of seconds or of a date, as RFC 9110 has them; undefined for anything else. */
function afterMs(text: string, nowMs: number): number | undefined {
  const isSeconds = /^\d{1,9}$/.test(text.trim())
  const isDate = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/.test(text.trim())
  if (!isSeconds && !isDate) return undefined
  const askedMs = isSeconds ? Number(text) * SECOND_MS : Date.parse(text) - nowMs
  return Number.isNaN(askedMs) ? undefined : Math.min(Math.max(askedMs, SECOND_MS), LONGEST_MS)
}
