import { exactJson } from '../exact-json.ts'
import { isJobFailed, laterMsOf } from './job-failed.ts'
import { MAX_REASON } from './limits.ts'

/** How a handler's attempt failed. */
export interface HandlerFailure {
  readonly reason: string
  /** Where it was thrown, if that is known. */
  readonly stack?: string
  /** True if the handler wants no further attempt. */
  readonly isFinal: boolean
  /** How long the next attempt should wait; missing: as long as is usual. */
  readonly afterMs?: number
}

const MAX_STACK_LENGTH = 4_000

/**
 * What a handler threw, as text. It may be anything: undefined, a symbol, a proxy that throws when it is looked at. None of
 * it may keep the attempt from ending.
 */
export function failureOf(thrown: unknown): HandlerFailure {
  const stack = quietly(() => textOf(thrown, 'stack'))
  const afterMs = quietly(() => laterMsOf(thrown))
  return {
    reason: shortened(quietly(() => reasonOf(thrown)) ?? 'it threw what cannot be read', MAX_REASON),
    ...(stack && { stack: shortened(stack, MAX_STACK_LENGTH) }),
    isFinal: quietly(() => isJobFailed(thrown)) ?? false,
    ...(afterMs !== undefined && { afterMs }),
  }
}

/**
 * What a handler returned, as JSON; empty if it returned nothing.
 *
 * @throws Error saying why it has no JSON: a circle, a BigInt, NaN, a function, a getter that throws, too deep
 */
export function resultText(result: unknown): string {
  if (result === undefined) return ''
  let text: string | undefined
  try {
    text = exactJson(result, 'result')
  } catch (error) {
    throw notJson(failureOf(error).reason)
  }
  if (text === undefined) throw notJson(`a ${typeof result}`)
  return text
}

function notJson(why: string): Error {
  return new TypeError(`its result is not JSON: ${why}`)
}

function reasonOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown || 'failed without a reason'
  if (typeof thrown !== 'object' || thrown === null) return `it threw ${shownAs(thrown)}`
  const message = textOf(thrown, 'message')
  if (message) return message
  const isError = thrown instanceof Error
  const hasMessage = 'message' in thrown && (thrown.message ?? '') !== ''
  if (hasMessage) return `it threw an error whose message is ${shownAs(thrown.message)}`
  return isError ? 'failed without a reason' : `it threw ${shownAs(thrown)}`
}

/** The member, if it is a text. */
function textOf(thrown: unknown, member: 'message' | 'stack'): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  const text = (thrown as Record<string, unknown>)[member]
  return typeof text === 'string' ? text : undefined
}

function shownAs(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return String(value)
  return quietly(() => JSON.stringify(value)) ?? 'an object'
}

function shortened(text: string, length: number): string {
  return text.slice(0, length).toWellFormed()
}

/** Undefined where reading it throws. */
function quietly<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
