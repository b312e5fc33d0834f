import type { FastifyInstance } from 'fastify'
import { queueListOf } from '../../core/rounds/queue-wire.ts'
import type { JobQueues } from '../../core/rounds/round-ports.ts'
import { serve } from '../api.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { cursor, limit } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { QUEUE_LIST } from '../shapes/queue-shapes.ts'

export interface QueueRoutesParts {
  readonly jobs: Pick<JobQueues, 'counts'>
}

const PAGE_SIZE = 100

/** How the queues of workers stand. */
export function queueRoutes(app: FastifyInstance, parts: QueueRoutesParts): void {
  serve(app, listEndpoint(parts))
}

function listEndpoint({ jobs }: QueueRoutesParts): Endpoint {
  return endpoint({
    name: 'listQueues',
    route: 'queues',
    path: '/api/v1/queues',
    methods: ['GET'],
    action: 'read',
    tag: 'jobs',
    summary: 'The queues of workers, by name, and how many jobs of each are in which state.',
    description: 'Ask again with cursor=next until there is no next.',
    query: { limit, cursor: { ...cursor, example: 'mailer' } },
    replies: { 200: { about: 'A page of queues.', json: QUEUE_LIST } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ query: { limit = PAGE_SIZE, cursor } }, reply) {
      sendJson(reply, 200, queueListOf(await jobs.counts(), cursor, limit))
    },
  })
}
