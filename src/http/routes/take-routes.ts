import type { FastifyInstance } from 'fastify'
import { idRule } from '../../core/fleet/pulse-body.ts'
import { REGION } from '../../core/rounds/submission.ts'
import type { TakenJson } from '../../core/rounds/taken.ts'
import { durationText } from '../../core/time/duration.ts'
import { GoneError } from '../../errors.ts'
import type { Taken, Taker } from '../../service/rounds/taker.ts'
import { serve } from '../api.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { candidate, fence, lease, parameter, wait } from '../parameters.ts'
import { sendJson, sendRecord, sendStatus } from '../replies.ts'
import { ROUND_HEADERS } from '../reply-headers.ts'
import { callerSignal, candidateOf, isGone, roundOf, workerName } from '../requests.ts'
import { LED_ROUND } from '../shapes/round-shapes.ts'
import { TAKEN } from '../shapes/take-shapes.ts'

export interface TakeRoutesParts {
  readonly taker: Taker
  readonly callIdentity: () => string
}

const LEASE_MS = 30_000

/** Jobs for executors that speak HTTP alone. How they report is as for a round that is led: renew, complete, fail. */
export function takeRoutes(app: FastifyInstance, parts: TakeRoutesParts): void {
  serve(app, takeEndpoint(parts))
  serve(app, giveBackEndpoint(parts))
}

function takeEndpoint({ taker, callIdentity }: TakeRoutesParts): Endpoint {
  return endpoint({
    name: 'takeJob',
    route: 'take',
    path: '/api/v1/take/{worker}',
    methods: ['POST'],
    action: 'work',
    tag: 'jobs',
    summary: 'Give me a job of this worker.',
    description:
      'Whoever takes a job runs it, renews it within its lease and reports with its fence: renew, complete, fail or give-back. A token, a new one ' +
      'for each job, makes it safe to ask again where the answer was lost: while the job is out, it is answered again.',
    id: ({ worker = '' }) => workerName(worker),
    query: {
      candidate: { ...candidate, about: 'A token for this one job: the same again is given the same job.' },
      lease: {
        ...lease,
        about: 'How long the job may be kept without being renewed, 1s to 1d. Default 30s.',
      },
      wait: { ...wait, about: 'How long to wait for a job, up to 60s; answered after 50s at the latest.' },
      region: parameter(
        'Where you are: jobs for this region too, and first. Say "regional" in the pulse, so that they are kept for you.',
        'eu',
        REGION,
      ),
      instance: parameter(
        'The id that your pulse says: what is set of this instance holds for the job, besides what is set of its worker.',
        'py-7f9c',
        idRule,
      ),
    },
    replies: {
      200: { about: 'Run it.', json: TAKEN, headers: ROUND_HEADERS },
      204: { about: 'There is none.' },
    },
    errors: ['STORE_UNAVAILABLE', 'TOO_MANY_STANDBYS'],
    async handler({ id: worker, query, request }, reply) {
      request.server.access.checkWorker(request, worker, 'work for')
      const { lease: leaseMs = LEASE_MS, wait: waitMs = 0, region, instance } = query
      const who = candidateOf(request, query, callIdentity)
      const from = {
        ...(region !== undefined && { region }),
        ...(instance !== undefined && { instance }),
      }
      const take = () => taker.take(worker, who, { leaseMs, waitMs, ...from }, callerSignal(reply))
      const taken = waitMs > 0 ? await request.server.access.waitingFor(request, take) : await take()
      reply.hasChangedNothing = taken === undefined
      if (taken === undefined) return sendStatus(reply, 204)
      if (!isGone(reply))
        return sendJson(reply, 200, takenJson(taken), {
          leader: taken.leader,
          fence: taken.fence,
          state: 'led',
        })
      await taker.takeBack(taken)
      // Not a byte may be written: now it would not be true.
      reply.hijack()
      reply.raw.destroy()
    },
  })
}

function giveBackEndpoint({ taker }: TakeRoutesParts): Endpoint {
  return endpoint({
    name: 'giveBack',
    route: 'giveBack',
    path: '/api/v1/give-back/{system}/{round}',
    methods: ['POST'],
    action: 'work',
    tag: 'jobs',
    summary: 'I shall not run this job that I took.',
    description:
      'It goes to another, at once, and no attempt is spent. Sent again it is answered alike until another has it.',
    id: roundOf,
    query: { fence: { ...fence, about: 'The fence that the job was taken under.' } },
    replies: { 200: { about: 'Given back.', json: LED_ROUND, headers: ROUND_HEADERS } },
    errors: ['STORE_UNAVAILABLE', 'SUPERSEDED'],
    async handler({ id, query, request }, reply) {
      if (query.fence === undefined)
        throw new GoneError('INVALID_PARAMETER', 'fence: expected the fence that the job was taken under')
      const { submission } = await taker.seen(id, query.fence)
      if (submission) request.server.access.checkWorker(request, submission.queue, 'work for')
      const { record, nowMs } = await taker.giveBack(id, query.fence)
      sendRecord(request, reply, 200, { id, record, nowMs })
    },
  })
}

function takenJson({ id, worker, data, attempt, fence, leaseMs, timeoutMs, traceparent }: Taken): TakenJson {
  return {
    ...id,
    worker,
    data,
    attempt,
    fence,
    lease: durationText(leaseMs),
    ...(timeoutMs !== undefined && { timeout: durationText(timeoutMs) }),
    ...(traceparent !== undefined && { traceparent }),
  }
}
