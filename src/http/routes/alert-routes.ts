import type { FastifyInstance } from 'fastify'
import { ALERT_STATES } from '../../core/alerts/alert.ts'
import type { WatchName } from '../../core/alerts/alert-ports.ts'
import { alertJson, expectationJson } from '../../core/alerts/alert-wire.ts'
import { readExpectation } from '../../core/alerts/expectation-body.ts'
import { oneOf, whole } from '../../core/expect.ts'
import { checkIdentifier } from '../../core/rounds/round.ts'
import { iso } from '../../core/rounds/round-wire.ts'
import { scheduleKey } from '../../core/schedules/schedule.ts'
import { GoneError } from '../../errors.ts'
import type { Expectations } from '../../service/alerts/expectations.ts'
import type { ExpectedSlots } from '../../service/alerts/expected-slots.ts'
import { serve } from '../api.ts'
import { bodyOf, type Endpoint, endpoint } from '../endpoint.ts'
import { cursor, limit, parameter, system } from '../parameters.ts'
import { sendJson, sendStatus } from '../replies.ts'
import {
  ALERT_LIST,
  EXPECTATION,
  EXPECTATION_BODY,
  EXPECTATION_LIST,
  EXPECTED_SLOTS,
} from '../shapes/alert-shapes.ts'
import { NAME_PAGE, namePage, nextPage } from './name-page.ts'

export interface AlertRoutesParts {
  readonly expectations: Expectations
  readonly expectedSlots: ExpectedSlots
}

const PAGE_SIZE = 100
const SLOTS = 20
/** The rounds of each are looked for. */
const MAX_SLOTS = 100
const slotCount = parameter(`How many, up to ${MAX_SLOTS}; ${SLOTS} by default.`, '5', whole(1, MAX_SLOTS))
/** All of one expectation. */
const ONE = {
  route: 'expectation',
  path: '/api/v1/expectations/{system}/{name}',
  tag: 'alerts',
  id: nameOf,
} as const
const LIST = { methods: ['GET'], action: 'read', tag: 'alerts' } as const

/** What is expected of systems, and what is wrong. */
export function alertRoutes(app: FastifyInstance, { expectations, expectedSlots }: AlertRoutesParts): void {
  serve(app, getEndpoint(expectations), putEndpoint(expectations), deleteEndpoint(expectations))
  serve(app, slotsEndpoint(expectedSlots))
  serve(app, listEndpoint(expectations))
  serve(app, alertsEndpoint(expectations))
}

function getEndpoint(expectations: Expectations): Endpoint {
  return endpoint({
    ...ONE,
    name: 'getExpectation',
    methods: ['GET'],
    action: 'read',
    summary: 'What is expected.',
    replies: { 200: { about: 'The expectation.', json: EXPECTATION } },
    errors: ['STORE_UNAVAILABLE', 'NO_SUCH_EXPECTATION'],
    async handler({ id }, reply) {
      const { record, nowMs } = await expectations.get(id)
      if (record === undefined) throw noSuchExpectation(id)
      sendJson(reply, 200, { ...expectationJson(record), now: iso(nowMs) })
    },
  })
}

function slotsEndpoint(slots: ExpectedSlots): Endpoint {
  return endpoint({
    name: 'listExpectedSlots',
    route: 'expectation-slots',
    path: '/api/v1/expectations/{system}/{name}/slots',
    methods: ['GET'],
    action: 'read',
    tag: 'alerts',
    summary: 'What came for its last slots, and who asked for it; newest first.',
    id: nameOf,
    query: { n: slotCount },
    replies: { 200: { about: 'The last slots since it is expected.', json: EXPECTED_SLOTS } },
    errors: ['STORE_UNAVAILABLE', 'NO_SUCH_EXPECTATION'],
    async handler({ id, query }, reply) {
      const found = await slots.of(id, query.n ?? SLOTS)
      if (found === undefined) throw noSuchExpectation(id)
      sendJson(reply, 200, { slots: found.slots, now: iso(found.nowMs) })
    },
  })
}

