import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { MAX_RESULT_BYTES } from '../../core/rounds/limits.ts'
import { isVacant, type Outcome, type RoundRecord, type Terms } from '../../core/rounds/record.ts'
import { formatRound, type RoundId } from '../../core/rounds/round.ts'
import { keptResult } from '../../core/rounds/round-rules.ts'
import { about, anything, objectOf, optional, truth } from '../../core/shape.ts'
import { GoneError } from '../../errors.ts'
import type { RollCall } from '../../service/alerts/roll-call.ts'
import type { Completer } from '../../service/rounds/completer.ts'
import type { Election, Elector } from '../../service/rounds/elector.ts'
import type { Reader } from '../../service/rounds/reader.ts'
import type { Standby } from '../../service/rounds/standby.ts'
import type { Taker } from '../../service/rounds/taker.ts'
import { serve } from '../api.ts'
import { type Asked, bodyOf, type Endpoint, endpoint, type Reply } from '../endpoint.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { candidate, candidateName, deadline, fence, lease, reason, wait } from '../parameters.ts'
import { saidReason } from '../reasons.ts'
import { sendRecord, sendStatus, sendText, type ToldRound, toldOf } from '../replies.ts'
import { ROUND_HEADERS } from '../reply-headers.ts'
import {
  callerSignal,
  candidateOf,
  isGone,
  onlyOfTaken,
  reporterOf,
  roundOf,
  wantsJson,
} from '../requests.ts'
import { ADDRESS, LED_ROUND } from '../shapes/round-shapes.ts'

export interface RoundRoutesParts {
  readonly elector: Elector
  readonly standby: Standby
  readonly completer: Completer
  readonly taker: Taker
  readonly reader: Reader
  readonly metrics: Metrics
  readonly rollCall: RollCall
  readonly callIdentity: () => string
  /** The deadline of a call that asks for none. */
  readonly deadlineMs: number
}

/** Who elects reports on what it leads, who works on what it took: see onlyOfTaken. */
const REPORTING = ['elect', 'work'] as const

/** The round in headers, and whole for callers that accept JSON; else there is no body. */
function withRound(what: string): Reply {
  return { about: what, json: LED_ROUND, headers: ROUND_HEADERS }
}

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

const ELECT_REPLIES: Endpoint['replies'] = {
  202: withRound('You lead the round, and it is not finished.'),
  204: { about: 'You do not lead it, or it is finished.', headers: ROUND_HEADERS },
}

function electEndpoint(parts: RoundRoutesParts): Endpoint {
  const { elector, standby, metrics, callIdentity, rollCall } = parts

  function answer(request: FastifyRequest, reply: FastifyReply, id: RoundId, election: Election): void {
    const { verdict, leadership, seen } = election
    metrics.rounds.countElection(verdict)
    reply.hasChangedNothing = seen === undefined || verdict === 'lost'
    if (seen === undefined) sendStatus(reply, 204, leadership)
    else if (verdict === 'lost') sendStatus(reply, 204, toldOf(seen))
    else sendRecord(request, reply, 202, { id, ...seen })
  }

  async function decide(request: FastifyRequest, reply: FastifyReply, id: RoundId, ask: Ask): Promise<void> {
    const { who, terms, waitMs } = ask
    try {
      const election = waitMs
        ? await request.server.access.waitingFor(request, () =>
            standby.elect(id, who, terms, waitMs, callerSignal(reply)),
          )
        : await elector.elect(id, who, terms, () => isGone(reply))
      const isHeard = election.verdict === 'lost' || !isGone(reply)
      if (isHeard && !election.isUnheard) return answer(request, reply, id, election)
      metrics.rounds.countElection('lost')
      await elector.takeBack(id, election)
      // Not a byte may be written: now it would not be true.
      reply.hijack()
      reply.raw.destroy()
    } catch (error) {
      metrics.rounds.countElection('error')
      throw error
    }
  }

  return endpoint({
    name: 'elect',
    route: 'elect',
    path: '/api/v1/elect/{system}/{round}',
    methods: ['GET', 'POST'],
    action: 'elect',
    tag: 'rounds',
    summary: 'Am I the leader?',
    id: roundOf,
    query: { candidate, name: candidateName, lease, deadline, wait },
    replies: ELECT_REPLIES,
    errors: ['STORE_UNAVAILABLE', 'GATE_NO_MAJORITY', 'GATE_UNREACHABLE'],
    handler({ id, query, request }, reply) {
      const who = candidateOf(request, query, callIdentity)
      rollCall.note(id, who)
      const known = query.wait || wantsJson(request) ? undefined : elector.recall(id, who)
      // Most answers go to losers of rounds that this process knows: they cost no promise.
      if (known) return answer(request, reply, id, known)
      const terms: Terms = {
        deadlineMs: query.deadline ?? parts.deadlineMs,
        ...(query.lease !== undefined && { leaseMs: query.lease }),
      }
      return decide(request, reply, id, { who, terms, waitMs: query.wait ?? 0 })
    },
  })
}

