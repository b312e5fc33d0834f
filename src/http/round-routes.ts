import { performance } from 'node:perf_hooks'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Outcome, Terms } from '../core/record.ts'
import { formatRound, type RoundId } from '../core/round.ts'
import { GoneError } from '../errors.ts'
import type { Completer } from '../service/completer.ts'
import type { Election, Elector } from '../service/elector.ts'
import type { Reader } from '../service/reader.ts'
import type { RollCall } from '../service/roll-call.ts'
import type { Standby } from '../service/standby.ts'
import { type Endpoint, serve } from './api.ts'
import type { Metrics, Route } from './metrics.ts'
import { candidate, deadline, fence, lease, readBody, readQuery, reason, wait } from './parameters.ts'
import { sendRecord, sendStatus } from './replies.ts'
import { callerSignal, candidateOf, reporterOf, roundOf } from './requests.ts'

export interface RoundRoutesParts {
  readonly elector: Elector
  readonly standby: Standby
  readonly completer: Completer
  readonly reader: Reader
  readonly metrics: Metrics
  readonly rollCall: RollCall
  readonly callIdentity: () => string
  /** The clock that the records' times are of. */
  readonly storeNowMs: () => number
  /** The deadline of who asks for none. */
  readonly deadlineMs: number
}

/** A completer's result is kept with the record, which must stay small. */
const MAX_RESULT_BYTES = 4_096
const UNDECIDED = 'could not be decided or recorded; safe to retry'

/** elect, elected, complete, completed as in the original, and fail and renew. */
export function roundRoutes(app: FastifyInstance, parts: RoundRoutesParts): void {
  for (const endpoint of [
    electEndpoint(parts),
    electedEndpoint(parts),
    completeEndpoint(parts),
    completedEndpoint(parts),
    failEndpoint(parts),
    renewEndpoint(parts),
  ]) {
    serve(app, endpoint)
  }
}

function electEndpoint(parts: RoundRoutesParts): Endpoint {
  const { elector, standby, metrics, callIdentity, storeNowMs, rollCall } = parts
  const query = { candidate, lease, deadline, wait }
  const observe = metrics.timer('elect')

  function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    id: RoundId,
    election: Election,
  ): FastifyReply {
    const { verdict, record } = election
    metrics.countElection(verdict)
    if (record === undefined) return sendStatus(reply, 204)
    const seen = { record, nowMs: storeNowMs() }
    return verdict === 'lost'
      ? sendStatus(reply, 204, seen)
      : sendRecord(request, reply, 202, { id, ...seen })
  }

  async function decide(
    request: FastifyRequest,
    reply: FastifyReply,
    id: RoundId,
    ask: Ask,
  ): Promise<FastifyReply> {
    const { who, terms, waitMs, startMs } = ask
    try {
      const election = waitMs
        ? await standby.elect(id, who, terms, waitMs, callerSignal(reply))
        : await elector.elect(id, who, terms)
      return answer(request, reply, id, election)
    } catch (error) {
      metrics.countElection('error')
      throw error
    } finally {
      if (!waitMs) observe((performance.now() - startMs) / 1_000)
    }
  }

  return {
    path: '/api/v1/elect/{system}/{round}',
    methods: ['GET', 'POST'],
    action: 'elect',
    tag: 'rounds',
    summary: 'Am I the leader?',
    query,
    headers: ['Gone-Candidate'],
    replies: {
      202: 'You lead the round.',
      204: 'You do not lead it.',
      400: 'Not understood.',
      500: `It ${UNDECIDED}.`,
    },
    handler(request, reply) {
      const startMs = performance.now()
      const id = roundOf(request)
      const asked = readQuery(request, query)
      readBody(request.body, [])
      const who = candidateOf(request, asked, callIdentity)
      rollCall.note(id, who)
      const known = asked.wait ? undefined : elector.recall(id, who)
      if (known) {
        // Most answers go to losers of rounds that this process knows: they cost no promise.
        answer(request, reply, id, known)
        observe((performance.now() - startMs) / 1_000)
        return
      }
      const terms: Terms = {
        deadlineMs: asked.deadline ?? parts.deadlineMs,
        ...(asked.lease !== undefined && { leaseMs: asked.lease }),
      }
      return decide(request, reply, id, { who, terms, waitMs: asked.wait ?? 0, startMs })
    },
  }
}

