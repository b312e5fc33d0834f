import { GoneError } from '../../errors.ts'

/** One occurrence of the work. Every replica computes the same two names; case matters. */
export interface RoundId {
  readonly system: string
  readonly round: string
}

const MAX_BYTES = 128

/** Names that need neither a check nor an escape: nearly all of them, and the hot path. */
const PLAIN = /^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,128}$/

/**
 * The round that the two names mean.
 *
 * @throws GoneError `INVALID_IDENTIFIER` naming the part, the rule and the value
 */
export function roundId(system: string, round: string): RoundId {
  checkIdentifier('system', system)
  checkIdentifier('round', round)
  return { system, round }
}

/**
 * Checks one name: 1 to 128 bytes, or at most `maxBytes`, of valid, NFC-normalised UTF-8 without control, format or separator characters,
 * without `/`, and neither `.` nor `..`, which HTTP clients resolve away.
 *
 * @throws GoneError `INVALID_IDENTIFIER`
 */
export function checkIdentifier(
  part: 'system' | 'round' | 'name',
  value: string,
  maxBytes = MAX_BYTES,
): void {
  if (PLAIN.test(value) && value.length <= maxBytes) return
  const rule = brokenRule(value, maxBytes)
  if (rule !== undefined) throw new GoneError('INVALID_IDENTIFIER', `${part}: ${rule}`)
}

/**
 * The round as one string: its BullMQ job id, and how it is written in logs. No two rounds share one.
 *
 * BullMQ rejects ":" and whole numbers as job ids, and "wait" or "meta" corrupt or lose the job. Each part is escaped,
 * and the "~" between them, which no escaped part contains, keeps the whole clear of all of these.
 *
 * @example roundKey({ system: 'cleaner', round: '2020-10-18' }) // 'cleaner~2020-10-18'
 */
export function roundKey(id: RoundId): string {
  return `${escapePart(id.system)}~${escapePart(id.round)}`
}

/** The round for people: `cleaner/2020-10-18`. */
export function formatRound({ system, round }: RoundId): string {
  return `${system}/${round}`
}

/**
 * The round whose key this is; the inverse of `roundKey`.
 *
 * @throws GoneError `INVALID_IDENTIFIER` also where it is no key of a round that could be asked for by its names
 */
export function parseRoundKey(key: string): RoundId {
  const between = key.indexOf('~')
  const plain = { system: key.slice(0, Math.max(0, between)), round: key.slice(between + 1) }
  if (PLAIN.test(plain.system) && PLAIN.test(plain.round)) return plain
  const [system = '', round = ''] = isPercentEncoded(key) ? key.split('~').map(unescapePart) : []
  const id = { system, round }
  if (roundKey(id) !== key || !isName(system) || !isName(round)) {
    throw new GoneError('INVALID_IDENTIFIER', `expected a round key like "system~round", got "${key}"`)
  }
  return id
}

function isName(value: string): boolean {
  return PLAIN.test(value) || brokenRule(value, MAX_BYTES) === undefined
}

/** Percent-escapes every byte outside `[A-Za-z0-9_.-]`, so that a name is safe inside a Redis key or a job id. */
export function escapePart(value: string): string {
  if (PLAIN.test(value)) return value
  let escaped = ''
  for (const byte of new TextEncoder().encode(value)) {
    const char = String.fromCharCode(byte)
    escaped += /[A-Za-z0-9_.-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return escaped
}

export function unescapePart(escaped: string): string {
  return decodeURIComponent(escaped)
}

/** True if it is what `escapePart` makes of a name. */
export function isEscapedPart(text: string): boolean {
  return PLAIN.test(text) || (isPercentEncoded(text) && escapePart(unescapePart(text)) === text)
}

/** True if the text can be decoded as percent-encoded. */
export function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

function brokenRule(value: string, maxBytes: number): string | undefined {
  // The SDK checks names too, and runs where there is no buffer of Node's.
  const bytes = new TextEncoder().encode(value).length
  if (bytes === 0 || bytes > maxBytes) return `expected 1 to ${maxBytes} bytes, got ${bytes}`
  const shown = JSON.stringify(value)
  if (value === '.' || value === '..') return `expected a name, got ${shown}, which stands for a folder`
  if (value.includes('/')) return `must not contain "/", got ${shown}`
  if (!value.isWellFormed()) return `expected valid UTF-8, got ${shown}`
  const bad = /[\p{Cc}\p{Cf}\p{Z}]/u.exec(value)?.[0]
  if (bad !== undefined) {
    return `must not contain a control, format or separator character (${codePoint(bad)}), got ${shown}`
  }
  if (value.normalize('NFC') !== value) return `expected NFC-normalised text, got ${shown}`
  return undefined
}

function codePoint(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`
}
