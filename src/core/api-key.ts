import { createHash, timingSafeEqual } from 'node:crypto'
import { GoneError } from '../errors.ts'
import type { KeyShares } from './key-shares.ts'

/**
 * What a key may do: `elect` also renews, completes and fails; `submit` also sets schedules and expectations; `read`
 * sees what there is; `operate` tells instances what to do; `work` takes jobs and reports on
 * them; `admin` is all of it, and changes queues on the board.
 */
export const ACTIONS = ['elect', 'submit', 'read', 'operate', 'work', 'admin'] as const
export type Action = (typeof ACTIONS)[number]

/** A key as it is stored: with it alone nobody gets in, because what it opens for is the digest's original. */
export interface ApiKey {
  /** 12 hexadecimal digits: not secret, for lists, logs and revocation. */
  readonly id: string
  /** What its maker called it. */
  readonly name: string
  readonly actions: readonly Action[]
  /** Names of systems; a `*` stands for any characters, none included. */
  readonly systems: readonly string[]
  /** Names of workers that it may submit to, and take jobs of, likewise. */
  readonly workers: readonly string[]
  readonly shares: KeyShares
  /** The SHA-256 of the whole key, in hexadecimal. No slow hash: nobody guesses 256 random bits. */
  readonly digest: string
  readonly createdAtMs: number
  readonly expiresAtMs?: number
}

/** What a request is about: a system, all of them, or one that is not known yet because the body says it. */
export type Scope = { readonly system: string } | 'all' | 'unknown'

/** Keys in the store that all facades share. */
export interface ApiKeys {
  /** Every key, and whether keys are in use: there has been one, and nobody has said since that none is needed. */
  read(): Promise<{ readonly keys: readonly ApiKey[]; readonly areInUse: boolean }>
  /** From now on keys are in use. */
  add(key: ApiKey): Promise<void>
  /** Notes whether keys are in use, whatever keys there are. */
  setInUse(areInUse: boolean): Promise<void>
  /** True if there was such a key. */
  remove(id: string): Promise<boolean>
}

/** When keys were used, in the store that all facades share. */
export interface KeyUses {
  /** @param agesMs how long ago each was used */
  note(agesMs: ReadonlyMap<string, number>): Promise<void>
  /** When each was used last, in ms by the store's clock. */
  read(): Promise<ReadonlyMap<string, number>>
}

/** A key as HTTP shows it: what is no secret. Times are ISO 8601. */
export interface KeyJson {
  readonly id: string
  readonly name: string
  readonly actions: readonly Action[]
  readonly systems: readonly string[]
  readonly workers: readonly string[]
  readonly createdAt: string
  readonly expiresAt?: string
  readonly lastUsedAt?: string
}

export function keyJson(key: ApiKey, usedAtMs: number | undefined): KeyJson {
  const { id, name, actions, systems, workers, createdAtMs, expiresAtMs } = key
  return {
    id,
    name,
    actions,
    systems,
    workers,
    createdAt: timeOf(createdAtMs),
    ...(expiresAtMs !== undefined && { expiresAt: timeOf(expiresAtMs) }),
    ...(usedAtMs !== undefined && { lastUsedAt: timeOf(usedAtMs) }),
  }
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString()
}

const KEY = /^gone_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/
const ID = /^[0-9a-f]{12}$/
const SYSTEMS = /^[^/\p{Cc}\p{Cf}\p{Z}]{1,128}$/u
/** Of what queues are called: the escaped names of systems are among them. */
const WORKERS = /^[\w.%*-]{1,384}$/

/**
 * A key as its holder has it: `gone_`, the id and 256 random bits.
 *
 * @param random 6 and 32 bytes
 */
export function formatKey(random: { readonly id: Buffer; readonly secret: Buffer }): string {
  return `gone_${random.id.toString('hex')}_${random.secret.toString('base64url')}`
}

/** The id in the text of a key; undefined if it is none. */
export function keyIdIn(text: string): string | undefined {
  return KEY.exec(text)?.[1]
}

export function isKeyId(text: string): boolean {
  return ID.test(text)
}

export function keyDigest(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** True if this is the text of the key. The time it takes says nothing of where they differ. */
export function isKey(key: Pick<ApiKey, 'digest'>, text: string): boolean {
  const given = createHash('sha256').update(text).digest()
  const kept = Buffer.from(key.digest, 'hex')
  return kept.length === given.length && timingSafeEqual(kept, given)
}

/** True if the key lets its holder do this, or one of these, there. */
export function permits(
  key: Pick<ApiKey, 'actions' | 'systems'>,
  action: Action | readonly Action[],
  scope: Scope,
): boolean {
  const permitted = [action, 'admin' as const].flat().filter((one) => key.actions.includes(one))
  if (permitted.length === 0) return false
  // What it may do is said of workers, and not of systems: see permitsWorker.
  if (scope === 'unknown' || permitted.includes('work')) return true
  if (scope === 'all') return key.systems.includes('*')
  return key.systems.some((pattern) => covers(pattern, scope.system))
}

/** True if the key lets its holder submit jobs to this worker, or take jobs of it. */
export function permitsWorker({ workers }: Pick<ApiKey, 'workers'>, worker: string): boolean {
  return workers.some((pattern) => covers(pattern, worker))
}

/** Where `*` stands for any characters. In time linear in both, whoever chose them. */
export function covers(pattern: string, name: string): boolean {
  const parts = pattern.split('*')
  const [first = '', last = ''] = [parts[0], parts.at(-1)]
  if (parts.length === 1) return pattern === name
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false
  const end = name.length - last.length
  let from = first.length
  for (const part of parts.slice(1, -1)) {
    const at = name.indexOf(part, from)
    if (at < 0 || at + part.length > end) return false
    from = at + part.length
  }
  return true
}

/** @throws GoneError `INVALID_PARAMETER` */
export function readActions(text: string): readonly Action[] {
  const names = listOf(text)
  const wrong = names.find((name) => !ACTIONS.includes(name as Action))
  if (names.length > 0 && wrong === undefined) return names as readonly Action[]
  throw new GoneError(
    'INVALID_PARAMETER',
    `actions: expected some of ${ACTIONS.join(', ')}, got "${wrong ?? ''}"`,
  )
}

/** @throws GoneError `INVALID_PARAMETER` */
export function readSystems(text: string): readonly string[] {
  return patternsIn('systems', SYSTEMS, text)
}

/** @throws GoneError `INVALID_PARAMETER` */
export function readWorkers(text: string): readonly string[] {
  return patternsIn('workers', WORKERS, text)
}

function patternsIn(name: string, pattern: RegExp, text: string): readonly string[] {
  const patterns = listOf(text).map((part) => part.normalize('NFC'))
  const wrong = patterns.find((part) => !pattern.test(part))
  if (patterns.length > 0 && wrong === undefined) return patterns
  throw new GoneError(
    'INVALID_PARAMETER',
    `${name}: expected names such as cleaner or team-*, separated by commas, got ${JSON.stringify(wrong ?? '')}`,
  )
}

function listOf(text: string): readonly string[] {
  return [...new Set(text.split(',').flatMap((part) => (part.trim() ? [part.trim()] : [])))]
}
