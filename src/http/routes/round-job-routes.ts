import type { FastifyInstance } from 'fastify'
import { formatRound } from '../../core/rounds/round.ts'
import type { JobReader } from '../../core/rounds/round-ports.ts'
import { roundJobJson } from '../../core/rounds/round-wire.ts'
import { GoneError } from '../../errors.ts'
import type { Reader } from '../../service/rounds/reader.ts'
import { serve } from '../api.ts'
import { endpoint } from '../endpoint.ts'
import { lines } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { roundOf } from '../requests.ts'
import { ROUND_JOB } from '../shapes/round-shapes.ts'

export interface RoundJobRoutesParts {
  readonly reader: Reader
  readonly jobReader: JobReader
}

const LINES = 100

/** How the job of a submitted round is doing, with what its handler has written. */
export function roundJobRoutes(app: FastifyInstance, { reader, jobReader }: RoundJobRoutesParts): void {
  serve(
    app,
    endpoint({
      name: 'getRoundJob',
      route: 'job',
      path: '/api/v1/rounds/{system}/{round}/job',
      methods: ['GET'],
      action: 'read',
      tag: 'history',
      summary: 'The job of a submitted round: its data, progress and log.',
      id: roundOf,
      query: { lines },
      replies: { 200: { about: 'The job as its queue has it.', json: ROUND_JOB } },
      errors: ['STORE_UNAVAILABLE', 'NOT_LED', 'JOB_GONE'],
      async handler({ id, query }, reply) {
        const { record, submission, nowMs } = await reader.round(id)
        const round = formatRound(id)
        if (submission === undefined) {
          if (record) throw new GoneError('JOB_GONE', `${round}: it is led over HTTP, and never had a job`)
          throw new GoneError('NOT_LED', `${round}: nobody has led or submitted this round`)
        }
        const job = await jobReader.readJob(id, submission, query.lines ?? LINES)
        if (job === undefined)
          throw new GoneError(
            'JOB_GONE',
            `${round}: its job is not in the queue ${submission.queue} any more`,
          )
        sendJson(reply, 200, roundJobJson(id, submission.queue, job, nowMs))
      },
    }),
  )
}