function putEndpoint(expectations: Expectations): Endpoint {
  return endpoint({
    ...ONE,
    name: 'putExpectation',
    methods: ['PUT'],
    action: 'submit',
    summary: 'Expect rounds of a system that is elected from outside.',
    description:
      'cron or every with tz says when a round should come, grace how long after that it may. An alert opens where it does not, ' +
      'comes late, is not reported or fails, or where fewer candidates than replicas ask for it.',
    body: bodyOf(EXPECTATION_BODY, readExpectation, { isRequired: true }),
    replies: {
      200: { about: 'Replaced, or the same as it was.', json: EXPECTATION },
      201: { about: 'Created.', json: EXPECTATION },
    },
    errors: ['STORE_UNAVAILABLE', 'QUOTA_EXCEEDED'],
    async handler({ id, body, request }, reply) {
      await request.server.access.claim(request, 'expectations', scheduleKey(id))
      const { verdict, record, nowMs } = await expectations.put(id, body)
      const status = verdict === 'created' ? 201 : 200
      sendJson(reply, status, { ...expectationJson(record), now: iso(nowMs) })
    },
  })
}

function deleteEndpoint(expectations: Expectations): Endpoint {
  return endpoint({
    ...ONE,
    name: 'deleteExpectation',
    methods: ['DELETE'],
    action: 'submit',
    summary: 'Expect it no more; its open alerts are resolved.',
    replies: { 204: { about: 'Removed.' } },
    errors: ['STORE_UNAVAILABLE', 'NO_SUCH_EXPECTATION'],
    async handler({ id, request }, reply) {
      if (!(await expectations.remove(id))) throw noSuchExpectation(id)
      await request.server.access.release(request, 'expectations', scheduleKey(id))
      sendStatus(reply, 204)
    },
  })
}

function listEndpoint(expectations: Expectations): Endpoint {
  return endpoint({
    ...LIST,
    name: 'listExpectations',
    route: 'expectations',
    path: '/api/v1/expectations',
    summary: 'All that is expected, by system and name.',
    description: 'Ask again with cursor=next until there is no next.',
    query: NAME_PAGE,
    replies: { 200: { about: 'A page of expectations.', json: EXPECTATION_LIST } },
    errors: ['STORE_UNAVAILABLE', 'INVALID_IDENTIFIER'],
    async handler({ query }, reply) {
      const page = await expectations.list(namePage(query))
      sendJson(reply, 200, {
        expectations: page.records.map(expectationJson),
        now: iso(page.nowMs),
        ...nextPage(page.next),
      })
    },
  })
}

function alertsEndpoint(expectations: Expectations): Endpoint {
  return endpoint({
    ...LIST,
    name: 'listAlerts',
    route: 'alerts',
    path: '/api/v1/alerts',
    summary: 'What is wrong and what was, newest first.',
    description:
      'Ask again with cursor=next until there is no next; a page can hold fewer alerts than the limit.',
    query: {
      state: parameter(`Only alerts in this state: ${ALERT_STATES.join(', ')}.`, 'open', oneOf(ALERT_STATES)),
      system,
      limit,
      cursor: { ...cursor, example: '17' },
    },
    replies: { 200: { about: 'A page of alerts.', json: ALERT_LIST } },
    errors: ['STORE_UNAVAILABLE', 'INVALID_IDENTIFIER'],
    async handler({ query }, reply) {
      const page = await expectations.alerts({
        limit: query.limit ?? PAGE_SIZE,
        ...(query.state !== undefined && { state: query.state }),
        ...(query.system !== undefined && { system: query.system }),
        ...(query.cursor !== undefined && { after: checkAlertId(query.cursor) }),
      })
      sendJson(reply, 200, {
        alerts: page.alerts.map(alertJson),
        now: iso(page.nowMs),
        ...(page.next !== undefined && { next: page.next }),
      })
    },
  })
}

function nameOf({ system = '', name = '' }: Readonly<Record<string, string>>): WatchName {
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
