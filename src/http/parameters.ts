import type { FastifyRequest } from 'fastify'
import { formatDuration, parseDuration } from '../core/duration.ts'
import { MAX_DEADLINE_MS, type RoundState } from '../core/record.ts'
import { checkIdentifier, isPercentEncoded } from '../core/round.ts'
import { GoneError } from '../errors.ts'

/** One query parameter: how it is read, and how OpenAPI describes it. One place, so that both agree. */
export interface Parameter<T> {
  readonly about: string
  readonly example: string
  readonly parse: (text: string, name: string) => T
}

type Parameters = Readonly<Record<string, Parameter<unknown>>>
type Values<P extends Parameters> = { readonly [K in keyof P]?: ReturnType<P[K]['parse']> }

const MAX_WAIT_MS = 60_000
const MIN_LEASE_MS = 1_000
const MAX_LEASE_MS = 86_400_000
const MAX_LIMIT = 1_000
const MAX_REASON = 1_000
const STATES: readonly RoundState[] = ['submitted', 'led', 'overdue', 'completed', 'failed']

/** A token tells candidates apart and is sent in a header, so it is of visible ASCII; a comma would join two headers. */
const TOKEN = /^[\x21-\x2b\x2d-\x7e]{1,128}$/

export const candidate: Parameter<string> = {
  about:
    'Your token: calls with the same one are the same candidate, which makes them safe to retry. Also as header Gone-Candidate.',
  example: 'pod-7f9c',
  parse: (text, name) => {
    if (TOKEN.test(text)) return text
    throw invalid(name, 'expected 1 to 128 visible ASCII characters without a comma', text)
  },
}

export const fence: Parameter<number> = {
  about:
    'The fence that the election answered: proves the leadership like the token does. Also as header Gone-Fence.',
  example: '7',
  parse: (text, name) => parseWhole(text, name, 1, Number.MAX_SAFE_INTEGER),
}

export const lease: Parameter<number> = {
  about:
    'How long the leader may be silent before another may take over, 1s to 1d. Without it nobody ever takes over.',
  example: '30s',
  parse: (text, name) => parseSpan(text, name, MIN_LEASE_MS, MAX_LEASE_MS),
}

export const deadline: Parameter<number> = {
  about: 'How long after the election an unreported round turns red, 1s to 7d.',
  example: '10m',
  parse: (text, name) => parseSpan(text, name, 1_000, MAX_DEADLINE_MS),
}

export const wait: Parameter<number> = {
  about: 'How long to wait for the lead or the end of the round, up to 60s.',
  example: '25s',
  parse: (text, name) => parseSpan(text, name, 0, MAX_WAIT_MS),
}

export const reason: Parameter<string> = {
  about: `Why the leader gave up, up to ${MAX_REASON} characters.`,
  example: 'disk full',
  parse: (text, name) => {
    if (text.length >= 1 && text.length <= MAX_REASON) return text
    throw invalid(name, `expected 1 to ${MAX_REASON} characters`, text)
  },
}

export const system: Parameter<string> = {
  about: 'Only those of this system.',
  example: 'cleaner',
  parse: (text) => {
    checkIdentifier('system', text)
    return text
  },
}

export const state: Parameter<RoundState> = {
  about: `Only rounds in this state: ${STATES.join(', ')}.`,
  example: 'overdue',
  parse: (text, name) => {
    const found = STATES.find((known) => known === text)
    if (found) return found
    throw invalid(name, `expected one of ${STATES.join(', ')}`, text)
  },
}

export const limit: Parameter<number> = {
  about: `How many to a page, up to ${MAX_LIMIT}; 100 by default.`,
  example: '20',
  parse: (text, name) => parseWhole(text, name, 1, MAX_LIMIT),
}

export const count: Parameter<number> = {
  about: `How many, up to ${MAX_LIMIT}; 10 by default.`,
  example: '5',
  parse: (text, name) => parseWhole(text, name, 1, MAX_LIMIT),
}

export const cursor: Parameter<string> = {
  about: 'Where to go on: the `next` of the page before.',
  example: 'MTc2MzgwMDAwMDAwMC0wIGNsZWFuZXI',
  parse: (text) => text,
}

const NOTHING = Object.freeze({})

/**
 * The request's query, read by the parameters that the route takes.
 *
 * @throws GoneError `INVALID_PARAMETER` for a name that the route does not take, a name given twice, or a bad value
 */
export function readQuery<P extends Parameters>(request: FastifyRequest, parameters: P): Values<P> {
  const start = request.url.indexOf('?')
  if (start < 0) return NOTHING as Values<P>
  // The parser would take what it cannot decode as it stands, and so for another value.
  if (!isPercentEncoded(request.url.slice(start)))
    throw new GoneError('INVALID_PARAMETER', 'the query is not valid percent-encoded UTF-8')
  const values: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(request.query as Record<string, string | string[]>)) {
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined
    if (parameter === undefined) {
      const known = Object.keys(parameters).join(', ') || 'none'
      throw new GoneError(
        'INVALID_PARAMETER',
        `${JSON.stringify(name)}: no such query parameter; this path takes: ${known}`,
      )
    }
    if (typeof text !== 'string')
      throw new GoneError('INVALID_PARAMETER', `${name}: given ${text.length} times`)
    values[name] = parameter.parse(text, name)
  }
  return values as Values<P>
}

/** A value that may come as a header or in the query; if it comes as both they must agree. */
export function headerOr<T>(
  request: FastifyRequest,
  header: string,
  parameter: Parameter<T>,
  queried: T | undefined,
): T | undefined {
  const text = request.headers[header]
  if (text === undefined) return queried
  const value = parameter.parse(String(text), header)
  if (queried !== undefined && queried !== value) {
    throw new GoneError('INVALID_PARAMETER', `${header}: header and query parameter differ`)
  }
  return value
}

/**
 * The body's members, of which only the named ones may exist; no body is the same as an empty one.
 *
 * @throws GoneError `INVALID_BODY`
 */
export function readBody(body: unknown, names: readonly string[]): Readonly<Record<string, unknown>> {
  if (body === undefined || body === null) return {}
  if (typeof body !== 'object' || Array.isArray(body)) {
    throw new GoneError('INVALID_BODY', 'expected a JSON object or no body')
  }
  const unknown = Object.keys(body).find((name) => !names.includes(name))
  if (unknown === undefined) return body as Record<string, unknown>
  const known = names.join(', ') || 'none'
  throw new GoneError('INVALID_BODY', `${JSON.stringify(unknown)}: no such member; this path takes: ${known}`)
}

function parseSpan(text: string, name: string, minMs: number, maxMs: number): number {
  const ms = parseDuration(text)
  if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms
  throw invalid(
    name,
    `expected a duration like 30s or 10m, from ${formatDuration(minMs)} to ${formatDuration(maxMs)}`,
    text,
  )
}

function parseWhole(text: string, name: string, min: number, max: number): number {
  const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (number >= min && number <= max) return number
  throw invalid(name, `expected an integer from ${min} to ${max}`, text)
}

function invalid(name: string, rule: string, text: string): GoneError {
  const shown = JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
  return new GoneError('INVALID_PARAMETER', `${name}: ${rule}, got ${shown}`)
}