interface Ask {
  readonly who: ReturnType<typeof candidateOf>
  readonly terms: Terms
  readonly waitMs: number
}

function electedEndpoint({ reader }: RoundRoutesParts): Endpoint {
  return queryEndpoint(reader, 'elected', {
    summary: 'Who was the leader?',
    answers: ["The leader's address, ip:port, or the round as JSON.", 'Nobody yet.'],
    recall: (id) => reader.recall(id),
    text: (record) => (isVacant(record) ? undefined : record.leader),
  })
}

function completedEndpoint({ reader }: RoundRoutesParts): Endpoint {
  return queryEndpoint(reader, 'completed', {
    summary: 'Did anyone do the job?',
    answers: ["The completer's address, ip:port, or the round as JSON.", 'Not completed.'],
    recall: () => undefined,
    text: ({ completion }) => (completion?.outcome === 'completed' ? completion.by : undefined),
  })
}

interface Question {
  readonly summary: string
  readonly answers: readonly [found: string, none: string]
  /** Who leads, where that is the answer and needs no look at the store. */
  readonly recall: (id: RoundId) => ToldRound | undefined
  /** The answer that the record gives, if it gives one. */
  readonly text: (record: RoundRecord) => string | undefined
}

/** A question about a round that is answered with an address. */
function queryEndpoint(reader: Reader, name: 'elected' | 'completed', question: Question): Endpoint {
  const { summary, answers, recall, text } = question

  async function readRound(request: FastifyRequest, reply: FastifyReply, id: RoundId): Promise<void> {
    const { record, nowMs } = await reader.round(id)
    const found = record && text(record)
    if (record === undefined || found === undefined) sendStatus(reply, 204)
    else sendRecord(request, reply, 200, { id, record, nowMs, text: found })
  }

  return endpoint({
    name,
    route: name,
    path: `/api/v1/${name}/{system}/{round}`,
    methods: ['GET', 'POST'],
    action: 'read',
    tag: 'rounds',
    summary,
    id: roundOf,
    replies: { 200: { ...withRound(answers[0]), text: ADDRESS }, 204: { about: answers[1] } },
    errors: ['STORE_UNAVAILABLE'],
    handler({ id, request }, reply) {
      reply.hasChangedNothing = true
      const known = wantsJson(request) ? undefined : recall(id)
      // Costs no promise.
      if (known) return sendText(reply, known.leader, known)
      return readRound(request, reply, id)
    },
  })
}

const RESULT = objectOf<{ result?: unknown }>('CompleteBody', {
  result: optional(
    about(`What came out of it, any JSON of at most ${MAX_RESULT_BYTES} bytes.`, anything(), { rows: 42 }),
  ),
})

function completeEndpoint(parts: RoundRoutesParts): Endpoint {
  return endpoint({
    name: 'complete',
    route: 'complete',
    path: '/api/v1/complete/{system}/{round}',
    methods: ['GET', 'POST'],
    action: REPORTING,
    tag: 'rounds',
    summary: 'I did the job.',
    id: roundOf,
    query: { candidate, fence },
    body: bodyOf(RESULT, ({ result }) => keptResult(result)),
    replies: { 200: withRound('Recorded, now or by your earlier call.') },
    errors: ['STORE_UNAVAILABLE', 'COMPLETION_REFUSED'],
    handler: (asked, reply) => report(parts, asked, reply, { outcome: 'completed', detail: asked.body }),
  })
}