interface Ask {
  readonly who: ReturnType<typeof candidateOf>
  readonly terms: Terms
  readonly waitMs: number
  readonly startMs: number
}

function electedEndpoint({ reader, metrics, storeNowMs }: RoundRoutesParts): Endpoint {
  return queryEndpoint(metrics, storeNowMs, 'elected', {
    summary: 'Who was the leader?',
    replies: { 200: "The leader's address, ip:port.", 204: 'Nobody yet.', 500: `It ${UNDECIDED}.` },
    find: (id) => reader.leader(id),
    text: (record) => record.leader,
  })
}

function completedEndpoint({ reader, metrics, storeNowMs }: RoundRoutesParts): Endpoint {
  return queryEndpoint(metrics, storeNowMs, 'completed', {
    summary: 'Did anyone do the job?',
    replies: { 200: "The completer's address, ip:port.", 204: 'Not completed.', 500: `It ${UNDECIDED}.` },
    find: async (id) => {
      const record = await reader.completion(id)
      return record?.completion?.outcome === 'completed' ? record : undefined
    },
    text: (record) => record.completion?.by ?? '',
  })
}

type Found = ReturnType<Reader['leader']>

/** A question about a round that is answered with an address: from memory at once, or after a look at the store. */
function queryEndpoint(
  metrics: Metrics,
  storeNowMs: () => number,
  name: Route,
  {
    find,
    text,
    ...docs
  }: {
    summary: string
    replies: Endpoint['replies']
    find: (id: RoundId) => Found
    text: (record: NonNullable<Awaited<Found>>) => string
  },
): Endpoint {
  const observe = metrics.timer(name)

  function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    id: RoundId,
    record: Awaited<Found>,
    startMs: number,
  ) {
    if (record === undefined) sendStatus(reply, 204)
    else sendRecord(request, reply, 200, { id, record, nowMs: storeNowMs(), text: text(record) })
    observe((performance.now() - startMs) / 1_000)
    return reply
  }

  return {
    path: `/api/v1/${name}/{system}/{round}`,
    methods: ['GET', 'POST'],
    action: 'read',
    tag: 'rounds',
    ...docs,
    query: {},
    handler(request, reply) {
      const startMs = performance.now()
      const id = roundOf(request)
      readQuery(request, {})
      readBody(request.body, [])
      const found = find(id)
      if (found instanceof Promise) return found.then((record) => answer(request, reply, id, record, startMs))
      answer(request, reply, id, found, startMs)
      return undefined
    },
  }
}

function completeEndpoint(parts: RoundRoutesParts): Endpoint {
  const query = { candidate, fence }
  return {
    path: '/api/v1/complete/{system}/{round}',
    methods: ['GET', 'POST'],
    action: 'elect',
    tag: 'rounds',
    summary: 'I did the job.',
    query,
    body: { result: { rows: 42 } },
    headers: ['Gone-Candidate', 'Gone-Fence'],
    replies: {
      200: 'Recorded, now or by your earlier call.',
      400: 'Another leader recorded it, or the round is led by another.',
      500: `It ${UNDECIDED}.`,
    },
    handler(request, reply) {
      const { result } = readBody(request.body, ['result'])
      const detail = result === undefined ? '' : JSON.stringify(result)
      if (Buffer.byteLength(detail) > MAX_RESULT_BYTES) {
        throw new GoneError(
          'INVALID_BODY',
          `result: expected at most ${MAX_RESULT_BYTES} bytes of JSON, got ${Buffer.byteLength(detail)}`,
        )
      }
      return report(parts, request, reply, readQuery(request, query), { outcome: 'completed', detail })
    },
  }
}

