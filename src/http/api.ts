import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Action, Scope } from '../core/api-key.ts'
import { GoneError } from '../errors.ts'
import type { Access } from './access.ts'
import type { Parameter } from './parameters.ts'
import { sendProblem } from './problem.ts'
import { refusal } from './refusal.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What OpenAPI says of the route; routes without it are left out. */
    docs?: object
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** One path of the API: what serves it and what OpenAPI says of it. */
export interface Endpoint {
  readonly path: string
  readonly methods: readonly Method[]
  /**
   * What a key must permit; `open` needs none. It must permit that for the system that the path, the query or the body
   * names, or for all systems where none of them does.
   */
  readonly action: Action | 'open'
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly query: Readonly<Record<string, Parameter<unknown>>>
  /** Members of the JSON body, with an example value each. */
  readonly body?: Readonly<Record<string, unknown>>
  /** Request headers among Gone-Candidate and Gone-Fence. */
  readonly headers?: readonly string[]
  /** The largest body in bytes, where it is not the server's usual one. */
  readonly bodyLimit?: number
  readonly replies: Readonly<Record<number, string>>
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown
}

/** Serves the endpoints of one path, and answers every other method on it with 405. */
export function serve(app: FastifyInstance, ...endpoints: readonly [Endpoint, ...Endpoint[]]): void {
  for (const endpoint of endpoints) serveMethods(app, endpoint)

  const { path } = endpoints[0]
  const methods = endpoints.flatMap((endpoint) => endpoint.methods)
  const others = METHODS.filter((method) => method !== 'CONNECT' && !methods.includes(method as 'GET'))
  const refuse = async (request: FastifyRequest, reply: FastifyReply) => {
    reply.header('allow', methods.join(', '))
    const took = `${request.method} on ${path}: this path takes ${methods.join(' and ')}`
    return sendProblem(reply, new GoneError('METHOD_NOT_ALLOWED', took))
  }
  // In a hook, because a body that is no better than the method would be refused first.
  app.route({ method: others, url: urlOf(path), onRequest: refuse, handler: refuse })
}

function urlOf(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}

function serveMethods(app: FastifyInstance, endpoint: Endpoint): void {
  const { path, methods, handler, bodyLimit } = endpoint
  const url = urlOf(path)
  const refused = refusalOf(app.access, endpoint)
  const inBody = bodyCheckOf(app.access, endpoint)
  for (const method of methods) {
    const limits = bodyLimit === undefined ? {} : { bodyLimit }
    const route = { method, url, config: { docs: describe(endpoint, method) }, ...limits }
    if (method === 'GET') app.route({ ...route, handler: refusing(refused, handler) })
    // What has a body is not to be read first.
    else app.route({ ...route, onRequest: (request, _, done) => done(refused(request)), ...inBody, handler })
  }
}

type Refused = (request: FastifyRequest) => GoneError | undefined

function refusing(refused: Refused, handler: Endpoint['handler']): Endpoint['handler'] {
  return (request, reply) => {
    const error = refused(request)
    if (error) throw error
    return handler(request, reply)
  }
}

/** What keeps a request from being answered, as far as it can be told without its body. */
function refusalOf(access: Access, endpoint: Endpoint): Refused {
  const { action } = endpoint
  const scopeOf = SCOPES[placeOf(endpoint)]
  return (request) => refusal(request) ?? access.refusal(request, action, scopeOf)
}

/** The rest of it, where the body names the system. */
function bodyCheckOf(access: Access, endpoint: Endpoint): Pick<RouteShorthandOptions, 'preHandler'> {
  const { action } = endpoint
  if (action === 'open' || placeOf(endpoint) !== 'body') return {}
  return {
    preHandler: (request, _, done) => done(access.forbidden(request, action, scopeOf(request.body))),
  }
}

type Place = 'path' | 'query' | 'body' | 'none'

/** Where the endpoint is told the system, by what it says of itself. */
function placeOf({ path, query, body }: Endpoint): Place {
  if (path.includes('{system}')) return 'path'
  if ('system' in query) return 'query'
  return body && 'system' in body ? 'body' : 'none'
}

const SCOPES: Readonly<Record<Place, (request: FastifyRequest) => Scope>> = {
  path: (request) => scopeOf(request.params),
  query: (request) => scopeOf(request.query),
  body: () => 'unknown',
  none: () => 'all',
}

/** What names no system, or not just one, is about all of them. */
function scopeOf(from: unknown): Scope {
  if (typeof from !== 'object' || from === null || !Object.hasOwn(from, 'system')) return 'all'
  const { system } = from as { readonly system?: unknown }
  return typeof system === 'string' ? { system } : 'all'
}

/** Teaches the router the methods that Fastify leaves out, so that they too are answered 405 and not 404. */
export function acceptAllMethods(app: FastifyInstance): void {
  for (const method of METHODS) {
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method)
  }
}

/**
 * The endpoint in OpenAPI's words, kept beside the route. Not as its schema: Fastify would validate by it on every
 * request, and `parameters.ts` has the better messages.
 */
function describe(endpoint: Endpoint, method: string): object {
  const { tag, summary, description, path, query, headers, body, replies, action } = endpoint
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string)
  return {
    tags: [tag],
    summary,
    ...(description && { description }),
    ...(names.length > 0 && {
      params: object(names.map((name) => [name, { type: 'string', minLength: 1, maxLength: 128 }])),
    }),
    ...(Object.keys(query).length > 0 && {
      querystring: object(
        Object.entries(query).map(([name, { about, example }]) => [
          name,
          { type: 'string', description: about, examples: [example] },
        ]),
      ),
    }),
    ...(headers && { headers: object(headers.map((name) => [name, { type: 'string' }])) }),
    ...(body &&
      (method === 'POST' || method === 'PUT') && {
        body: object(Object.entries(body).map(([name, example]) => [name, { examples: [example] }])),
      }),
    ...(action === 'open' && { security: [] }),
    response: Object.fromEntries(
      Object.entries(action === 'open' ? replies : { ...replies, ...REFUSALS }).map(([status, about]) => [
        status,
        { description: about, type: 'null' },
      ]),
    ),
  }
}

const REFUSALS = {
  401: 'Keys are in use, and this is none.',
  403: 'The key does not permit it for this system.',
  429: 'Too many requests.',
}

function object(properties: readonly (readonly [string, object])[]): object {
  return { type: 'object', properties: Object.fromEntries(properties) }
}
