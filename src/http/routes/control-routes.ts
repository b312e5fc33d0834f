import type { FastifyInstance, FastifyRequest } from 'fastify'
import { tokenIdentity } from '../../core/rounds/candidate.ts'
import type { RoundId } from '../../core/rounds/round.ts'
import type { Sighting } from '../../core/rounds/round-ports.ts'
import { roundJson } from '../../core/rounds/round-wire.ts'
import type { Canceller } from '../../service/rounds/canceller.ts'
import type { Retrier } from '../../service/rounds/retrier.ts'
import { serve } from '../api.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { claimJob } from '../job-share.ts'
import { candidate, purpose } from '../parameters.ts'
import { reasonBody, saidReason } from '../reasons.ts'
import { sendJson, toldOfSeen } from '../replies.ts'
import { ROUND_HEADERS } from '../reply-headers.ts'
import { actorOf, roundOf } from '../requests.ts'
import { finished, notOpened, notThere } from '../round-refusals.ts'
import { ROUND } from '../shapes/round-shapes.ts'

export interface ControlRoutesParts {
  readonly canceller: Canceller
  readonly retrier: Retrier
  readonly callIdentity: () => string
}

/** What is done with rounds by those who look after them. */
export function controlRoutes(app: FastifyInstance, parts: ControlRoutesParts): void {
  serve(app, cancelEndpoint(parts))
  serve(app, retryEndpoint(parts))
}

/** A round that was submitted is whose who may submit; one that is led over HTTP is whose who may elect. */
const EITHER = ['submit', 'elect'] as const
const CANCEL_BODY = reasonBody<RoundId>('CancelBody', purpose)
const RETRY_BODY = reasonBody<RoundId>('RetryBody', purpose)

function cancelEndpoint({ canceller }: ControlRoutesParts): Endpoint {
  return endpoint({
    name: 'cancel',
    route: 'cancel',
    path: '/api/v1/cancel/{system}/{round}',
    methods: ['POST'],
    action: EITHER,
    tag: 'rounds',
    summary: 'Let this round end, whoever runs it.',
    description:
      'It ends as failed, with a reason that says who has cancelled it. A handler that runs is told within 4 s; what it reports ' +
      'then is refused. Needs the action submit for a round that was submitted, else elect.',
    id: roundOf,
    query: { reason: purpose },
    body: CANCEL_BODY,
    replies: {
      200: { about: 'Cancelled, now or by an earlier call.', json: ROUND, headers: ROUND_HEADERS },
    },
    errors: ['STORE_UNAVAILABLE', 'NOT_LED', 'ROUND_FINISHED'],
    async handler(asked, reply) {
      const { id, request } = asked
      const said = saidReason(asked, purpose)
      const ruling = await canceller.cancel(id, {
        by: request.server.access.callers.address(request),
        reason: `cancelled by ${actorOf(request)}${said === undefined ? '' : `: ${said}`}`,
        check: (seen) => checkPermitted(request, id, seen),
      })
      if (ruling.verdict === 'none') throw notThere(id)
      if (ruling.verdict === 'ended') throw finished(id, ruling)
      sendJson(reply, 200, roundJson(id, ruling, ruling.nowMs), toldOfSeen(ruling))
    },
  })
}

function retryEndpoint({ retrier, callIdentity }: ControlRoutesParts): Endpoint {
  return endpoint({
    name: 'retry',
    route: 'retry',
    path: '/api/v1/retry/{system}/{round}',
    methods: ['POST'],
    action: EITHER,
    tag: 'rounds',
    summary: 'Open this round again, which has failed or is overdue.',
    description:
      'Its job is made anew, with all its attempts; one that was led over HTTP is led by whoever asks next, under a higher fence. What ' +
      'comes from before is refused, and how it had ended stays in its history. Needs the action submit for a round that was ' +
      'submitted, else elect.',
    id: roundOf,
    query: { candidate, reason: purpose },
    body: RETRY_BODY,
    replies: { 200: { about: 'It is open again.', json: ROUND } },
    errors: [
      'STORE_UNAVAILABLE',
      'NOT_LED',
      'ROUND_FINISHED',
      'ROUND_NOT_ENDED',
      'JOB_GONE',
      'QUOTA_EXCEEDED',
    ],
    async handler(asked, reply) {
      const { id, request } = asked
      const { candidate: token } = asked.query
      const said = saidReason(asked, purpose)
      const ruling = await retrier.retry(id, {
        by: actorOf(request),
        ...(said !== undefined && { reason: said }),
        identity: token === undefined ? callIdentity() : tokenIdentity(token),
        check: (seen) => checkPermitted(request, id, seen),
        claim: (job) => claimJob(request, id, job),
      })
      if (ruling.verdict !== 'opened') throw notOpened(id, ruling)
      sendJson(reply, 200, roundJson(id, ruling, ruling.nowMs))
    },
  })
}

/** @throws GoneError `FORBIDDEN` */
function checkPermitted(request: FastifyRequest, { system }: RoundId, { submission }: Sighting): void {
  const { access } = request.server
  const refused = access.forbidden(request, submission ? 'submit' : 'elect', { system })
  if (refused) throw refused
  if (submission) access.checkWorker(request, submission.queue)
}
