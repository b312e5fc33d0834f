import { createHash, timingSafeEqual } from 'node:crypto'
import { GoneError } from '../errors.ts'

/**
 * What a key may do: `elect` also renews, completes and fails; `submit` also sets schedules and expectations; `read`
 * sees what there is; `admin` is all of it, and changes queues on the board.
 */
export const ACTIONS = ['elect', 'submit', 'read', 'admin'] as const
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
  /** The SHA-256 of the whole key, in hexadecimal. No slow hash: nobody guesses 256 random bits. */
  readonly digest: string
  readonly createdAtMs: number
  readonly expiresAtMs?: number
}

/** What a request is about: a system, all of them, or one that is not known yet because the body says it. */
export type Scope = { readonly system: string } | 'all' | 'unknown'

/** Keys in the store that all facades share. */
export interface ApiKeys {
  /** Every key, and what sessions are signed with if anybody has logged in. One round trip. */
  read(): Promise<{ readonly keys: readonly ApiKey[]; readonly sessionSecret?: string }>
  add(key: ApiKey): Promise<void>
  /** True if there was such a key. */
  remove(id: string): Promise<boolean>
  /** What all facades sign sessions with: `fresh`, or what another has chosen first. */
  keepSessionSecret(fresh: string): Promise<string>
}

const KEY = /^gone_([0-9a-f]{12})_[A-Za-z0-9_-]{43}$/
const ID = /^[0-9a-f]{12}$/
const PATTERN = /^[^/\p{Cc}\p{Cf}\p{Z}]{1,128}$/u

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

/** True if the key lets its holder do this there. */
export function permits(key: Pick<ApiKey, 'actions' | 'systems'>, action: Action, scope: Scope): boolean {
  if (!(key.actions.includes(action) || key.actions.includes('admin'))) return false
  if (scope === 'unknown') return true
  if (scope === 'all') return key.systems.includes('*')
  return key.systems.some((pattern) => covers(pattern, scope.system))
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
  const patterns = listOf(text).map((pattern) => pattern.normalize('NFC'))
  const wrong = patterns.find((pattern) => !PATTERN.test(pattern))
  if (patterns.length > 0 && wrong === undefined) return patterns
  throw new GoneError(
    'INVALID_PARAMETER',
    `systems: expected names such as cleaner or team-*, separated by commas, got ${JSON.stringify(wrong ?? '')}`,
  )
}

function listOf(text: string): readonly string[] {
  return [...new Set(text.split(',').flatMap((part) => (part.trim() ? [part.trim()] : [])))]
}
