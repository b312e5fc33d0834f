import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { onAnswer } from './on-answer.ts'

/** A change that was made, for whoever asks later who made it. */
export interface Change {
  /** The id of the key; missing where none was needed. */
  readonly key?: string
  /** From where, `ip:port`. */
  readonly address: string
  readonly method: string
  /** Without the query, which may hold tokens. */
  readonly path: string
  readonly status: number
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The id of the key that was shown, once it was looked at. */
    keyId: string | undefined
  }
  interface FastifyReply {
    /** The handler has done nothing, whatever the method is for: the election was lost, it was a dry run. */
    hasChangedNothing: boolean
  }
}

/** Tells of each change as it is answered; what was refused has changed nothing. A hook costs, so only who asks has it. */
export function auditChanges(app: FastifyInstance, note: (change: Change) => void): void {
  app.addHook('onRequest', (request, reply, done) => {
    onAnswer(reply.raw, () => {
      if (isChange(request, reply)) note(changeOf(request, reply))
    })
    done()
  })
}

function changeOf(request: FastifyRequest, { raw }: FastifyReply): Change {
  return {
    ...(request.keyId !== undefined && { key: request.keyId }),
    address: request.server.access.callers.address(request),
    method: request.method,
    path: request.url.split('?')[0] ?? '',
    status: raw.statusCode,
  }
}

/** As the router has it: a path can be written in many ways. */
const CHANGES_BY_GET = /^\/api\/v1\/(elect|complete)\//

function isChange(
  { method, routeOptions }: FastifyRequest,
  { raw, hasChangedNothing }: FastifyReply,
): boolean {
  if (raw.statusCode >= 400 || hasChangedNothing) return false
  return (method !== 'GET' && method !== 'HEAD') || CHANGES_BY_GET.test(routeOptions.url ?? '')
}
