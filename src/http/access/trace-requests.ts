import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { traceparentIn } from '../../core/rounds/traceparent.ts'
import type { Span, SpanAttributes, Tracer } from '../../core/tracing.ts'
import type { ToldRound } from '../replies.ts'

/** What decides a round over HTTP. A submission is told of where it is made, also by schedules; a renewal is no news. */
const TRACED: Readonly<Record<string, string>> = {
  '/api/v1/elect/:system/:round': 'elect',
  '/api/v1/complete/:system/:round': 'complete',
  '/api/v1/fail/:system/:round': 'fail',
}

/** Tells of what is asked of rounds over HTTP. A hook costs, so only a server that tells of traces has it. */
export function traceRequests(app: FastifyInstance, tracer: Tracer): void {
  app.addHook('onRequest', (request, reply, done) => {
    const name = TRACED[request.routeOptions.url ?? '']
    if (name !== undefined) {
      const span = spanOf(tracer, name, request)
      // Of an answer whose caller has gone Node says no other end.
      reply.raw.once('close', () => span.end(endOf(reply)))
    }
    done()
  })
}

function endOf({ raw, told }: FastifyReply): Parameters<Span['end']>[0] {
  const { headersSent, statusCode, writableFinished } = raw
  return {
    attributes: {
      ...(headersSent && { 'http.response.status_code': statusCode }),
      ...attributesOf(told),
    },
    ...(!writableFinished && { error: 'the caller was gone before the answer' }),
    ...(headersSent && statusCode >= 500 && { error: `HTTP ${statusCode}` }),
  }
}

/** The same as the answer's headers. */
function attributesOf(told: ToldRound | undefined): SpanAttributes {
  if (told === undefined) return {}
  const { leader, fence, state } = told
  return { 'gone.leader': leader, 'gone.fence': fence, ...(state !== undefined && { 'gone.state': state }) }
}

function spanOf(tracer: Tracer, name: string, request: FastifyRequest): Span {
  const { system = '', round = '' } = request.params as Readonly<Record<string, string>>
  const parent = traceparentIn(request.headers.traceparent)
  return tracer.start({
    name,
    kind: 'server',
    ...(parent !== undefined && { parent }),
    attributes: {
      'gone.system': system,
      'gone.round': round,
      'http.request.method': request.method,
      'http.route': `/api/v1/${name}/{system}/{round}`,
    },
  })
}
