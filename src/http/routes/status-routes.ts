import type { FastifyInstance } from 'fastify'
import { iso } from '../../core/rounds/round-wire.ts'
import type { Servers } from '../../core/servers.ts'
import type { StatusJson } from '../../core/status-wire.ts'
import { serve } from '../api.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { sendJson } from '../replies.ts'
import { STATUS } from '../shapes/status-shapes.ts'

export interface StatusRoutesParts {
  readonly servers: Servers
  /** What can be told of Redis now. @throws GoneError `STORE_UNAVAILABLE` */
  readonly redisStatus: () => Promise<StatusJson['redis']>
  readonly overdueCount: () => Promise<number>
}

/** How all of it stands, for who looks at one screen. */
export function statusRoutes(app: FastifyInstance, parts: StatusRoutesParts): void {
  serve(app, statusEndpoint(parts))
}

function statusEndpoint({ servers, redisStatus, overdueCount }: StatusRoutesParts): Endpoint {
  return endpoint({
    name: 'getStatus',
    route: 'status',
    path: '/api/v1/status',
    methods: ['GET'],
    action: 'read',
    tag: 'operating',
    summary: 'Which servers there are, how Redis is, and how many rounds are overdue.',
    replies: { 200: { about: 'The status.', json: STATUS } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ request }, reply) {
      const [{ servers: heard, nowMs }, redis, overdue] = await Promise.all([
        servers.list(),
        redisStatus(),
        overdueCount(),
      ])
      const caller = request.server.access.callers.seen(request)
      const status: StatusJson = { servers: heard, redis, overdue, caller, now: iso(nowMs) }
      sendJson(reply, 200, status)
    },
  })
}
