import { SETTINGS_OF } from '../core/fleet/worker-settings.ts'
import { MAX_WORKER_NAME } from '../core/rounds/job.ts'
import type { JsonSchema } from '../core/shape.ts'
import { ERROR_CODES, type ErrorCode } from '../errors.ts'
import type { Endpoint, Method, Reply } from './endpoint.ts'
import { IDENTIFIER, type Parameter } from './parameters.ts'
import { HEADERS, type HeaderName } from './reply-headers.ts'
import { PROBLEM } from './shapes/problem-shape.ts'

interface PathName {
  readonly about: string
  readonly example: string
  /** Missing: that of any name. */
  readonly schema?: JsonSchema
}

const WORKER_NAME: JsonSchema = { ...IDENTIFIER, maxLength: MAX_WORKER_NAME }

const PATH_NAMES: Readonly<Record<string, PathName>> = {
  system: { about: 'The name that the replicas of one service share.', example: 'cleaner' },
  round: { about: 'One occurrence of the work: every replica computes the same.', example: '2026-11-22' },
  name: { about: 'Its name; within the system, where the path names one.', example: 'nightly' },
  worker: { about: 'The queue that its jobs wait in.', example: 'mailer', schema: WORKER_NAME },
  of: {
    about: 'Of a worker, or of one instance.',
    example: 'worker',
    schema: { type: 'string', enum: SETTINGS_OF },
  },
  id: { about: 'As a list of them tells it.', example: '62601676fbb5' },
}

/** What `{of}` says is followed by. */
const OF_NAME: PathName = {
  about: 'The name of the worker, or the id of the instance.',
  example: 'mailer',
  schema: WORKER_NAME,
}

const TAGS = [
  { name: 'rounds', description: 'Who leads a round, and whether it was done.' },
  { name: 'jobs', description: 'Work that a worker does.' },
  { name: 'alerts', description: 'What is expected, and what is wrong.' },
  { name: 'schedules', description: 'What makes rounds come by themselves.' },
  { name: 'history', description: 'What has happened.' },
  { name: 'operating', description: 'Health and metrics.' },
]

/** What OpenAPI 3.1 says of the endpoints. */
export function openApiOf(endpoints: readonly Endpoint[], version: string, basePath = ''): object {
  const schemas: Record<string, JsonSchema> = {}
  const paths: Record<string, Record<string, object>> = {}
  for (const endpoint of endpoints) {
    for (const method of endpoint.methods) {
      paths[endpoint.path] ??= {}
      Object.assign(paths[endpoint.path] as object, { [method.toLowerCase()]: operationOf(endpoint, method) })
    }
  }
  const named = withNames(paths, schemas)
  return {
    openapi: '3.1.0',
    info: {
      title: 'gone',
      version,
      description:
        'Every replica fires, one runs. Errors are RFC 9457 problem details with a stable `code`; `retryable` says whether the same call may be tried again.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: basePath || '/' }],
    tags: TAGS,
    security: [{ key: [] }],
    paths: named,
    components: {
      securitySchemes: {
        key: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key, gone_..., where keys are in use. `gone key create` makes one.',
        },
      },
      schemas,
    },
  }
}

function operationOf(endpoint: Endpoint, method: Method): object {
  const { name, methods, tag, summary, description, body, action, replies } = endpoint
  const isTwin = method === 'GET' && methods.length > 1
  return {
    operationId: isTwin ? `${name}ByGet` : name,
    tags: [tag],
    summary,
    ...(description && { description }),
    ...(action === 'open' && { security: [] }),
    parameters: [...pathParameters(endpoint), ...queryParameters(endpoint)],
    ...(body &&
      method !== 'GET' && {
        requestBody: {
          required: body.isRequired ?? false,
          content: { 'application/json': { schema: { ...body.shape.schema, additionalProperties: false } } },
        },
      }),
    responses: {
      ...Object.fromEntries(Object.entries(replies).map(([status, reply]) => [status, replyOf(reply)])),
      ...problemsOf(errorsOf(endpoint, method)),
    },
  }
}

function pathParameters({ path }: Endpoint): object[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => {
    const named = name === 'name' && path.includes('{of}/{name}') ? OF_NAME : PATH_NAMES[name]
    const { about, example, schema = IDENTIFIER } = named ?? { about: '', example: '' }
    return { name, in: 'path', required: true, description: about, schema, example }
  })
}

