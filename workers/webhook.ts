/** Calls a URL: the round and its fence go with the request, signed. Settings and an example are in README.md. */

import { JobFailed } from '../src/core/rounds/job-failed.ts'
import { formatDuration } from '../src/core/time/duration.ts'
import { expectTaken } from '../src/hook/answer.ts'
import { call, type HttpAnswer } from '../src/hook/http-call.ts'
import { signatures } from '../src/hook/signature.ts'
import { defineWorker, GoneError, type WorkerContext, type WorkerHandler } from '../src/index.ts'
import { withSecretFiles } from '../src/secrets.ts'
import { unlessAborted } from '../src/waiting.ts'
import { type DestinationRules, parseHostPatterns, resolveDestination } from './lib/destination.ts'
import { type Hook, readHook } from './lib/hook.ts'
import { parseReceiverSecrets, type ReceiverSecret, secretFor } from './lib/receiver-secrets.ts'
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
  /** What signs requests to receivers that have no secret of their own; missing: they are not signed. */
  readonly secret?: string
  /** Secrets of receivers, by host pattern; the first that matches. */
  readonly secrets?: readonly ReceiverSecret[]
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
    GONE_WEBHOOK_SECRETS: secrets,
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
    ...(secrets?.trim() && { secrets: receiverSecrets(secrets) }),
    ...(hosts.length > 0 && { hosts }),
    allowPrivate: allowPrivate === 'true',
  }
}

function receiverSecrets(list: string): readonly ReceiverSecret[] {
  const read = parseReceiverSecrets(list)
  if (!('host' in read)) return read
  const rule =
    'expected hosts and their secrets like api.example.com=secret, comma-separated and without ports'
  throw new GoneError('CONFIG', `GONE_WEBHOOK_SECRETS: ${rule}, got "${read.host}"`)
}

/** The handler under other settings than the environment's. */
export function webhookHandler(settings: WebhookSettings): WorkerHandler<WebhookData, WebhookResult> {
  return async ({ data }, context) => {
    const hook = readHook(data)
    const what = `${hook.method} ${hook.url.origin}`
    // A line that cannot be written is no reason not to call.
    await context.log(`${what}, attempt ${context.attempt}, fence ${context.fence}`).catch(() => undefined)
    const answer = await answerInTime(what, hook, context, settings)
    expectTaken(what, answer, Date.now())
    return { status: answer.status, body: answer.tail }
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
  { system, round, fence, attempt, traceparent }: WorkerContext,
  { secret, secrets, ...rules }: WebhookSettings,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  // A name's resolution cannot be called off.
  const addresses = await unlessAborted(signal, resolveDestination(url, rules))
  const isEmpty = method === 'GET'
  const rawBody = isEmpty ? '' : JSON.stringify({ system, round, fence, attempt, data: body })
  const timestamp = String(Math.floor(Date.now() / 1_000))
  const own = secretFor(url.hostname, secrets) ?? secret
  const [to, about] = [headerText(system), headerText(round)]
  const ours = {
    ...(!isEmpty && { 'content-length': String(Buffer.byteLength(rawBody)) }),
    'gone-system': to,
    'gone-round': about,
    'gone-fence': String(fence),
    'gone-timestamp': timestamp,
    ...(own &&
      signatures(own, {
        timestamp,
        method,
        host: url.host,
        path: url.pathname + url.search,
        system: to,
        round: about,
        fence: String(fence),
        body: rawBody,
      })),
  }
  const theirs = {
    ...(!isEmpty && { 'content-type': 'application/json' }),
    ...(traceparent !== undefined && { traceparent }),
    'user-agent': 'gone',
    ...headers,
  }
  return call({ url, method, headers: { ...theirs, ...ours }, body: rawBody, addresses, signal })
}

/** Percent-encoded unless it is visible ASCII; also a "%" is encoded, so that decoding always gives the name. */
function headerText(name: string): string {
  return /^[\x21-\x24\x26-\x7e]*$/.test(name) ? name : encodeURIComponent(name)
}

/** Where several addresses were tried, Node's error has no message, only a code. */
function trouble(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string }
  return message || code || String(error)
}
