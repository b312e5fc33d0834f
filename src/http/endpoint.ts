import { performance } from 'node:perf_hooks'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Action } from '../core/api-key.ts'
import { type Members, members } from '../core/expect.ts'
import { objectOf, type Shape } from '../core/shape.ts'
import { type ErrorCode, GoneError } from '../errors.ts'
import { type Parameters, parameterReader, type Values } from './parameters.ts'
import type { HeaderName } from './reply-headers.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

/** What is said of one answer that is no error. */
export interface Reply {
  readonly about: string
  readonly json?: Shape<unknown>
  readonly text?: Shape<string>
  /** To whoever accepts server-sent events it goes on as these. */
  readonly events?: Shape<string>
  readonly headers?: readonly HeaderName[]
}

/** A body of JSON. */
export interface Body<Id, Value> {
  readonly shape: Shape<object>
  /** Nobody has to send one, unless it is said. */
  readonly isRequired?: true
  /** The largest in bytes, where it is not the server's usual one. */
  readonly maxBytes?: number
  /** What the JSON means; `undefined` is no body at all. @throws GoneError `INVALID_BODY` */
  readonly read: (value: unknown, id: Id) => Value
}

/** A body of which only the members of the shape may be there. None is the same as an empty one. */
export function bodyOf<Id, Value>(
  shape: Shape<object>,
  read: (members: Members, id: Id) => Value,
  more: Pick<Body<Id, Value>, 'isRequired' | 'maxBytes'> = {},
): Body<Id, Value> {
  const names = Object.keys(shape.schema.properties as object)
  return { shape, read: (value, id) => read(membersOf(value, names), id), ...more }
}

function membersOf(value: unknown, names: readonly string[]): Members {
  if (value === undefined) return NOTHING
  if (typeof value !== 'object' || Array.isArray(value))
    throw invalidBody('expected a JSON object or no body')
  return members({ name: '', owner: 'this path' }, value, names, invalidBody)
}

const NOTHING: Members = Object.freeze({})

function invalidBody(message: string): GoneError {
  return new GoneError('INVALID_BODY', message)
}

/** What the documentation and the router need to know of an endpoint. */
interface Declared {
  /** Unique: OpenAPI's `operationId`, and so the name of the function in generated clients. */
  readonly name: string
  /** The label under which its answers are timed; missing where they are not. */
  readonly route?: string
  readonly path: string
  readonly methods: readonly Method[]
  /**
   * What a key must permit; `open` needs none. It must permit that for the system that the path, the query or the body
   * names, or for all systems where none of them does. Of several one is enough to be let in; the handler looks which it takes.
   */
  readonly action: Action | readonly Action[] | 'open'
  /** It answers HEAD too, as GET without a body: nothing happens by asking. */
  readonly takesHead?: true
  /** Never rate limited: a server that is asked often is not a server that is not well. */
  readonly isUnlimited?: true
  readonly tag: string
  readonly summary: string
  readonly description?: string
  readonly replies: Readonly<Record<number, Reply>>
  /** What it is refused with, besides what every endpoint may be. */
  readonly errors?: readonly ErrorCode[]
}

/** What a request asks, read as it was declared. */
export interface Asked<Id, Query, Value> {
  readonly id: Id
  readonly query: Query
  readonly body: Value
  readonly request: FastifyRequest
}

interface Declaration<Id, P extends Parameters, Value> extends Declared {
  /** What the names in the path mean. @throws GoneError `INVALID_IDENTIFIER` */
  readonly id?: (names: Readonly<Record<string, string>>) => Id
  readonly query?: P
  readonly body?: Body<Id, Value>
  /** Answers by the functions of `replies.ts`. Where it can do so at once it returns no promise, which is quicker. */
  readonly handler: (asked: Asked<Id, Values<P>, Value>, reply: FastifyReply) => void | Promise<void>
}

/** One path of the API with what it takes, what it answers, and what serves it. */
export interface Endpoint extends Declared {
  readonly query: Parameters
  readonly body?: Pick<Body<never, unknown>, 'shape' | 'isRequired' | 'maxBytes'>
  /** @param observe is told the seconds that the answer took, unless the request waits */
  readonly answer: (
    request: FastifyRequest,
    reply: FastifyReply,
    observe: (seconds: number) => void,
  ) => void | Promise<void>
}

/**
 * Declares an endpoint: from this one place it is routed, guarded, read, timed and documented.
 *
 * To add one: put a declaration like this into the `*-routes.ts` of its capability, with parameters of `parameters.ts`
 * (make one of a rule of `core/expect.ts` where there is none yet) and shapes of `shapes/`, and hand it to `serve`.
 * Its errors are what the handler throws; those of path, query, body, key and rate come by themselves.
 *
 * @example
 * endpoint({
 *   name: 'skipRound',
 *   route: 'skip',
 *   path: '/api/v1/skip/{system}/{round}',
 *   methods: ['POST'],
 *   action: 'submit',
 *   tag: 'jobs',
 *   summary: 'Let nobody run this round.',
 *   id: roundOf,
 *   query: { reason },
 *   replies: { 200: { about: 'Left out, now or by an earlier call.', json: ROUND, headers: ROUND_HEADERS } },
 *   errors: ['STORE_UNAVAILABLE', 'ROUND_FINISHED'],
 *   async handler({ id, query }, reply) {
 *     const seen = await skipper.skip(id, query.reason)
 *     sendJson(reply, 200, roundJson(id, seen, seen.nowMs))
 *   },
 * })
 */
export function endpoint<Id = undefined, P extends Parameters = Record<never, never>, Value = undefined>(
  declaration: Declaration<Id, P, Value>,
): Endpoint {
  const { id: idOf, query = {} as P, body = NO_BODY as Body<Id, Value>, handler, ...declared } = declaration
  const readParameters = parameterReader(query)
  const mayWait = 'wait' in query
  return {
    ...declared,
    query,
    ...(body !== NO_BODY && { body }),
    answer(request, reply, observe) {
      const startMs = performance.now()
      const id = idOf?.(request.params as Record<string, string>) as Id
      const asked = readParameters(request)
      const read = body.read(request.body ?? undefined, id)
      const done = handler({ id, query: asked, body: read, request }, reply)
      if (mayWait && (asked as { readonly wait?: number }).wait) return done
      if (done instanceof Promise) return observed(done, startMs, observe)
      observe((performance.now() - startMs) / 1_000)
      return undefined
    },
  }
}

const NO_BODY: Body<unknown, undefined> = bodyOf(objectOf('None', {}), () => undefined)

/** An answer that could not be given has taken its time too. */
async function observed(
  done: Promise<void>,
  startMs: number,
  observe: (seconds: number) => void,
): Promise<void> {
  try {
    await done
  } finally {
    observe((performance.now() - startMs) / 1_000)
  }
}
