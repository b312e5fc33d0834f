import type { JsonSchema } from './shape.ts'
import { DURATION_PATTERN, formatDuration, parseDuration } from './time/duration.ts'
import { parseInstant } from './time/instant.ts'

/** What is taken, and the words for it. Texts come from shells, environments and queries, JSON from bodies and files. */
export interface Rule<T> {
  /** Comes after "expected": `an integer from 1 to 100`. `quoted` writes an example as it would be given. */
  expected(quoted: (example: string) => string, given: unknown): string
  /** Undefined: not what is expected. */
  fromText(text: string): T | undefined
  fromJson(value: unknown): T | undefined
  /** How OpenAPI says it; missing: any text. */
  readonly schema?: JsonSchema
}

/** Makes the error that an edge throws, of a message such as `count: expected an integer from 1 to 100, got "x"`. */
export type ToError = (message: string) => Error

/** Digits alone: neither a sign, nor a fraction, nor an exponent. */
export function whole(min: number, max: number): Rule<number> {
  const inRange = (number: number) => (number >= min && number <= max ? number : undefined)
  return {
    expected: () => `an integer from ${min} to ${max}`,
    fromText: (text) => (/^\d{1,16}$/.test(text) ? inRange(Number(text)) : undefined),
    fromJson: (value) => (Number.isInteger(value) ? inRange(value as number) : undefined),
    schema: { type: 'integer', minimum: min, maximum: max },
  }
}

/** A time span as ms, written like `30s`. */
export function span(minMs: number, maxMs: number): Rule<number> {
  return ofText({
    expected: (quoted) =>
      `a duration like ${quoted('30s')} or ${quoted('10m')}, from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`,
    fromText: (text) => {
      const ms = parseDuration(text)
      return ms !== undefined && ms >= minMs && ms <= maxMs ? ms : undefined
    },
    schema: { type: 'string', pattern: DURATION_PATTERN },
  })
}

const TIME = 'an RFC 3339 time with its zone'

/** @param latest the last time that is taken, and the words for it; missing: any */
export function instant(latest?: { readonly ms: number; readonly words: string }): Rule<number> {
  return ofText({
    expected: (quoted) =>
      [TIME, latest?.words, `like ${quoted('2026-11-22T08:00:00Z')}`].filter(Boolean).join(', '),
    fromText: (text) => {
      const ms = parseInstant(text)
      return ms !== undefined && ms <= (latest?.ms ?? Number.POSITIVE_INFINITY) ? ms : undefined
    },
  })
}

/** A slot's key has no more than whole seconds. */
export function wholeSecond(): Rule<number> {
  return ofText({
    expected: (quoted) => `${TIME}, in whole seconds, like ${quoted('2026-11-22T08:00:00Z')}`,
    fromText: (text) => {
      const ms = parseInstant(text)
      return ms !== undefined && ms % 1_000 === 0 && !/\.0*[1-9]/.test(text) ? ms : undefined
    },
  })
}

export function oneOf<const T extends string>(choices: readonly T[]): Rule<T> {
  return ofText({
    expected: (quoted) => `one of ${choices.map(quoted).join(', ')}`,
    fromText: (text) => choices.find((choice) => choice === text),
    schema: { type: 'string', enum: choices },
  })
}

/** A rule of what is a text in JSON too. */
export function ofText<T>(rule: Omit<Rule<T>, 'fromJson'>): Rule<T> {
  return { ...rule, fromJson: (value) => (typeof value === 'string' ? rule.fromText(value) : undefined) }
}

/**
 * What a text means by the rule.
 *
 * @param name of what is read; empty where whoever shows the message names it
 */
export function takeText<T>(name: string, rule: Rule<T>, text: string, toError: ToError): T {
  const taken = rule.fromText(text)
  if (taken !== undefined) return taken
  throw toError(unexpected(name, rule.expected(asIs, text), text))
}

/** What a value of JSON means by the rule. */
export function takeJson<T>(name: string, rule: Rule<T>, value: unknown, toError: ToError): T {
  const taken = rule.fromJson(value)
  if (taken !== undefined) return taken
  throw toError(unexpected(name, rule.expected(JSON.stringify, value), value))
}

export type Members = Readonly<Record<string, unknown>>

/**
 * The members of an object, of which only the named ones may exist. Nothing is the same as an empty one.
 *
 * @param name of the member that holds it; empty for a body itself
 * @param owner what the body is of, such as `a schedule`
 */
export function members(
  { name, owner }: { readonly name: string; readonly owner: string },
  value: unknown,
  names: readonly string[],
  toError: ToError,
): Members {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw toError(name === '' ? 'expected a JSON object' : unexpected(name, 'an object', value))
  const unknown = Object.keys(value).find((member) => !names.includes(member))
  if (unknown === undefined) return value as Members
  const path = JSON.stringify(name === '' ? unknown : `${name}.${unknown}`)
  throw toError(`${path}: no such member; ${name === '' ? owner : name} takes: ${names.join(', ') || 'none'}`)
}

const LONGEST_SHOWN = 64

/** The message of what is not taken, with the value, if it is long its begin. */
export function unexpected(name: string, expected: string, given: unknown): string {
  const shown = JSON.stringify(given) ?? 'nothing'
  const short = shown.length > LONGEST_SHOWN ? `${shown.slice(0, LONGEST_SHOWN).toWellFormed()}…` : shown
  return `${name === '' ? '' : `${name}: `}expected ${expected}, got ${short}`
}

function asIs(example: string): string {
  return example
}
