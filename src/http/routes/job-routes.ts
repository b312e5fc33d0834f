import type { FastifyInstance } from 'fastify'
import type { Submission } from '../../core/rounds/job.ts'
import type { RoundState } from '../../core/rounds/record.ts'
import { escapePart, type RoundId } from '../../core/rounds/round.ts'
import { linkOf, roundJson } from '../../core/rounds/round-wire.ts'
import { checkStart, readSubmission } from '../../core/rounds/submission.ts'
import { traceparentIn } from '../../core/rounds/traceparent.ts'
import type { RollCall } from '../../service/alerts/roll-call.ts'
import type { ServedWorkers } from '../../service/fleet/served-workers.ts'
import type { Dispatcher } from '../../service/rounds/dispatcher.ts'
import { serve } from '../api.ts'
import { bodyOf, type Endpoint, endpoint } from '../endpoint.ts'
import { claimJob } from '../job-share.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { sendJson, toldOfSeen } from '../replies.ts'
import { type HeaderName, ROUND_HEADERS } from '../reply-headers.ts'
import { callerOf, roundOf } from '../requests.ts'
import { SUBMISSION, SUBMITTED } from '../shapes/job-shapes.ts'

export interface JobRoutesParts {
  readonly dispatcher: Dispatcher
  readonly metrics: Metrics
  readonly rollCall: RollCall
  readonly served: Pick<ServedWorkers, 'serves'>
  readonly callIdentity: () => string
  /** Unix ms of the clock that all servers share. */
  readonly sharedNowMs: () => Promise<number>
  /** The largest submission, in bytes. */
  readonly maxSubmissionBytes: number
}

/** Submitting rounds to workers. */
export function jobRoutes(app: FastifyInstance, parts: JobRoutesParts): void {
  serve(app, submitEndpoint(parts))
}

/** The first submission's trace goes with the job, to whoever runs it. */
function withTrace(submission: Submission, header: unknown): Submission {
  const traceparent = traceparentIn(header)
  if (traceparent === undefined) return submission
  return { ...submission, queueTerms: { ...submission.queueTerms, traceparent } }
}

/** A round that is led, or has ended, waits for nobody. */
const WAITS: ReadonlySet<RoundState> = new Set(['submitted', 'overdue'])

function submitEndpoint(parts: JobRoutesParts): Endpoint {
  const { dispatcher, metrics, rollCall, served, callIdentity, sharedNowMs, maxSubmissionBytes } = parts
  const headers: readonly HeaderName[] = ['Link', 'Gone-Conflict', 'Gone-Warning', ...ROUND_HEADERS]
  return endpoint({
    name: 'submit',
    route: 'submit',
    path: '/api/v1/submit/{system}/{round}',
    methods: ['POST'],
    action: 'submit',
    tag: 'jobs',
    summary: 'Let one worker run this round.',
    description:
      'N replicas submit the same round and one job results. Whoever comes later gets 200 and the round as it is; with ' +
      'other data also Gone-Conflict: data, and the first data is kept.',
    id: roundOf,
    body: bodyOf(SUBMISSION, (body, { system }: RoundId) => readSubmission(body, escapePart(system)), {
      maxBytes: maxSubmissionBytes,
    }),
    replies: {
      202: { about: 'Your submission made the job.', json: SUBMITTED, headers },
      200: { about: 'The round was submitted, led or finished before.', json: SUBMITTED, headers },
    },
    errors: ['STORE_UNAVAILABLE', 'QUOTA_EXCEEDED'],
    async handler({ id, body, request }, reply) {
      const submission = withTrace(body, request.headers.traceparent)
      // Asked alone where it is needed: it is one question more.
      if (submission.queueTerms.atMs !== undefined) checkStart(submission, await sharedNowMs())
      const { access } = request.server
      access.checkWorker(request, submission.queue)
      access.countSubmission(request)
      await dispatcher.claim(id, () => claimJob(request, id, submission))
      rollCall.note(id, callerOf(request, callIdentity))
      await dispatcher.admit(submission)
      const [dispatch, isServed] = await Promise.all([
        dispatcher.submit(id, submission),
        served.serves(submission.queue),
      ])
      metrics.rounds.countSubmission(dispatch.isFirst ? 'first' : 'duplicate')
      const round = roundJson(id, dispatch, dispatch.nowMs)
      reply.header('link', `<${linkOf(id)}>; rel="describedby"`)
      if (dispatch.isConflict) reply.header('gone-conflict', 'data')
      if (!isServed && round && WAITS.has(round.state)) reply.header('gone-warning', 'no-worker')
      const json = { ...round, link: linkOf(id) }
      sendJson(reply, dispatch.isFirst ? 202 : 200, json, toldOfSeen(dispatch))
    },
  })
}
