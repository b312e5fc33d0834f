import type { ProblemJson } from '../core/rounds/round-wire.ts'
import { ERROR_CODES, type ErrorCode, GoneError } from '../errors.ts'
import { callAfter, pause } from '../waiting.ts'
import { ReplyTooLarge, replyText } from './reply-text.ts'

/** What is needed of a `fetch`. */
export type Fetch = (
  url: string,
  init: {
    readonly method: string
    readonly headers: Record<string, string>
    readonly body?: string
    readonly signal: AbortSignal
    /** Of a POST that is redirected `fetch` makes a GET, without its body. */
    readonly redirect: 'manual'
  },
) => Promise<FetchResponse>

interface FetchResponse {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body?: ReadableStream<Uint8Array> | null
  text(): Promise<string>
}

export interface TransportOptions {
  /** Without a slash at its end. */
  readonly baseUrl: string
  /** How long a call may take beyond what it waits for the round, attempts and pauses included. */
  readonly timeoutMs: number
  readonly fetch: Fetch
  /** Sent with every call. */
  readonly headers: Readonly<Record<string, string>>
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly query: Readonly<Record<string, string | undefined>>
  readonly headers: Record<string, string>
  readonly body?: string
  /** The statuses that answer it. */
  readonly accepts: readonly number[]
  /** Tells the answer's body from what a proxy, or something else on this address, may say. */
  readonly isAnswer: (json: unknown) => boolean
  /** How long the server is asked to wait; a later attempt asks for what is left of it. */
  readonly waitMs?: number
  /** False if a second attempt would be another candidate: then only what has surely not been executed is repeated. */
  readonly isRepeatable: boolean
  /** Errors that are told at once, also where asking again might help. */
  readonly toldAtOnce?: ReadonlySet<ErrorCode>
  /** Ends the call with the signal's reason. */
  readonly signal?: AbortSignal
}

/** The server's answer: with a body that the call takes, or 204 without one. */
export interface Reply {
  readonly status: number
  readonly headers: FetchResponse['headers']
  readonly json?: unknown
}

/** The server decides within 2 s, so longer silence is a lost connection. */
const ATTEMPT_MS = 4_000
const MAX_ATTEMPTS = 30
const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 1_000

/** What the caller is told, and whether the next attempt may help. */
interface Trouble {
  readonly error: GoneError
  readonly isWorthRetrying: boolean
  readonly pauseMs: number
}

/**
 * The server's answer, asked for again while it cannot be given.
 *
 * @throws GoneError with the server's code, `SERVER_UNREACHABLE` if no gone server answered; the signal's reason
 */
export async function send(options: TransportOptions, call: Call): Promise<Reply> {
  const startMs = performance.now()
  const waitEndMs = startMs + (call.waitMs ?? 0)
  const giveUpMs = waitEndMs + options.timeoutMs
  for (let attempt = 1; ; attempt++) {
    const nowMs = performance.now()
    const waitMs =
      call.waitMs === undefined
        ? undefined
        : Math.min(Math.ceil(call.waitMs), Math.max(0, Math.ceil(waitEndMs - nowMs)))
    const answer = await attemptOnce(options, call, waitMs, giveUpMs - nowMs)
    if ('status' in answer) return answer

    const pauseMs = answer.pauseMs + jitteredPauseMs(attempt)
    const isLast = attempt === MAX_ATTEMPTS || performance.now() + pauseMs >= giveUpMs
    if (isLast || !answer.isWorthRetrying) throw answer.error
    await pause(pauseMs, call.signal)
  }
}

async function attemptOnce(
  { baseUrl, fetch, headers }: TransportOptions,
  call: Call,
  waitMs: number | undefined,
  restMs: number,
): Promise<Reply | Trouble> {
  const { signal } = call
  signal?.throwIfAborted()
  const patience = timer(Math.min(restMs, ATTEMPT_MS + (waitMs ?? 0)), signal)
  const query = queryText({ ...call.query, wait: waitMs === undefined ? undefined : `${waitMs}ms` })
  try {
    const response = await fetch(`${baseUrl}${call.path}${query}`, {
      method: call.method,
      headers: { ...headers, ...call.headers },
      ...(call.body !== undefined && { body: call.body }),
      signal: patience.signal,
      redirect: 'manual',
    })
    return judge(baseUrl, call, response, await replyText(response))
  } catch (cause) {
    signal?.throwIfAborted()
    // Another attempt would read as much again.
    if (cause instanceof ReplyTooLarge)
      return { error: unreachable(baseUrl, cause.message, cause), isWorthRetrying: false, pauseMs: 0 }
    return lost(baseUrl, call, patience.signal.aborted ? 'no answer in time' : reasonOf(cause), cause)
  } finally {
    patience.stop()
  }
}