function queryParameters({ query }: Endpoint): object[] {
  return Object.entries(query).flatMap(([name, parameter]) => {
    const inHeader =
      parameter.header === undefined ? [] : [parameterOf(parameter.header, 'header', parameter)]
    return parameter.isHeaderOnly ? inHeader : [parameterOf(name, 'query', parameter), ...inHeader]
  })
}

function parameterOf(
  name: string,
  place: 'query' | 'header',
  { about, example, schema }: Parameter<unknown>,
): object {
  return {
    name,
    in: place,
    required: false,
    description: about,
    schema,
    example: schema.type === 'integer' ? Number(example) : example,
  }
}

function replyOf({ about, json, text, events, headers = [] }: Reply): object {
  return {
    description: about,
    ...(headers.length > 0 && { headers: headersOf(headers) }),
    ...((json || text || events) && {
      content: {
        ...(text && { 'text/plain': { schema: text.schema } }),
        ...(json && { 'application/json': { schema: json.schema } }),
        ...(events && { 'text/event-stream': { schema: events.schema } }),
      },
    }),
  }
}

function headersOf(names: readonly HeaderName[]): object {
  return Object.fromEntries(
    names.map((name) => [name, { description: HEADERS[name].about, schema: HEADERS[name].schema }]),
  )
}

/** What every request may be refused with, by what it is made of. */
function errorsOf(
  { path, query, action, isUnlimited, errors = [] }: Endpoint,
  method: Method,
): Set<ErrorCode> {
  return new Set<ErrorCode>([
    ...errors,
    ...EVERYWHERE,
    ...(isUnlimited ? [] : (['RATE_LIMITED'] as const)),
    ...(path.includes('{') ? (['INVALID_IDENTIFIER', 'INVALID_URL'] as const) : []),
    ...(method === 'GET' ? [] : (['INVALID_BODY', 'BODY_TOO_LARGE', 'UNSUPPORTED_MEDIA_TYPE'] as const)),
    ...(action === 'open' ? [] : GUARDED),
    ...('wait' in query ? (['TOO_MANY_STANDBYS', 'SHUTTING_DOWN'] as const) : []),
  ])
}

/** Whatever is not open to everybody. */
const GUARDED: readonly ErrorCode[] = [
  'UNAUTHORIZED',
  'FORBIDDEN',
  'FOREIGN_ORIGIN',
  'UNKNOWN_HOST',
  'STORE_UNAVAILABLE',
]

const EVERYWHERE: readonly ErrorCode[] = [
  'INVALID_PARAMETER',
  'BAD_REQUEST',
  'REQUEST_TIMEOUT',
  'URI_TOO_LONG',
  'HEADERS_TOO_LARGE',
  'INTERNAL',
]

function problemsOf(codes: ReadonlySet<ErrorCode>): Readonly<Record<string, object>> {
  const byStatus: Record<string, ErrorCode[]> = {}
  for (const code of codes) {
    const { status } = ERROR_CODES[code]
    byStatus[status] ??= []
    byStatus[status]?.push(code)
  }
  return Object.fromEntries(Object.entries(byStatus).map(([status, group]) => [status, problemOf(group)]))
}

function problemOf(codes: readonly ErrorCode[]): object {
  const headers: HeaderName[] = []
  if (codes.some((code) => ERROR_CODES[code].retryable)) headers.push('Retry-After')
  if (codes.includes('UNAUTHORIZED')) headers.push('WWW-Authenticate')
  const code = { type: 'string', enum: codes }
  return {
    description: codes.map((one) => `\`${one}\`: ${ERROR_CODES[one].title}`).join('; '),
    ...(headers.length > 0 && { headers: headersOf(headers) }),
    content: {
      'application/problem+json': {
        schema: { allOf: [PROBLEM.schema, { type: 'object', properties: { code }, required: ['code'] }] },
      },
    },
  }
}

/** The same with each titled schema in one place, `schemas`, and a reference where it was. */
function withNames(node: unknown, schemas: Record<string, JsonSchema>): unknown {
  if (Array.isArray(node)) return node.map((item) => withNames(item, schemas))
  if (typeof node !== 'object' || node === null) return node
  const { title, ...rest } = node as Readonly<Record<string, unknown>>
  const named = Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, withNames(value, schemas)]),
  )
  if (typeof title !== 'string')
    return title === undefined ? named : { title: withNames(title, schemas), ...named }
  schemas[title] = named
  return { $ref: `#/components/schemas/${title}` }
}
