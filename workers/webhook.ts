/** Calls a URL: the round and its fence go with the request, signed. Settings and an example are in README.md. */

import { formatDuration } from '../src/core/duration.ts'
import { JobFailed } from '../src/core/job-failed.ts'
import { sign } from '../src/core/signature.ts'
import { call, type HttpAnswer } from '../src/hook/http-call.ts'
import { defineWorker, GoneError, type WorkerContext, type WorkerHandler } from '../src/index.ts'
import { withSecretFiles } from '../src/secrets.ts'
import { type DestinationRules, parseHostPatterns, resolveDestination } from './lib/destination.ts'
import { type Hook, readHook } from './lib/hook.ts'
import { TimeLimit } from './lib/time-limit.ts'

/** What is submitted, such as `{ url: 'https://example.com/hook', body: { report: 'daily' } }`. */
export interface WebhookData {
  readonly url: string
  /** Default POST. */
  readonly method?: 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'GET'
  /** Any JSON; it arrives as the member `data` of the request's body. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** How long the call may take. Default 30 s. */
  readonly timeout?: string
}

export interface WebhookResult {
  readonly status: number
  /** The end of the answer's body, up to 1 KiB. */
  readonly body: string
}

export interface WebhookSettings extends DestinationRules {
  /** Missing: requests are not signed. */
  readonly secret?: string
}

type Env = Readonly<Record<string, string | undefined>>

/**
 * What the environment asks for.
 *
 * @throws GoneError `CONFIG`
 */
export function webhookSettings(env: Env): WebhookSettings {
  const {
    GONE_WEBHOOK_SECRET: secret,
    GONE_WEBHOOK_ALLOW: allow,
    GONE_WEBHOOK_ALLOW_PRIVATE: allowPrivate,
  } = env
  const hosts = allow?.trim() ? parseHostPatterns(allow) : []
  if (hosts === undefined) {
    const rule = 'expected hosts like api.example.com or *.example.com, comma-separated and without ports'
    throw new GoneError('CONFIG', `GONE_WEBHOOK_ALLOW: ${rule}, got "${allow}"`)
  }
  if (!['', 'true', 'false'].includes(allowPrivate ?? '')) {
    throw new GoneError(
      'CONFIG',
      `GONE_WEBHOOK_ALLOW_PRIVATE: expected one of true, false, got "${allowPrivate}"`,
    )
  }
  return {
    ...(secret && { secret }),
    ...(hosts.length > 0 && { hosts }),
    allowPrivate: allowPrivate === 'true',
  }
}

/** The handler under other settings than the environment's. */
export function webhookHandler(settings: WebhookSettings): WorkerHandler<WebhookData, WebhookResult> {
  return async ({ data }, context) => {
    const hook = readHook(data)
    const what = `${hook.method} ${hook.url.origin}`
    // A line that cannot be written is no reason not to call.
    await context.log(`${what}, attempt ${context.attempt}, fence ${context.fence}`).catch(() => undefined)
    return judge(what, await answerInTime(what, hook, context, settings))
  }
}

export default defineWorker(
  { attempts: 5, backoff: { type: 'exponential', delay: '1s' }, timeout: '30s', concurrency: 16 },
  webhookHandler(webhookSettings(withSecretFiles(process.env))),
)

async function answerInTime(
  what: string,
  hook: Hook,
  context: WorkerContext,
  settings: WebhookSettings,
): Promise<HttpAnswer> {
  const limit = new TimeLimit(context.signal, hook.timeoutMs)
  try {
    return await deliver(hook, context, settings, limit.signal)
  } catch (error) {
    context.signal.throwIfAborted()
    if (error instanceof JobFailed) throw error
    const why = limit.isOver ? `no full answer within ${formatDuration(hook.timeoutMs)}` : trouble(error)
    throw new Error(`${what}: ${why}`, { cause: error })
  } finally {
    limit.lift()
  }
}

async function deliver(
  { url, method, headers, body }: Hook,
  { system, round, fence, attempt }: WorkerContext,
  { secret, ...rules }: WebhookSettings,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const addresses = await unlessAborted(resolveDestination(url, rules), signal)
  const isEmpty = method === 'GET'
  const rawBody = isEmpty ? '' : JSON.stringify({ system, round, fence, attempt, data: body })
  const timestamp = String(Math.floor(Date.now() / 1_000))
  const ours = {
    ...(!isEmpty && { 'content-length': String(Buffer.byteLength(rawBody)) }),
    'gone-system': headerText(system),
    'gone-round': headerText(round),
    'gone-fence': String(fence),
    'gone-timestamp': timestamp,
    ...(secret && { 'gone-signature': sign({ secret, timestamp, body: rawBody }) }),
  }
  const theirs = { ...(!isEmpty && { 'content-type': 'application/json' }), 'user-agent': 'gone', ...headers }
  return call({ url, method, headers: { ...theirs, ...ours }, body: rawBody, addresses, signal })
}

/** Percent-encoded unless it is visible ASCII; also a "%" is encoded, so that decoding always gives the name. */
function headerText(name: string): string {
  return /^[\x21-\x24\x26-\x7e]*$/.test(name) ? name : encodeURIComponent(name)
}

/** A name's resolution cannot be cancelled, but it need not be waited for. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_, reject) => {
    const fail = () => reject(signal.reason)
    if (signal.aborted) fail()
    signal.addEventListener('abort', fail, { once: true })
  })
  return Promise.race([work, aborted])
}

/** Statuses below 500 that say "later", not "never". */
const LATER = [408, 425, 429]
const SHOWN_CHARS = 300

/** 2xx is the result. What asking again cannot change fails the round for good; the rest asks for another attempt. */
function judge(what: string, { status, tail }: HttpAnswer): WebhookResult {
  if (status >= 200 && status < 300) return { status, body: tail }
  const said = `${what}: answered ${status}${tail && `: ${tail.slice(0, SHOWN_CHARS)}`}`
  if (status >= 300 && status < 400)
    throw new JobFailed(`${what}: answered ${status}, and redirects are not followed`)
  if (status >= 400 && status < 500 && !LATER.includes(status)) throw new JobFailed(said)
  throw new Error(said)
}

/** Where several addresses were tried, Node's error has no message, only a code. */
function trouble(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}