function judge(baseUrl: string, call: Call, response: FetchResponse, text: string): Reply | Trouble {
  const { status, headers } = response
  // Browsers show of a redirect nothing but a status of 0.
  if (status === 0 || (status >= 300 && status < 400))
    return { error: redirected(baseUrl, headers.get('location')), isWorthRetrying: false, pauseMs: 0 }
  const json = parseJson(text)
  if (isProblem(json)) {
    const error = problemError(json)
    return {
      error,
      isWorthRetrying:
        json.retryable &&
        (call.isRepeatable || SURELY_NOT_DONE.has(json.code)) &&
        !call.toldAtOnce?.has(error.code),
      pauseMs: retryAfterMs(headers.get('retry-after')),
    }
  }
  if (call.accepts.includes(status)) {
    if (status === 204) return { status, headers }
    if (call.isAnswer(json)) return { status, headers, json }
  }
  // Not ours: a proxy without its server, or something else on this address.
  const error = unreachable(baseUrl, `it answered ${status}, but not as a gone server`)
  const isProxys = status === 429 || status >= 502
  return {
    error,
    isWorthRetrying: isProxys && (call.isRepeatable || status === 429 || status === 503),
    pauseMs: retryAfterMs(headers.get('retry-after')),
  }
}

function lost(baseUrl: string, call: Call, reason: string, cause: unknown): Trouble {
  return {
    error: unreachable(baseUrl, reason, cause),
    isWorthRetrying: call.isRepeatable || NEVER_SENT.has(codeOf(cause)),
    pauseMs: 0,
  }
}

/** Followed, a report would become a question, and a key could go where nobody meant it to. */
function redirected(baseUrl: string, location: string | null): GoneError {
  const target =
    location !== null && URL.canParse(location, `${baseUrl}/`) ? new URL(location, `${baseUrl}/`) : null
  const place = target ? `to ${target.origin}${target.pathname.replace(/\/api\/v1\/.*$/, '')}` : 'elsewhere'
  return new GoneError(
    'CONFIG',
    `url: ${baseUrl} redirects ${place}; expected the address of the server itself`,
  )
}

/** Of any other error the server does not know either: Redis may have done what it gave no answer to. */
const SURELY_NOT_DONE: ReadonlySet<string> = new Set<ErrorCode>([
  'REQUEST_TIMEOUT',
  'RATE_LIMITED',
  'GATE_NO_MAJORITY',
  'GATE_UNREACHABLE',
  'NO_WORKER',
  'SHUTTING_DOWN',
  'TOO_MANY_STANDBYS',
])

/** How Node's fetch says that it had no connection to send the request on. Browsers do not tell. */
const NEVER_SENT: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

function unreachable(baseUrl: string, reason: string, cause?: unknown): GoneError {
  return new GoneError('SERVER_UNREACHABLE', `cannot reach the gone server at ${baseUrl}: ${reason}`, {
    cause,
  })
}

/** fetch itself only says "fetch failed"; what failed is in the causes below. */
export function reasonOf(error: unknown): string {
  const cause = innermost(error)
  if (codeOf(error) === 'ECONNREFUSED') return 'connection refused'
  return cause instanceof Error && cause.message ? cause.message : String(cause)
}

function codeOf(error: unknown): unknown {
  const cause = innermost(error)
  return cause instanceof Error && 'code' in cause ? cause.code : undefined
}

function innermost(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  // A name with several addresses fails once for each.
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0])
  return error.cause === undefined ? error : innermost(error.cause)
}

function isProblem(json: unknown): json is ProblemJson {
  if (typeof json !== 'object' || json === null) return false
  const { code, detail, retryable } = json as Partial<Record<keyof ProblemJson, unknown>>
  return typeof code === 'string' && typeof detail === 'string' && typeof retryable === 'boolean'
}

/** A newer server may have codes that this client does not know. */
function problemError({ code, detail, retryable }: ProblemJson): GoneError {
  if (Object.hasOwn(ERROR_CODES, code)) return new GoneError(code as ErrorCode, detail)
  return new GoneError(retryable ? 'INTERNAL' : 'BAD_REQUEST', `${code}: ${detail}`)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

function queryText(query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  )
  return given.length === 0 ? '' : `?${given.join('&')}`
}

/** Retry-After in its form of seconds; dates are for pages, not for us. */
function retryAfterMs(header: string | null): number {
  return header !== null && /^\d{1,6}$/.test(header) ? Number(header) * 1_000 : 0
}

/** Grows, and differs between callers: they were turned away at the same moment and should not come back at one. */
function jitteredPauseMs(attempt: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), MAX_PAUSE_MS) * (0.5 + Math.random() / 2)
}

/** A signal that aborts after `ms` or with the other one. `AbortSignal.any` would do, in browsers from 2024 on. */
export function timer(ms: number, other: AbortSignal | undefined): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController()
  const abort = () => controller.abort()
  const callOff = callAfter(ms, abort)
  other?.addEventListener('abort', abort)
  return {
    signal: controller.signal,
    stop() {
      callOff()
      other?.removeEventListener('abort', abort)
    },
  }
}
