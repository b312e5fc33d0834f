import type { FastifyInstance } from 'fastify'
import type { Log } from '../../core/rounds/round-ports.ts'

/** Says of each request who asked and what was answered. A hook costs, so only a server whose log shows it has one. */
export function logRequests(app: FastifyInstance, log: Log): void {
  app.addHook('onRequest', (request, { raw }, done) => {
    const startMs = performance.now()
    // Of an answer whose caller has gone Node says no other end.
    raw.once('close', () => {
      const { method, keyId } = request
      const fields = {
        method,
        // Without the query, which may hold tokens.
        path: request.url.split('?')[0] ?? '',
        ...(raw.headersSent && { status: raw.statusCode }),
        ms: Math.round(performance.now() - startMs),
        from: app.access.callers.address(request),
        ...(keyId !== undefined && { key: keyId }),
      }
      log.debug(fields, raw.writableFinished ? 'answered' : 'asked, and gone before the end of the answer')
    })
    done()
  })
}
