import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GoneError } from '../errors.ts'
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
  for (const method of methods) {
    const limits = bodyLimit === undefined ? {} : { bodyLimit }
    const route = { method, url, config: { docs: describe(endpoint, method) }, ...limits }
    if (method === 'GET') app.route({ ...route, handler: refusing(handler) })
    // What has a body is not to be read first.
    else app.route({ ...route, onRequest: (request, _, done) => done(refusal(request)), handler })
  }
}

function refusing(handler: Endpoint['handler']): Endpoint['handler'] {
  return (request, reply) => {
    const refused = refusal(request)
    if (refused) throw refused
    return handler(request, reply)
  }
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
  const { tag, summary, description, path, query, headers, body, replies } = endpoint
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
    response: Object.fromEntries(
      Object.entries(replies).map(([status, about]) => [status, { description: about, type: 'null' }]),
    ),
  }
}

function object(properties: readonly (readonly [string, object])[]): object {
  return { type: 'object', properties: Object.fromEntries(properties) }
}
