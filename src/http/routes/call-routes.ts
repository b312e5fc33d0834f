import { randomUUID } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Members, span } from '../../core/expect.ts'
import { callRound } from '../../core/rounds/call.ts'
import { callJson } from '../../core/rounds/call-wire.ts'
import { CALL_MS, MAX_CALL_MS } from '../../core/rounds/limits.ts'
import { formatRound } from '../../core/rounds/round.ts'
import { fromBody, invalid, REGION } from '../../core/rounds/submission.ts'
import { traceparentIn } from '../../core/rounds/traceparent.ts'
import { GoneError } from '../../errors.ts'
import type { CallAnswer, Caller, CallOrder } from '../../service/rounds/caller.ts'
import { serve } from '../api.ts'
import { bodyOf, type Endpoint, endpoint } from '../endpoint.ts'
import { claimJob } from '../job-share.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { callToken, MAX_ANSWER_MS, wait } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { actorOf, callerSignal, systemAndWorkerOf } from '../requests.ts'
import { CALL, ENDED_CALL, OPEN_CALL } from '../shapes/call-shapes.ts'

export interface CallRoutesParts {
  readonly caller: Caller
  readonly metrics: Metrics
  /** The largest submission, in bytes. */
  readonly maxSubmissionBytes: number
}

/** Calls: a worker is asked, and what its handler returns is the answer. */
export function callRoutes(app: FastifyInstance, parts: CallRoutesParts): void {
  serve(app, callEndpoint(parts), giveUpEndpoint(parts))
}

type Terms = Pick<CallOrder, 'data' | 'timeoutMs' | 'isOnce' | 'isQueued' | 'region'>

function termsIn({ data = null, timeout, once, queue, region }: Members): Terms {
  return {
    data,
    timeoutMs: timeout === undefined ? CALL_MS : fromBody('timeout', span(1, MAX_CALL_MS), timeout),
    isOnce: yesOrNo('once', once),
    isQueued: yesOrNo('queue', queue),
    ...(region !== undefined && { region: fromBody('region', REGION, region) }),
  }
}

function yesOrNo(name: string, value: unknown): boolean {
  if (value === undefined || typeof value === 'boolean') return value ?? false
  throw invalid(name, 'true or false', value)
}

const PATH = '/api/v1/call/{system}/{worker}'

function callEndpoint({ caller, metrics: { calls }, maxSubmissionBytes }: CallRoutesParts): Endpoint {
  return endpoint({
    name: 'call',
    route: 'call',
    path: PATH,
    methods: ['POST'],
    action: 'submit',
    tag: 'jobs',
    summary: 'Ask a worker, and be told what its handler returns.',
    description:
      'One token is one call, however often and to however many servers it is sent: that makes it safe to repeat. A handler that fails is an ' +
      'answer too: 200 with its reason. What has no end within its timeout is given up: not started yet, it never is.',
    id: systemAndWorkerOf,
    query: {
      request: callToken,
      wait: {
        ...wait,
        about: 'How long to wait for the end, up to 60s; answered after 50s at the latest. Default 50s.',
      },
    },
    body: bodyOf(CALL, termsIn, { maxBytes: maxSubmissionBytes }),
    replies: {
      200: { about: 'It has ended.', json: ENDED_CALL, headers: ['Link'] },
      202: { about: 'It goes on: ask again with the same token.', json: OPEN_CALL, headers: ['Link'] },
    },
    errors: ['STORE_UNAVAILABLE', 'NO_WORKER', 'CALL_CONFLICT', 'QUOTA_EXCEEDED', 'TOO_MANY_STANDBYS'],
    async handler({ id: { system, worker }, query, body, request }, reply) {
      const { access } = request.server
      access.checkWorker(request, worker)
      access.countSubmission(request)
      const traceparent = traceparentIn(request.headers.traceparent)
      const order: CallOrder = {
        ...body,
        ...(traceparent !== undefined && { traceparent }),
        system,
        worker,
        token: query.request ?? randomUUID(),
        claim: (round, submission) => claimJob(request, round, submission),
      }
      const call = () => caller.call(order, query.wait ?? MAX_ANSWER_MS, callerSignal(reply))
      const askedMs = performance.now()
      try {
        const answer = await access.waitingFor(request, call)
        calls.answered(answer.end, (performance.now() - askedMs) / 1_000)
        sendCall(reply, worker, answer)
      } catch (error) {
        calls.notAnswered(error)
        throw error
      }
    },
  })
}

function giveUpEndpoint({ caller }: CallRoutesParts): Endpoint {
  return endpoint({
    name: 'giveUpCall',
    route: 'giveUpCall',
    path: PATH,
    methods: ['DELETE'],
    action: 'submit',
    tag: 'jobs',
    summary: 'Give up this call.',
    description:
      'Not started yet, it never is; a handler that runs is told within 4 s, and what it reports then is refused.',
    id: systemAndWorkerOf,
    query: { request: callToken },
    replies: { 200: { about: 'It has ended, now or before.', json: ENDED_CALL, headers: ['Link'] } },
    errors: ['STORE_UNAVAILABLE', 'NOT_LED'],
    async handler({ id: { system, worker }, query, request }, reply) {
      request.server.access.checkWorker(request, worker)
      if (query.request === undefined)
        throw new GoneError('INVALID_PARAMETER', 'request: expected the token of the call')
      const id = callRound(system, query.request)
      const notCalled = () =>
        new GoneError('NOT_LED', `${formatRound(id)}: no call of ${worker} was made with this token`)
      const given = await caller.giveUp(id, {
        by: request.server.access.callers.address(request),
        reason: `given up by ${actorOf(request)}`,
        // The key may submit to the worker of the path, which need not be that of the call.
        check({ submission }) {
          if (submission?.queue !== worker) throw notCalled()
        },
      })
      if (given === undefined) throw notCalled()
      sendCall(reply, worker, given)
    },
  })
}

function sendCall(reply: FastifyReply, worker: string, { id, seen, end }: CallAnswer): void {
  const call = callJson(id, worker, seen, end)
  reply.header('link', `<${call.link}>; rel="describedby"`)
  sendJson(reply, end ? 200 : 202, call)
}
