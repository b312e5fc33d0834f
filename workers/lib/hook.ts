import { validateHeaderName, validateHeaderValue } from 'node:http'
import { JobFailed } from '../../src/core/rounds/job-failed.ts'
import { Fields } from './fields.ts'

/** A call as it was submitted, checked. */
export interface Hook {
  readonly url: URL
  readonly method: string
  readonly body: unknown
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
}

const METHODS = ['POST', 'PUT', 'PATCH', 'DELETE', 'GET']
const DEFAULT_TIMEOUT_MS = 30_000
const MAX_TIMEOUT_MS = 3_600_000

/**
 * The call that a job's data asks for.
 *
 * @throws JobFailed naming the member
 */
export function readHook(data: unknown): Hook {
  const known = ['url', 'method', 'body', 'headers', 'timeout']
  const fields = new Fields('data', data, known, (message) => new JobFailed(message))
  const url = readUrl(fields)
  const method = fields.text('method') ?? 'POST'
  if (!METHODS.includes(method)) throw fields.wrong('method', `expected one of ${METHODS.join(', ')}`)
  const body = fields.any('body')
  if (method === 'GET' && body !== undefined)
    throw fields.wrong('body', 'expected none, as a GET has no body')
  const headers = readHeaders(fields)
  const timeoutMs = fields.durationMs('timeout', MAX_TIMEOUT_MS) ?? DEFAULT_TIMEOUT_MS
  return { url, method, body, headers, timeoutMs }
}

/** Messages never show the URL: paths and queries of webhooks carry secrets. */
function readUrl(fields: Fields): URL {
  const text = fields.text('url') ?? ''
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw fields.wrong('url', 'expected an absolute URL with http or https')
  }
  if (url.username || url.password) throw fields.wrong('url', 'must not carry a user name or password')
  return url
}

/** Headers that frame the message, or say where it goes. */
const RESERVED =
  /^(host|connection|content-length|transfer-encoding|expect|upgrade|te|trailer|keep-alive|proxy-.*|gone-.*)$/

function readHeaders(fields: Fields): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(fields.textMap('headers') ?? {})) {
    const key = name.toLowerCase()
    if (RESERVED.test(key)) throw fields.wrong(`headers.${name}`, 'is set by the worker')
    if (Object.hasOwn(headers, key)) throw fields.wrong(`headers.${name}`, 'is there twice')
    if (!isHeader(key, value)) throw fields.wrong(`headers.${name}`, 'is not a valid HTTP header')
    headers[key] = value
  }
  return headers
}

function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}
