import { GoneError } from '../../errors.ts'
import { exactJson } from '../exact-json.ts'
import { type Members, members, oneOf, span, takeJson, whole } from '../expect.ts'
import type { Backoff } from '../rounds/job.ts'
import { isWorkerName } from '../rounds/job.ts'
import { MAX_REASON } from '../rounds/limits.ts'
import { MAX_DEADLINE_MS } from '../rounds/record.ts'
import { iso } from '../rounds/round-wire.ts'
import { parseDuration } from '../time/duration.ts'

/** What of a worker is set from one place, as it is written: it goes before what its file says. */
export interface WorkerSettings {
  readonly concurrency?: number
  readonly attempts?: number
  readonly timeout?: string
  readonly backoff?: { readonly type: Backoff['type']; readonly delay: string }
  /** Handlers read it as `context.config`. */
  readonly config?: unknown
}

export const SETTINGS_OF = ['worker', 'instance'] as const

/** Whose settings: a worker's, wherever it runs, or an instance's, which go before. */
export interface SettingsTarget {
  readonly of: (typeof SETTINGS_OF)[number]
  readonly name: string
}

export interface SettingsRevision {
  /** A number that only grows, over all that is set. */
  readonly revision: number
  readonly atMs: number
  readonly actor: string
  readonly reason: string
  /** Null: nothing is set any more. */
  readonly settings: WorkerSettings | null
}

/** What is set for one of them, and was before: newest first. */
export interface TargetSettings extends SettingsTarget {
  readonly revisions: readonly SettingsRevision[]
}

/** How many revisions are kept of each. */
export const KEPT_REVISIONS = 20
const MAX_CONFIG_BYTES = 16_384

/** Which settings a worker has taken, or has refused and why. */
export interface SettingsTaken {
  readonly revision: number
  readonly refused?: string
}

/** What is set for a worker of an instance: what is said of the instance goes before. `revision` 0: nothing. */
export function settingsFor(
  all: readonly TargetSettings[],
  instance: string,
  worker: string,
): { readonly revision: number; readonly settings: WorkerSettings } {
  const current = (of: SettingsTarget['of'], name: string) =>
    all.find((one) => one.of === of && one.name === name)?.revisions[0]
  const [ofWorker, ofInstance] = [current('worker', worker), current('instance', instance)]
  return {
    revision: Math.max(ofWorker?.revision ?? 0, ofInstance?.revision ?? 0),
    settings: { ...ofWorker?.settings, ...ofInstance?.settings },
  }
}

/** The terms that settings say. */
export function termsIn({ timeout, backoff, concurrency, attempts }: WorkerSettings) {
  return {
    ...(concurrency !== undefined && { concurrency }),
    ...(attempts !== undefined && { attempts }),
    ...(timeout !== undefined && { timeoutMs: parseDuration(timeout) ?? 0 }),
    ...(backoff && { backoff: { type: backoff.type, delayMs: parseDuration(backoff.delay) ?? 0 } }),
  }
}

/** What is put: the settings as a whole, and why. @throws GoneError `INVALID_BODY` */
export function readSettings(body: Members): { settings: WorkerSettings; reason: string } {
  const { concurrency, attempts, timeout, backoff, config, reason = '' } = body
  if (typeof reason !== 'string' || reason.length > MAX_REASON)
    throw invalid(`reason: expected a text of up to ${MAX_REASON} characters`)
  if (config !== undefined && new TextEncoder().encode(exactJson(config, 'config')).length > MAX_CONFIG_BYTES)
    throw invalid(`config: expected at most ${MAX_CONFIG_BYTES} bytes of JSON`)
  if (timeout !== undefined) takeJson('timeout', span(1, MAX_DEADLINE_MS), timeout, invalid)
  const settings: WorkerSettings = {
    ...(concurrency !== undefined && {
      concurrency: takeJson('concurrency', whole(1, 10_000), concurrency, invalid),
    }),
    ...(attempts !== undefined && { attempts: takeJson('attempts', whole(1, 100), attempts, invalid) }),
    ...(timeout !== undefined && { timeout: timeout as string }),
    ...(backoff !== undefined && { backoff: backoffIn(backoff) }),
    ...(config !== undefined && { config }),
  }
  if (Object.keys(settings).length > 0) return { settings, reason }
  throw invalid('expected at least one of concurrency, attempts, timeout, backoff, config')
}

function backoffIn(value: unknown): NonNullable<WorkerSettings['backoff']> {
  const owner = { name: 'backoff', owner: 'backoff' }
  const { type, delay } = members(owner, value, ['type', 'delay'], invalid)
  takeJson('backoff.delay', span(0, MAX_DEADLINE_MS), delay, invalid)
  return {
    type: takeJson('backoff.type', oneOf(['fixed', 'exponential']), type, invalid),
    delay: delay as string,
  }
}

/** @throws GoneError `INVALID_PARAMETER` */
export function settingsTarget({ of = '', name = '' }: Readonly<Record<string, string>>): SettingsTarget {
  const found = SETTINGS_OF.find((one) => one === of)
  if (found && isWorkerName(name)) return { of: found, name }
  throw new GoneError(
    'INVALID_PARAMETER',
    `expected worker/<name> or instance/<id>, got ${JSON.stringify(`${of}/${name}`.slice(0, 64))}`,
  )
}

export interface SettingsRevisionJson {
  readonly revision: number
  readonly at: string
  readonly actor: string
  readonly reason: string
  readonly settings: WorkerSettings | null
}

export interface TargetSettingsJson extends SettingsTarget {
  readonly revision: number
  readonly settings: WorkerSettings | null
  readonly revisions: readonly SettingsRevisionJson[]
}

export function settingsJson({ of, name, revisions }: TargetSettings): TargetSettingsJson {
  const shown = revisions.map(({ atMs, ...rest }) => ({ ...rest, at: iso(atMs) }))
  return {
    of,
    name,
    revision: shown[0]?.revision ?? 0,
    settings: shown[0]?.settings ?? null,
    revisions: shown,
  }
}

function invalid(message: string): GoneError {
  return new GoneError('INVALID_BODY', message)
}
