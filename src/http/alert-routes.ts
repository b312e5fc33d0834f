import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ALERT_STATES, type AlertState } from '../core/alert.ts'
import type { WatchName } from '../core/alert-ports.ts'
import { alertJson, expectationJson } from '../core/alert-wire.ts'
import { EXPECTATION_EXAMPLE, readExpectation } from '../core/expectation-body.ts'
import { checkIdentifier } from '../core/round.ts'
import { iso } from '../core/wire.ts'
import { GoneError } from '../errors.ts'
import type { Expectations } from '../service/expectations.ts'
import { type Endpoint, serve } from './api.ts'
import { NAME_PAGE, nextPage, readNamePage } from './name-page.ts'
import { cursor, limit, type Parameter, readBody, readQuery, system } from './parameters.ts'
import { sendJson, sendStatus } from './replies.ts'

export interface AlertRoutesParts {
  readonly expectations: Expectations
}

const PATH = '/api/v1/expectations/{system}/{name}'
const PAGE_SIZE = 100
const UNANSWERED = { 500: 'Redis could not answer; safe to retry.' }

/** What is expected of systems, and what is wrong. */
export function alertRoutes(app: FastifyInstance, { expectations }: AlertRoutesParts): void {
  serve(app, getEndpoint(expectations), putEndpoint(expectations), deleteEndpoint(expectations))
  serve(app, listEndpoint(expectations))
  serve(app, alertsEndpoint(expectations))
}

function getEndpoint(expectations: Expectations): Endpoint {
  return {
    path: PATH,
    methods: ['GET'],
    action: 'read',
    tag: 'alerts',
    summary: 'What is expected.',
    query: {},
    replies: { 200: 'The expectation.', 404: 'There is none.', ...UNANSWERED },
    async handler(request, reply) {
      const name = nameOf(request)
      readQuery(request, {})
      const { record, nowMs } = await expectations.get(name)
      if (record === undefined) throw noSuchExpectation(name)
      return sendJson(reply, 200, { ...expectationJson(record), now: iso(nowMs) })
    },
  }
}

function putEndpoint(expectations: Expectations): Endpoint {
  return {
    path: PATH,
    methods: ['PUT'],
    action: 'submit',
    tag: 'alerts',
    summary: 'Expect rounds of a system that is elected from outside.',
    description:
      'cron or every with tz says when a round should come, grace how long after that it may. An alert opens where it does not, ' +
      'comes late, is not reported or fails, or where fewer candidates than replicas ask for it.',
    query: {},
    body: EXPECTATION_EXAMPLE,
    replies: {
      200: 'Replaced, or the same as it was.',
      201: 'Created.',
      400: 'Not understood.',
      ...UNANSWERED,
    },
    async handler(request, reply) {
      const name = nameOf(request)
      readQuery(request, {})
      const body = readBody(request.body, Object.keys(EXPECTATION_EXAMPLE))
      const { verdict, record, nowMs } = await expectations.put(name, readExpectation(body))
      const status = verdict === 'created' ? 201 : 200
      return sendJson(reply, status, { ...expectationJson(record), now: iso(nowMs) })
    },
  }
}

function deleteEndpoint(expectations: Expectations): Endpoint {
  return {
    path: PATH,
    methods: ['DELETE'],
    action: 'submit',
    tag: 'alerts',
    summary: 'Expect it no more; its open alerts are resolved.',
    query: {},
    replies: { 204: 'Removed.', 404: 'There is none.', ...UNANSWERED },
    async handler(request, reply) {
      const name = nameOf(request)
      readQuery(request, {})
      readBody(request.body, [])
      if (!(await expectations.remove(name))) throw noSuchExpectation(name)
      return sendStatus(reply, 204)
    },
  }
}

function listEndpoint(expectations: Expectations): Endpoint {
  return {
    path: '/api/v1/expectations',
    methods: ['GET'],
    action: 'read',
    tag: 'alerts',
    summary: 'All that is expected, by system and name.',
    description: 'Answers {expectations, now, next}. Ask again with cursor=next until there is no next.',
    query: NAME_PAGE,
    replies: { 200: 'A page of expectations.', 400: 'Not understood.', ...UNANSWERED },
    async handler(request, reply) {
      const page = await expectations.list(readNamePage(request))
      return sendJson(reply, 200, {
        expectations: page.records.map(expectationJson),
        now: iso(page.nowMs),
        ...nextPage(page.next),
      })
    },
  }
}

function alertsEndpoint(expectations: Expectations): Endpoint {
  const query = { state: alertState, system, limit, cursor: { ...cursor, example: '17' } }
  return {
    path: '/api/v1/alerts',
    methods: ['GET'],
    action: 'read',
    tag: 'alerts',
    summary: 'What is wrong and what was, newest first.',
    description:
      'Answers {alerts, now, next}. Ask again with cursor=next until there is no next; a page can hold fewer alerts than the limit.',
    query,
    replies: { 200: 'A page of alerts.', 400: 'Not understood.', ...UNANSWERED },
    async handler(request, reply) {
      const asked = readQuery(request, query)
      const page = await expectations.alerts({
        limit: asked.limit ?? PAGE_SIZE,
        ...(asked.state !== undefined && { state: asked.state }),
        ...(asked.system !== undefined && { system: asked.system }),
        ...(asked.cursor !== undefined && { after: checkAlertId(asked.cursor) }),
      })
      return sendJson(reply, 200, {
        alerts: page.alerts.map(alertJson),
        now: iso(page.nowMs),
        ...(page.next !== undefined && { next: page.next }),
      })
    },
  }
}

const alertState: Parameter<AlertState> = {
  about: `Only alerts in this state: ${ALERT_STATES.join(', ')}.`,
  example: 'open',
  parse: (text, name) => {
    const found = ALERT_STATES.find((known) => known === text)
    if (found) return found
    throw new GoneError(
      'INVALID_PARAMETER',
      `${name}: expected one of ${ALERT_STATES.join(', ')}, got ${shown(text)}`,
    )
  },
}

function nameOf(request: FastifyRequest): WatchName {
  const { system, name } = request.params as { system: string; name: string }
  checkIdentifier('system', system)
  checkIdentifier('name', name)
  return { system, name }
}

function noSuchExpectation({ system, name }: WatchName): GoneError {
  return new GoneError('NO_SUCH_EXPECTATION', `${system}/${name}: there is no such expectation`)
}

function checkAlertId(text: string): string {
  if (/^\d{1,15}$/.test(text)) return text
  throw new GoneError(
    'INVALID_PARAMETER',
    `cursor: expected the "next" of an earlier page, got ${shown(text)}`,
  )
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 64))
}
