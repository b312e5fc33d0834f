import type { FastifyInstance } from 'fastify'
import type { RoundState } from '../../core/rounds/record.ts'
import { escapePart, formatRound, isPercentEncoded, unescapePart } from '../../core/rounds/round.ts'
import { isPicky, type RoundFilter } from '../../core/rounds/round-filter.ts'
import type { HistoryMark } from '../../core/rounds/round-ports.ts'
import { iso, type RoundListJson, roundJson } from '../../core/rounds/round-wire.ts'
import { GoneError } from '../../errors.ts'
import type { Reader } from '../../service/rounds/reader.ts'
import type { Standby } from '../../service/rounds/standby.ts'
import type { Tally } from '../../service/rounds/tally.ts'
import { serve } from '../api.ts'
import { type Endpoint, endpoint } from '../endpoint.ts'
import { cursor, from, limit, ofLeader, ofWorker, roundText, state, system, to, wait } from '../parameters.ts'
import { sendJson, toldOfSeen } from '../replies.ts'
import { ROUND_HEADERS } from '../reply-headers.ts'
import { callerSignal, roundOf } from '../requests.ts'
import { ROUND, ROUND_LIST, TALLY } from '../shapes/round-shapes.ts'

export interface HistoryRoutesParts {
  readonly reader: Reader
  readonly standby: Standby
  readonly tally: Tally
}

const PAGE_SIZE = 100

/** One round, and the history of rounds. */
export function historyRoutes(app: FastifyInstance, parts: HistoryRoutesParts): void {
  serve(app, roundEndpoint(parts))
  serve(app, historyEndpoint(parts))
  serve(app, tallyEndpoint(parts))
}

function roundEndpoint({ reader, standby }: HistoryRoutesParts): Endpoint {
  return endpoint({
    name: 'getRound',
    route: 'round',
    path: '/api/v1/rounds/{system}/{round}',
    methods: ['GET'],
    action: 'read',
    tag: 'history',
    summary: 'One round, also as it will be at its end (wait).',
    id: roundOf,
    query: { wait },
    replies: { 200: { about: 'The round.', json: ROUND, headers: ROUND_HEADERS } },
    errors: ['STORE_UNAVAILABLE', 'NOT_LED'],
    async handler({ id, query }, reply) {
      const { wait: waitMs } = query
      const finish = (ms: number) => () => standby.finish(id, ms, callerSignal(reply))
      const seen = waitMs
        ? await reply.server.access.waitingFor(reply.request, finish(waitMs))
        : await reader.round(id)
      const round = roundJson(id, seen, seen.nowMs)
      if (round) return sendJson(reply, 200, round, toldOfSeen(seen))
      throw new GoneError('NOT_LED', `${formatRound(id)}: nobody has led or submitted this round`)
    },
  })
}

function historyEndpoint({ reader }: HistoryRoutesParts): Endpoint {
  return endpoint({
    name: 'listRounds',
    route: 'history',
    path: '/api/v1/rounds',
    methods: ['GET'],
    action: 'read',
    tag: 'history',
    summary: 'Rounds, newest first.',
    description:
      'Ask again with cursor=next until there is no next; a page can hold fewer rounds than the limit.',
    query: { system, state, q: roundText, worker: ofWorker, leader: ofLeader, from, to, limit, cursor },
    replies: { 200: { about: 'A page of rounds.', json: ROUND_LIST } },
    errors: ['STORE_UNAVAILABLE', 'INVALID_IDENTIFIER'],
    async handler({ query }, reply) {
      const filter = filterOf(query)
      const page = await reader.history({
        ...filter,
        limit: query.limit ?? PAGE_SIZE,
        ...(query.to !== undefined && { after: { atMs: query.to + 1, number: 0, system: '' } }),
        ...(query.cursor !== undefined && { after: decodeCursor(query.cursor) }),
      })
      const { entries, untilMs } = page.looked
      const list: RoundListJson = {
        rounds: page.rounds.flatMap((round) => roundJson(round.id, round, page.nowMs) ?? []),
        ...(page.next && { next: encodeCursor(page.next) }),
        ...(isPicky(filter) && {
          looked: { entries, ...(untilMs !== undefined && { until: iso(untilMs) }) },
        }),
      }
      sendJson(reply, 200, list)
    },
  })
}

function tallyEndpoint({ tally }: HistoryRoutesParts): Endpoint {
  return endpoint({
    name: 'tallyRounds',
    route: 'tally',
    path: '/api/v1/rounds/tally',
    methods: ['GET'],
    action: 'read',
    tag: 'history',
    summary: 'How many rounds are in which state, of the newest 2,000.',
    description:
      'The overdue ones are of all rounds where no parameter is given. Counted at most once in 2 s for the same question, however many ask.',
    query: { system, q: roundText, worker: ofWorker, leader: ofLeader, from },
    replies: { 200: { about: 'The counts.', json: TALLY } },
    errors: ['STORE_UNAVAILABLE', 'INVALID_IDENTIFIER'],
    async handler({ query }, reply) {
      sendJson(reply, 200, await tally.of(filterOf(query)))
    },
  })
}

interface Asked {
  readonly system?: string
  readonly state?: RoundState
  readonly q?: string
  readonly worker?: string
  readonly leader?: string
  readonly from?: number
}

function filterOf({
  system,
  state,
  q,
  worker,
  leader,
  from,
}: Asked): RoundFilter & { readonly system?: string } {
  return {
    ...(system !== undefined && { system }),
    ...(state !== undefined && { state }),
    ...(q !== undefined && { text: q }),
    ...(worker !== undefined && { worker }),
    ...(leader !== undefined && { leader }),
    ...(from !== undefined && { fromMs: from }),
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
