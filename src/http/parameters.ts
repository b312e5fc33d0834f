import type { FastifyRequest } from 'fastify'
import { instant, ofText, oneOf, type Rule, takeText, whole } from '../core/expect.ts'
import { MAX_REASON } from '../core/rounds/limits.ts'
import type { RoundState } from '../core/rounds/record.ts'
import { checkIdentifier, isPercentEncoded } from '../core/rounds/round.ts'
import { DEADLINE, LEASE, REASON, WAIT } from '../core/rounds/round-rules.ts'
import type { JsonSchema } from '../core/shape.ts'
import { GoneError } from '../errors.ts'

/** One query parameter: how it is read, and how OpenAPI describes it. One place, so that both agree. */
export interface Parameter<T> {
  readonly about: string
  readonly example: string
  readonly schema: JsonSchema
  /** It may come as this header instead; if it comes as both they must agree. */
  readonly header?: string
  readonly isHeaderOnly?: true
  /** The header is newer than the query, and goes before it: who listens comes again with the address of the first time. */
  readonly isHeaderNewer?: true
  readonly parse: (text: string, name: string) => T
}

export type Parameters = Readonly<Record<string, Parameter<unknown>>>
export type Values<P extends Parameters> = { readonly [K in keyof P]?: ReturnType<P[K]['parse']> }

/** A name in a path or a query; how many bytes it may have is not for JSON Schema to say. */
export const IDENTIFIER: JsonSchema = { type: 'string', minLength: 1, maxLength: 128 }

/** Common proxies give up after 60 s without an answer, and then take the server for dead. */
export const MAX_ANSWER_MS = 50_000
const MAX_LIMIT = 1_000
export const STATES: readonly RoundState[] = ['submitted', 'open', 'led', 'overdue', 'completed', 'failed']

/** What a rule reads. */
export function parameter<T>(
  about: string,
  example: string,
  rule: Rule<T>,
  more: Pick<Parameter<T>, 'header' | 'isHeaderOnly' | 'isHeaderNewer'> = {},
): Parameter<T> {
  const parse = (text: string, name: string) => takeText(name, rule, text, invalidParameter)
  return { about, example, schema: rule.schema ?? { type: 'string' }, parse, ...more }
}

export function invalidParameter(message: string): GoneError {
  return new GoneError('INVALID_PARAMETER', message)
}

/** A token tells candidates apart and is sent in a header, so it is of visible ASCII; a comma would join two headers. */
const TOKEN = /^[\x21-\x2b\x2d-\x7e]{1,128}$/

const token = ofText({
  expected: () => '1 to 128 visible ASCII characters without a comma',
  fromText: (text) => (TOKEN.test(text) ? text : undefined),
  schema: { type: 'string', pattern: TOKEN.source },
})

export const anyText = ofText({
  expected: () => 'a text',
  fromText: (text) => text,
})

/** Where whoever listens goes on; a browser that connects again says it in the header, which is newer than what its address says. */
export function goOnAfter(what: string): Parameter<string> {
  return parameter(`Where to go on: ${what}.`, 'x1Yz.17', anyText, {
    header: 'Last-Event-ID',
    isHeaderNewer: true,
  })
}

export const candidate = parameter(
  'Your token: calls with the same one are the same candidate, which makes them safe to retry.',
  'pod-7f9c',
  token,
  { header: 'Gone-Candidate' },
)

export const callToken = parameter(
  'A token for this one call: sent again, also to another server, it is the same call. Without it each request is another.',
  'order-4711-total',
  token,
  { header: 'Gone-Request' },
)

/** Of visible ASCII and spaces between. */
const NAME = /^[\x21-\x7e](?:[\x20-\x7e]{0,98}[\x21-\x7e])?$/

export const candidateName = parameter(
  'What you call yourself, for people who look who leads: it decides nothing.',
  'pod-7f9c of eu-a',
  ofText({
    expected: () => '1 to 100 visible ASCII characters, with spaces between',
    fromText: (text) => (NAME.test(text) ? text : undefined),
    schema: { type: 'string', pattern: NAME.source },
  }),
  { header: 'Gone-Name', isHeaderOnly: true },
)

export const ifMatch = parameter(
  'The ETag of what you have seen: where it was changed since, nothing is done. `*`: it must be there.',
  '"kq1Yw0Jt2mV8bZ3c"',
  ofText({
    expected: () => 'one ETag in quotes, or *',
    // A proxy that compresses makes the ETag a weak one (W/).
    fromText: (text) => (text === '*' ? text : /^(?:W\/)?"([\w-]{1,64})"$/.exec(text)?.[1]),
    schema: { type: 'string' },
  }),
  { header: 'If-Match', isHeaderOnly: true },
)

export const ifNoneMatch = parameter(
  '`*`: it must not be there yet, else nothing is done.',
  '*',
  ofText({
    expected: () => '*',
    fromText: (text) => (text === '*' ? text : undefined),
    schema: { type: 'string', const: '*' },
  }),
  { header: 'If-None-Match', isHeaderOnly: true },
)