const FAILURE = objectOf<{ reason?: string; final?: boolean }>('FailBody', {
  reason: optional(about(reason.about, { schema: reason.schema }, reason.example)),
  final: optional(about('Of a job that was taken: no further attempt is to be made.', truth(), true)),
})

function failEndpoint(parts: RoundRoutesParts): Endpoint {
  return endpoint({
    name: 'fail',
    route: 'fail',
    path: '/api/v1/fail/{system}/{round}',
    methods: ['POST'],
    action: REPORTING,
    tag: 'rounds',
    summary: 'I gave up: the round ends failed.',
    description: 'Of a job that was taken an attempt has failed: while it has more, it is tried again.',
    id: roundOf,
    query: { candidate, fence, reason },
    body: bodyOf(FAILURE, (body) => body),
    replies: {
      200: withRound('Recorded, now or by your earlier call; of a job with attempts left: led still.'),
    },
    errors: ['STORE_UNAVAILABLE', 'COMPLETION_REFUSED', 'SUPERSEDED'],
    async handler(asked, reply) {
      const { reason: said, final = false } = asked.body
      if (typeof final !== 'boolean') throw new GoneError('INVALID_BODY', 'final: expected true or false')
      const detail = saidReason({ body: said, query: asked.query }, reason) ?? ''
      const { id, query, request } = asked
      await onlyOfTaken(parts.taker, request, id, query.fence)
      if (query.fence !== undefined) {
        const seen = await parts.taker.seen(id, query.fence)
        const isTriedAgain = await parts.taker.fail(id, seen, { reason: detail, isFinal: final })
        const { record, nowMs } = seen
        if (isTriedAgain && record) return sendRecord(request, reply, 200, { id, record, nowMs })
      }
      return report(parts, asked, reply, { outcome: 'failed', detail })
    },
  })
}

type Reporting = Asked<RoundId, { readonly candidate?: string; readonly fence?: number }, unknown>

async function report(
  { completer, metrics, callIdentity, deadlineMs, taker }: RoundRoutesParts,
  { id, query, request }: Reporting,
  reply: FastifyReply,
  said: { readonly outcome: Outcome; readonly detail: string },
): Promise<void> {
  await onlyOfTaken(taker, request, id, query.fence)
  const ruling = await completer.complete(id, reporterOf(request, query, callIdentity), said, { deadlineMs })
  metrics.rounds.countCompletion(said.outcome, ruling.verdict)
  const { record, verdict, nowMs } = ruling
  if (verdict !== 'refused') {
    await taker.ended(id, ruling)
    return sendRecord(request, reply, 200, { id, record, nowMs })
  }
  const { completion } = record
  // Whoever took the job has ended, although the round had before, as one that was cancelled: nobody need wait for the lease.
  if (completion && query.fence === record.fence) await taker.ended(id, ruling)
  const why = completion
    ? `${completion.by} has recorded it as ${completion.outcome}`
    : isVacant(record)
      ? 'it was opened again since you led it'
      : `led by ${record.leader} under fence ${record.fence}; show its Gone-Candidate token or Gone-Fence`
  throw new GoneError('COMPLETION_REFUSED', `${formatRound(id)}: ${why}`)
}

function renewEndpoint({ elector, callIdentity, taker }: RoundRoutesParts): Endpoint {
  return endpoint({
    name: 'renew',
    route: 'renew',
    path: '/api/v1/renew/{system}/{round}',
    methods: ['POST'],
    action: REPORTING,
    tag: 'rounds',
    summary: 'I am still working: extends the lease.',
    description: 'After any error that is not retryable: stop working.',
    id: roundOf,
    query: { candidate, fence, lease },
    replies: { 200: withRound('You still lead; the lease is extended.') },
    errors: ['STORE_UNAVAILABLE', 'NOT_LED', 'SUPERSEDED', 'ROUND_FINISHED'],
    async handler({ id, query, request }, reply) {
      await onlyOfTaken(taker, request, id, query.fence)
      const ruling = await elector.renew(id, reporterOf(request, query, callIdentity), query.lease)
      switch (ruling.verdict) {
        case 'renewed':
          await taker.renew(id, ruling, query.lease)
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
  })
}
