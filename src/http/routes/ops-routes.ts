import type { FastifyInstance } from 'fastify'
import { about, choice, objectOf, optional, type Shape, text } from '../../core/shape.ts'
import { serve } from '../api.ts'
import { endpoint } from '../endpoint.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { sendJson } from '../replies.ts'

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

const OPERATING = { methods: ['GET'], takesHead: true, tag: 'operating' } as const

const HEALTH = objectOf<{ status: string }>('Health', { status: choice(['ok']) })
const READY = objectOf<{ status: string; warning?: string }>('Ready', {
  status: choice(['ready']),
  warning: optional(
    about(
      'Redis has lost what it had acknowledged, a process of this server is missing, or an older build has left jobs in a Cluster.',
      text(),
    ),
  ),
})
const UNREADY = objectOf<{ status: string; trouble: string }>('Unready', {
  status: choice(['unready']),
  trouble: about('Why not.', text()),
})
const METRICS: Shape<string> = text()

/** What operators and their machines ask. */
export function opsRoutes(app: FastifyInstance, { readiness, metrics }: OpsRoutesParts): void {
  const healthz = endpoint({
    ...OPERATING,
    name: 'health',
    path: '/healthz',
    action: 'open',
    isUnlimited: true,
    summary: 'The process runs.',
    replies: { 200: { about: 'It does.', json: HEALTH } },
    handler: (_, reply) => sendJson(reply, 200, { status: 'ok' }),
  })
  const readyz = endpoint({
    ...OPERATING,
    name: 'readiness',
    path: '/readyz',
    action: 'open',
    isUnlimited: true,
    summary: 'Rounds can be decided.',
    replies: {
      200: {
        about: 'They can; where there is a `warning`, something else is not as it should be.',
        json: READY,
      },
      503: { about: 'Not now; `trouble` says why.', json: UNREADY },
    },
    async handler(_, reply) {
      const found = await readiness()
      if (!found.ready) return sendJson(reply, 503, { status: 'unready', trouble: found.trouble })
      const { warning } = found
      sendJson(reply, 200, { status: 'ready', ...(warning !== undefined && { warning }) })
    },
  })
  const scrape = endpoint({
    ...OPERATING,
    name: 'metrics',
    path: '/metrics',
    action: 'read',
    summary: 'Metrics in the Prometheus text format.',
    replies: { 200: { about: 'The metrics.', text: METRICS } },
    async handler(_, reply) {
      const text = await metrics.text()
      reply.header('cache-control', 'no-store').header('content-type', metrics.contentType).send(text)
    },
  })
  for (const one of [healthz, readyz, scrape]) serve(app, one)
}