function failEndpoint(parts: RoundRoutesParts): Endpoint {
  const query = { candidate, fence, reason }
  return {
    path: '/api/v1/fail/{system}/{round}',
    methods: ['POST'],
    action: 'elect',
    tag: 'rounds',
    summary: 'I gave up: the round ends failed.',
    query,
    body: { reason: 'disk full' },
    headers: ['Gone-Candidate', 'Gone-Fence'],
    replies: {
      200: 'Recorded, now or by your earlier call.',
      400: 'Another leader has reported, or the round is led by another.',
      500: `It ${UNDECIDED}.`,
    },
    handler(request, reply) {
      const asked = readQuery(request, query)
      const said = readBody(request.body, ['reason']).reason
      if (said !== undefined && typeof said !== 'string')
        throw new GoneError('INVALID_BODY', 'reason: expected a text')
      if (said !== undefined && asked.reason !== undefined && said !== asked.reason)
        throw new GoneError('INVALID_PARAMETER', 'reason: body and query parameter differ')
      const detail = said === undefined ? (asked.reason ?? '') : reason.parse(said, 'reason')
      return report(parts, request, reply, asked, { outcome: 'failed', detail })
    },
  }
}

async function report(
  { completer, metrics, callIdentity, deadlineMs }: RoundRoutesParts,
  request: FastifyRequest,
  reply: FastifyReply,
  query: { readonly candidate?: string; readonly fence?: number },
  said: { readonly outcome: Outcome; readonly detail: string },
): Promise<FastifyReply> {
  const startMs = performance.now()
  const id = roundOf(request)
  const ruling = await completer.complete(id, reporterOf(request, query, callIdentity), said, { deadlineMs })
  metrics.countCompletion(said.outcome, ruling.verdict)
  metrics.timer(said.outcome === 'completed' ? 'complete' : 'fail')((performance.now() - startMs) / 1_000)
  const { record, verdict, nowMs } = ruling
  if (verdict !== 'refused') return sendRecord(request, reply, 200, { id, record, nowMs })
  const { completion } = record
  throw new GoneError(
    'COMPLETION_REFUSED',
    completion
      ? `${formatRound(id)}: ${completion.by} has recorded it as ${completion.outcome}`
      : `${formatRound(id)}: led by ${record.leader} under fence ${record.fence}; show its Gone-Candidate token or Gone-Fence`,
  )
}

function renewEndpoint({ elector, metrics, callIdentity }: RoundRoutesParts): Endpoint {
  const query = { candidate, fence, lease }
  const observe = metrics.timer('renew')
  return {
    path: '/api/v1/renew/{system}/{round}',
    methods: ['POST'],
    action: 'elect',
    tag: 'rounds',
    summary: 'I am still working: extends the lease.',
    query,
    headers: ['Gone-Candidate', 'Gone-Fence'],
    replies: {
      200: 'You still lead; the lease is extended.',
      404: 'Nobody has led this round.',
      409: 'Another leads it now, or it is finished: stop working.',
      500: `It ${UNDECIDED}.`,
    },
    async handler(request, reply) {
      const startMs = performance.now()
      const id = roundOf(request)
      const asked = readQuery(request, query)
      readBody(request.body, [])
      const ruling = await elector.renew(id, reporterOf(request, asked, callIdentity), asked.lease)
      observe((performance.now() - startMs) / 1_000)
      switch (ruling.verdict) {
        case 'renewed':
          return sendRecord(request, reply, 200, { id, record: ruling.record, nowMs: ruling.nowMs })
        case 'notLed':
          throw new GoneError('NOT_LED', `${formatRound(id)}: nobody has led this round`)
        case 'finished':
          throw new GoneError(
            'ROUND_FINISHED',
            `${formatRound(id)}: finished by ${ruling.record.completion?.by}`,
          )
        case 'superseded':
          throw new GoneError(
            'SUPERSEDED',
            `${formatRound(id)}: led by ${ruling.record.leader} under fence ${ruling.record.fence}`,
          )
      }
    },
  }
}
