import type { FastifyInstance } from 'fastify'
import { type Endpoint, serve } from './api.ts'
import type { Metrics } from './metrics.ts'
import { readQuery } from './parameters.ts'
import { sendJson } from './replies.ts'

/**
 * Whether this server can decide rounds now, for the person who looks: `trouble` says why not, `warning` what has gone
 * wrong before.
 */
export type Readiness =
  | { readonly ready: true; readonly warning?: string }
  | { readonly ready: false; readonly trouble: string }

export interface OpsRoutesParts {
  readonly readiness: () => Promise<Readiness>
  readonly metrics: Metrics
}

/** What operators and their machines ask. */
export function opsRoutes(app: FastifyInstance, { readiness, metrics }: OpsRoutesParts): void {
  serve(
    app,
    opsEndpoint('/healthz', 'The process runs.', 'open', { 200: 'It does.' }, (_, reply) =>
      sendJson(reply, 200, { status: 'ok' }),
    ),
  )
  serve(
    app,
    opsEndpoint(
      '/readyz',
      'Rounds can be decided.',
      'open',
      {
        200: 'They can; where there is a `warning`, Redis has lost what it had acknowledged.',
        503: 'Not now; `trouble` says why.',
      },
      async (_, reply) => {
        const found = await readiness()
        if (found.ready) {
          const { warning } = found
          return sendJson(reply, 200, { status: 'ready', ...(warning !== undefined && { warning }) })
        }
        return sendJson(reply, 503, { status: 'unready', trouble: found.trouble })
      },
    ),
  )
  serve(
    app,
    opsEndpoint(
      '/metrics',
      'Metrics in the Prometheus text format.',
      'read',
      { 200: 'The metrics.' },
      async (_, reply) => {
        reply.header('cache-control', 'no-store').header('content-type', metrics.registry.contentType)
        return reply.send(await metrics.registry.metrics())
      },
    ),
  )
}

function opsEndpoint(
  path: string,
  summary: string,
  action: Endpoint['action'],
  replies: Endpoint['replies'],
  answer: Endpoint['handler'],
): Endpoint {
  return {
    path,
    methods: ['GET'],
    action,
    tag: 'operating',
    summary,
    query: {},
    replies,
    handler(request, reply) {
      // Probes and scrapers may add what they like, but a typo should not pass in silence.
      readQuery(request, {})
      return answer(request, reply)
    },
  }
}
