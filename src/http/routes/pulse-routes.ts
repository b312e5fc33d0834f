import type { FastifyInstance } from 'fastify'
import { readPulse } from '../../core/fleet/pulse-body.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import type { OutsidePulses } from '../../service/fleet/outside-pulses.ts'
import { serve } from '../api.ts'
import { bodyOf, type Endpoint, endpoint } from '../endpoint.ts'
import { sendJson } from '../replies.ts'
import { PULSE_ANSWER, PULSE_BODY } from '../shapes/pulse-shapes.ts'

export interface PulseRoutesParts {
  readonly pulses: OutsidePulses
}

/** What workers in other languages say of themselves. */
export function pulseRoutes(app: FastifyInstance, parts: PulseRoutesParts): void {
  serve(app, pulseEndpoint(parts))
}

function pulseEndpoint({ pulses }: PulseRoutesParts): Endpoint {
  return endpoint({
    name: 'pulse',
    route: 'pulse',
    path: '/api/v1/fleet/pulse',
    methods: ['POST'],
    action: 'work',
    tag: 'fleet',
    summary: 'I live, run these workers, and do what I am told.',
    description:
      'For instances that take jobs over HTTP. To be said every two seconds; who is silent for ten is lost. The orders are to be obeyed, and come ' +
      'with each answer until one of the reports says how it went; so does what is set of its workers, until it says that it has that revision.',
    body: bodyOf(PULSE_BODY, readPulse, { isRequired: true }),
    replies: { 200: { about: 'Heard.', json: PULSE_ANSWER } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ body, request }, reply) {
      const { access } = request.server
      const mayWorkFor = (worker: string) => access.checkWorker(request, worker, 'work for')
      const { nowMs, tasks, settings } = await pulses.take(body, mayWorkFor)
      const orders = tasks.map(({ order, verb, worker, slots }) => ({
        id: order,
        do: verb,
        ...(worker !== undefined && { worker }),
        ...(slots !== undefined && { slots }),
      }))
      sendJson(reply, 200, {
        orders,
        ...(settings.length > 0 && { settings }),
        every: '2s',
        now: iso(nowMs),
      })
    },
  })
}
