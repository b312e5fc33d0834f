import type { FastifyInstance } from 'fastify'
import { ofText, span } from '../../core/expect.ts'
import { readMark } from '../../core/fleet/mark-body.ts'
import { DAY_MS, MINUTE_MS } from '../../core/fleet/series.ts'
import type { SeriesStore } from '../../core/fleet/series-ports.ts'
import { markJson, planSeries, seriesJson } from '../../core/fleet/series-wire.ts'
import { isWorkerName } from '../../core/rounds/job.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import { serve } from '../api.ts'
import { bodyOf, type Endpoint, endpoint } from '../endpoint.ts'
import { from, invalidParameter, parameter, to } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { actorOf } from '../requests.ts'
import { MARK_ANSWER, MARK_BODY, SERIES } from '../shapes/series-shapes.ts'

export interface SeriesRoutesParts {
  readonly series: Pick<SeriesStore, 'now' | 'read' | 'mark'>
}

const worker = parameter(
  'Whose: the name of a worker.',
  'mailer',
  ofText({
    expected: () => 'the name of a worker',
    fromText: (text) => (isWorkerName(text) ? text : undefined),
  }),
)

const step = parameter(
  'The length of what a point tells of: whole minutes up to 1h, or whole hours. Default: as many as a graph shows well.',
  '5m',
  span(MINUTE_MS, 30 * DAY_MS),
)

/** What was done for a worker, in the course of time. */
export function seriesRoutes(app: FastifyInstance, parts: SeriesRoutesParts): void {
  serve(app, seriesEndpoint(parts))
  serve(app, markEndpoint(parts))
}

function seriesEndpoint({ series }: SeriesRoutesParts): Endpoint {
  return endpoint({
    name: 'getSeries',
    route: 'series',
    path: '/api/v1/fleet/series',
    methods: ['GET'],
    action: 'read',
    tag: 'fleet',
    summary: 'What was done for a worker, and by how many instances, in the course of time.',
    description:
      'By minutes for 24 hours, by hours for 30 days; the last hour unless from and to say another time. Steps in which no instance reported are ' +
      'left out; the last one may not be over. Instances report each 15 seconds.',
    query: { worker, from, to, step },
    replies: { 200: { about: 'The points, oldest first.', json: SERIES } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ query: { worker, from, to, step } }, reply) {
      if (worker === undefined) throw invalidParameter('worker: expected the name of a worker, got none')
      const asked = {
        worker,
        ...(from !== undefined && { fromMs: from }),
        ...(to !== undefined && { toMs: to }),
        ...(step !== undefined && { stepMs: step }),
      }
      const plan = planSeries(asked, await series.now())
      sendJson(reply, 200, seriesJson(plan, await series.read(plan)))
    },
  })
}

function markEndpoint({ series }: SeriesRoutesParts): Endpoint {
  return endpoint({
    name: 'markSeries',
    path: '/api/v1/fleet/marks',
    methods: ['POST'],
    action: 'operate',
    tag: 'fleet',
    summary: 'Say something of this moment, which series show beside the releases.',
    description:
      'The moment is that of Redis. The last 1,000 are kept, for 90 days; each request makes another one, also where the answer to the one before got lost.',
    body: bodyOf(MARK_BODY, readMark, { isRequired: true }),
    replies: { 201: { about: 'It is noted.', json: MARK_ANSWER } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ body, request }, reply) {
      const mark = await series.mark({ ...body, actor: actorOf(request) })
      sendJson(reply, 201, { mark: markJson(mark), now: iso(mark.atMs) })
    },
  })
}