export const fence = parameter(
  'The fence that the election answered: proves the leadership like the token does.',
  '7',
  whole(1, Number.MAX_SAFE_INTEGER),
  { header: 'Gone-Fence' },
)

export const lease = parameter(
  'How long the leader may be silent before another may take over, 1s to 1d. Without it nobody ever takes over.',
  '30s',
  LEASE,
)

export const deadline = parameter(
  'How long after the election an unreported round turns red, 1s to 7d.',
  '10m',
  DEADLINE,
)

const waited = parameter(
  'How long to wait for the lead or the end of the round, up to 60s; answered after 50s at the latest.',
  '25s',
  WAIT,
)

/** A request that has it is not timed. */
export const wait: Parameter<number> = {
  ...waited,
  parse: (text, name) => Math.min(waited.parse(text, name), MAX_ANSWER_MS),
}

export const reason = parameter(
  `Why the leader gave up, up to ${MAX_REASON} characters.`,
  'disk full',
  REASON,
)

/** Of who cancels a round or opens it again. */
export const purpose = parameter(`Why, up to ${MAX_REASON} characters.`, 'not needed any more', REASON)

export const system: Parameter<string> = {
  about: 'Only those of this system.',
  example: 'cleaner',
  schema: IDENTIFIER,
  parse: (text) => {
    checkIdentifier('system', text)
    return text
  },
}

export const state = parameter(`Only rounds in this state: ${STATES.join(', ')}.`, 'overdue', oneOf(STATES))

/** What is looked for. */
export const searched = ofText({
  expected: () => '1 to 128 characters',
  fromText: (text) => (text.length >= 1 && text.length <= 128 ? text : undefined),
  schema: { type: 'string', minLength: 1, maxLength: 128 },
})

export const roundText = parameter(
  'Only rounds whose name has this text, in whatever case.',
  '2026-11',
  searched,
)
export const ofWorker = parameter('Only rounds that were submitted to this worker.', 'mailer', searched)
export const ofLeader = parameter(
  'Only rounds whose leader has this text in its address or in its name.',
  '10.0.0.7',
  searched,
)
export const from = parameter('Only what came then or later.', '2026-11-22T08:00:00Z', instant())
export const to = parameter('Only what came then or earlier.', '2026-11-23T08:00:00Z', instant())

export const limit = parameter(
  `How many to a page, up to ${MAX_LIMIT}; 100 by default.`,
  '20',
  whole(1, MAX_LIMIT),
)

export const count = parameter(`How many, up to ${MAX_LIMIT}; 10 by default.`, '5', whole(1, MAX_LIMIT))

export const lines = parameter(
  `How many lines of its log, the last, up to ${MAX_LIMIT}; 100 by default.`,
  '20',
  whole(1, MAX_LIMIT),
)

export const cursor = parameter(
  'Where to go on: the `next` of the page before.',
  'MTc2MzgwMDAwMDAwMC0wIGNsZWFuZXI',
  anyText,
)

const NOTHING = Object.freeze({})

/**
 * Reads the query of a request, and the headers that stand for a part of it.
 *
 * @throws GoneError `INVALID_PARAMETER` for a name that the endpoint does not take, a name given twice, a bad value, or
 * a header that differs from the query
 */
export function parameterReader<P extends Parameters>(parameters: P): (request: FastifyRequest) => Values<P> {
  const inQuery = Object.keys(parameters).filter((name) => !parameters[name]?.isHeaderOnly)
  const inHeaders = Object.entries(parameters).flatMap(([name, parameter]) =>
    parameter.header === undefined ? [] : [{ name, header: parameter.header.toLowerCase(), parameter }],
  )
  return (request) => {
    const start = request.url.indexOf('?')
    let values: Record<string, unknown> | undefined
    if (start >= 0) values = queried(request, request.url.slice(start), parameters, inQuery)
    for (const { name, header, parameter } of inHeaders) {
      const text = request.headers[header]
      if (text === undefined) continue
      const value = parameter.parse(String(text), header)
      values ??= {}
      if (!parameter.isHeaderNewer && Object.hasOwn(values, name) && values[name] !== value)
        throw invalidParameter(`${header}: header and query parameter differ`)
      values[name] = value
    }
    return (values ?? NOTHING) as Values<P>
  }
}

function queried(
  { query }: FastifyRequest,
  text: string,
  parameters: Parameters,
  inQuery: readonly string[],
): Record<string, unknown> {
  // The parser would take what it cannot decode as it stands, and so for another value.
  if (!isPercentEncoded(text)) throw invalidParameter('the query is not valid percent-encoded UTF-8')
  const values: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(query as Record<string, string | string[]>)) {
    const parameter = inQuery.includes(name) ? parameters[name] : undefined
    if (parameter === undefined) {
      const known = inQuery.join(', ') || 'none'
      throw invalidParameter(`${JSON.stringify(name)}: no such query parameter; this path takes: ${known}`)
    }
    if (typeof value !== 'string') throw invalidParameter(`${name}: given ${value.length} times`)
    values[name] = parameter.parse(value, name)
  }
  return values
}
