import { METHODS } from 'node:http'
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { Scope } from '../core/api-key.ts'
import type { GoneError } from '../errors.ts'
import type { Access } from './access/access.ts'
import { refusal } from './access/refusal.ts'
import type { Endpoint } from './endpoint.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What is served, for the documentation. */
    endpoints: Endpoint[]
    /** The function to call with the seconds that an answer on this route took. */
    timer: (route: string) => (seconds: number) => void
  }
}

/** Serves the endpoints of one path. */
export function serve(app: FastifyInstance, ...endpoints: readonly [Endpoint, ...Endpoint[]]): void {
  for (const endpoint of endpoints) serveMethods(app, endpoint)
}

/** A path of the API with all methods that it takes. */
interface Path {
  /** As it is documented, such as `/api/v1/elect/{system}/{round}`. */
  readonly path: string
  readonly methods: readonly string[]
}

/**
 * What tells which methods the path of a request takes, undefined where it is none of the API's. For requests that lead
 * nowhere: a route for each other method of each path would take 3.5 MB.
 */
export function pathsOf(app: FastifyInstance): (path: string) => Path | undefined {
  let known: readonly (Path & { readonly parts: readonly string[] })[] | undefined
  return (path) => {
    known ??= [...new Set(app.endpoints.map((endpoint) => endpoint.path))].map((one) => ({
      path: one,
      parts: one.split('/'),
      methods: methodsOf(app.endpoints.filter((endpoint) => endpoint.path === one)),
    }))
    const parts = path.split('/')
    return known.find(
      (one) => one.parts.length === parts.length && one.parts.every((part, at) => fits(part, parts[at])),
    )
  }
}

function methodsOf(endpoints: readonly Endpoint[]): readonly string[] {
  const isHeadToo = endpoints.some(({ takesHead }) => takesHead)
  return [...endpoints.flatMap(({ methods }) => methods), ...(isHeadToo ? ['HEAD'] : [])]
}

function fits(part: string, asked = ''): boolean {
  return part.startsWith('{') ? asked !== '' : part === asked
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
