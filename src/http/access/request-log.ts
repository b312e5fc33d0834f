import type { FastifyInstance } from 'fastify'
import type { Log } from '../../core/rounds/round-ports.ts'

/** Says of each request who asked and what was answered. A hook costs, so only a server whose log shows it has one. */
export function logRequests(app: FastifyInstance, log: Log): void {
  app.addHook('onResponse', async (request, reply) => {
    const { method, keyId } = request
    const fields = {
      method,
      // Without the query, which may hold tokens.
      path: request.url.split('?')[0] ?? '',
      status: reply.raw.statusCode,
      ms: Math.round(reply.elapsedTime),
      from: app.access.callers.address(request),
      ...(keyId !== undefined && { key: keyId }),
    }
    log.debug(fields, reply.raw.writableFinished ? 'answered' : 'asked, and gone before the answer')
  })
}
