import { performance } from 'node:perf_hooks'
import type { FastifyInstance } from 'fastify'
import type { HistoryMark } from '../core/ports.ts'
import { escapePart, formatRound, isPercentEncoded, unescapePart } from '../core/round.ts'
import { roundJson } from '../core/wire.ts'
import { GoneError } from '../errors.ts'
import type { Reader } from '../service/reader.ts'
import type { Standby } from '../service/standby.ts'
import { type Endpoint, serve } from './api.ts'
import type { Metrics } from './metrics.ts'
import { cursor, limit, readQuery, state, system, wait } from './parameters.ts'
import { sendJson } from './replies.ts'
import { callerSignal, roundOf } from './requests.ts'

export interface HistoryRoutesParts {
  readonly reader: Reader
  readonly standby: Standby
  readonly metrics: Metrics
}

const PAGE_SIZE = 100

/** One round, and the history of rounds. */
export function historyRoutes(app: FastifyInstance, parts: HistoryRoutesParts): void {
  serve(app, roundEndpoint(parts))
  serve(app, historyEndpoint(parts))
}

function roundEndpoint({ reader, standby, metrics }: HistoryRoutesParts): Endpoint {
  const observe = metrics.timer('round')
  return {
    path: '/api/v1/rounds/{system}/{round}',
    methods: ['GET'],
    action: 'read',
    tag: 'history',
    summary: 'One round, also as it will be at its end (wait).',
    query: { wait },
    replies: {
      200: 'The round.',
      404: 'Nobody has led or submitted it.',
      500: 'Redis could not answer; safe to retry.',
    },
    async handler(request, reply) {
      const startMs = performance.now()
      const id = roundOf(request)
      const waitMs = readQuery(request, { wait }).wait
      const seen = waitMs ? await standby.finish(id, waitMs, callerSignal(reply)) : await reader.round(id)
      if (!waitMs) observe((performance.now() - startMs) / 1_000)
      const { record, nowMs } = seen
      const round = roundJson(id, seen, nowMs)
      if (round) return sendJson(reply, 200, round, record && { record, nowMs })
      throw new GoneError('NOT_LED', `${formatRound(id)}: nobody has led or submitted this round`)
    },
  }
}

function historyEndpoint({ reader, metrics }: HistoryRoutesParts): Endpoint {
  const query = { system, state, limit, cursor }
  const observe = metrics.timer('history')
  return {
    path: '/api/v1/rounds',
    methods: ['GET'],
    action: 'read',
    tag: 'history',
    summary: 'Rounds, newest first.',
    description:
      'Answers {rounds, next}. Ask again with cursor=next until there is no next; a page can hold fewer rounds than the limit.',
    query,
    replies: {
      200: 'A page of rounds.',
      400: 'Not understood.',
      500: 'Redis could not answer; safe to retry.',
    },
    async handler(request, reply) {
      const startMs = performance.now()
      const asked = readQuery(request, query)
      const page = await reader.history({
        limit: asked.limit ?? PAGE_SIZE,
        ...(asked.system !== undefined && { system: asked.system }),
        ...(asked.state !== undefined && { state: asked.state }),
        ...(asked.cursor !== undefined && { after: decodeCursor(asked.cursor) }),
      })
      observe((performance.now() - startMs) / 1_000)
      return sendJson(reply, 200, {
        rounds: page.rounds.map((round) => roundJson(round.id, round, page.nowMs)),
        ...(page.next && { next: encodeCursor(page.next) }),
      })
    },
  }
}

function encodeCursor({ atMs, number, system: marked }: HistoryMark): string {
  return Buffer.from(`${atMs}-${number} ${escapePart(marked)}`).toString('base64url')
}

function decodeCursor(text: string): HistoryMark {
  const match = /^(\d{1,15})-(\d{1,15}) ([A-Za-z0-9_.%-]+)$/.exec(Buffer.from(text, 'base64url').toString())
  if (!match?.[3] || !isPercentEncoded(match[3])) {
    throw new GoneError(
      'INVALID_PARAMETER',
      `cursor: expected the "next" of an earlier page, got ${JSON.stringify(text.slice(0, 64))}`,
    )
  }
  return { atMs: Number(match[1]), number: Number(match[2]), system: unescapePart(match[3]) }
}
