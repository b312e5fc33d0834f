import type { FastifyInstance } from 'fastify'

import { escapePart } from '../core/round.ts'
import { readSubmission, SUBMISSION_EXAMPLE } from '../core/submission.ts'
import { linkOf, roundJson } from '../core/wire.ts'
import type { Dispatcher } from '../service/dispatcher.ts'
import type { RollCall } from '../service/roll-call.ts'
import { type Endpoint, serve } from './api.ts'
import type { Metrics } from './metrics.ts'
import { readBody, readQuery } from './parameters.ts'
import { sendJson } from './replies.ts'
import { callerOf, roundOf } from './requests.ts'

export interface JobRoutesParts {
  readonly dispatcher: Dispatcher
  readonly metrics: Metrics
  readonly rollCall: RollCall
  readonly callIdentity: () => string
  /** The largest submission, in bytes. */
  readonly maxSubmissionBytes: number
}

/** Submitting rounds to workers. */
export function jobRoutes(app: FastifyInstance, parts: JobRoutesParts): void {
  serve(app, submitEndpoint(parts))
}

function submitEndpoint(parts: JobRoutesParts): Endpoint {
  const { dispatcher, metrics, rollCall, callIdentity, maxSubmissionBytes } = parts
  return {
    path: '/api/v1/submit/{system}/{round}',
    methods: ['POST'],
    action: 'submit',
    tag: 'jobs',
    summary: 'Let one worker run this round.',
    description:
      'N replicas submit the same round and one job results. Whoever comes later gets 200 and the round as it is; with ' +
      'other data also Gone-Conflict: data, and the first data is kept.',
    query: {},
    body: SUBMISSION_EXAMPLE,
    bodyLimit: maxSubmissionBytes,
    replies: {
      202: 'Your submission made the job.',
      200: 'The round was submitted, led or finished before.',
      400: 'Not understood.',
      500: 'It could not be recorded; safe to retry.',
    },
    async handler(request, reply) {
      const id = roundOf(request)
      readQuery(request, {})
      const asked = readBody(request.body, Object.keys(SUBMISSION_EXAMPLE))
      const submission = readSubmission(asked, escapePart(id.system), Date.now())
      rollCall.note(id, callerOf(request, callIdentity))
      const dispatch = await dispatcher.submit(id, submission)
      metrics.countSubmission(dispatch.isFirst ? 'first' : 'duplicate')
      const round = roundJson(id, dispatch, dispatch.nowMs)
      reply.header('link', `<${linkOf(id)}>; rel="describedby"`)
      if (dispatch.isConflict) reply.header('gone-conflict', 'data')
      const { record, nowMs } = dispatch
      const body = { ...round, link: linkOf(id) }
      return sendJson(reply, dispatch.isFirst ? 202 : 200, body, record && { record, nowMs })
    },
  }
}
