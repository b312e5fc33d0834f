import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Scope } from '../core/api-key.ts'
import { GoneError } from '../errors.ts'
import type { Access } from './access/access.ts'
import { refusal } from './access/refusal.ts'
import type { Endpoint } from './endpoint.ts'
import { sendProblem } from './problem.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What is served, for the documentation. */
    endpoints: Endpoint[]
    /** The function to call with the seconds that an answer on this route took. */
    timer: (route: string) => (seconds: number) => void
  }
}

/** Serves the endpoints of one path, and answers every other method on it with 405. */
export function serve(app: FastifyInstance, ...endpoints: readonly [Endpoint, ...Endpoint[]]): void {
  for (const endpoint of endpoints) serveMethods(app, endpoint)

  const { path } = endpoints[0]
  const methods: string[] = endpoints.flatMap((endpoint) => endpoint.methods)
  if (endpoints.some(({ takesHead }) => takesHead)) methods.push('HEAD')
  const others = METHODS.filter((method) => method !== 'CONNECT' && !methods.includes(method))
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

/** Serves an endpoint on another path, to whoever is not refused by this. */
export function serveUnder(
  app: FastifyInstance,
  endpoint: Endpoint,
  refusalOf: (request: FastifyRequest) => Promise<GoneError | undefined>,
): void {
  const { path, methods, takesHead = false } = endpoint
  const { observe, inBody, limits } = servingOf(app, endpoint)
  const onRequest = async (request: FastifyRequest) => {
    const refused = await refusalOf(request)
    if (refused) throw refused
  }
  const handler: Handler = (request, reply) => endpoint.answer(request, reply, observe)
  const route = { url: urlOf(path), exposeHeadRoute: takesHead, onRequest, ...inBody, ...limits, handler }
  for (const method of methods) app.route({ ...route, method })
}

function servingOf(app: FastifyInstance, endpoint: Endpoint) {
  const { route, body } = endpoint
  return {
    observe: route === undefined ? () => {} : app.timer(route),
    inBody: bodyCheckOf(app.access, endpoint),
    limits: body?.maxBytes === undefined ? {} : { bodyLimit: body.maxBytes },
  }
}

function serveMethods(app: FastifyInstance, endpoint: Endpoint): void {
  const { path, methods, action, answer } = endpoint
  app.endpoints.push(endpoint)
  const url = urlOf(path)
  const { observe, inBody, limits } = servingOf(app, endpoint)
  const refused = refusalOf(app.access, endpoint)
  for (const method of methods) {
    if (method === 'GET') {
      const answerAwake: Handler = (request, reply) => {
        const error = refused(request)
        if (error) throw error
        return answer(request, reply, observe)
      }
      const handler: Handler = (request, reply) => {
        const woken = app.access.waking(action)
        return woken ? woken.then(() => answerAwake(request, reply)) : answerAwake(request, reply)
      }
      // HEAD would run an election.
      app.route({ method, url, exposeHeadRoute: endpoint.takesHead ?? false, handler })
    } else {
      // What has a body is not to be read first.
      const onRequest = (request: FastifyRequest, _: FastifyReply, done: (error?: Error) => void) => {
        const woken = app.access.waking(action)
        if (woken) woken.then(() => done(refused(request)), done)
        else done(refused(request))
      }
      const handler: Handler = (request, reply) => answer(request, reply, observe)
      app.route({ method, url, onRequest, ...inBody, ...limits, handler })
    }
  }
}

type Handler = (request: FastifyRequest, reply: FastifyReply) => void | Promise<void>
type Refused = (request: FastifyRequest) => GoneError | undefined

/** What keeps a request from being answered, as far as it can be told without its body. */
function refusalOf(access: Access, endpoint: Endpoint): Refused {
  const { action } = endpoint
  if (endpoint.isUnlimited) return refusal
  const scopeOf = scopeReaderOf(endpoint)
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

/** What says which system a request is about, as far as that can be told without its body. */
export function scopeReaderOf(endpoint: Endpoint): (request: FastifyRequest) => Scope {
  return SCOPES[placeOf(endpoint)]
}

type Place = 'path' | 'query' | 'body' | 'none'

/** Where the endpoint is told the system, by what it says of itself. */
function placeOf({ path, query, body }: Endpoint): Place {
  if (path.includes('{system}')) return 'path'
  if ('system' in query) return 'query'
  return body && 'system' in (body.shape.schema.properties as object) ? 'body' : 'none'
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
