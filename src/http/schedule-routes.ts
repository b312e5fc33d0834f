import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type ScheduleId, scheduleId } from '../core/schedule.ts'
import { readScheduleBody, readTime, SCHEDULE_EXAMPLE } from '../core/schedule-body.ts'
import {
  type BackfillJson,
  type NextSlotsJson,
  type ScheduleJson,
  type ScheduleListJson,
  scheduleJson,
  slotJson,
  type TriggerJson,
} from '../core/schedule-wire.ts'
import { invalid, whole } from '../core/submission.ts'
import { iso, linkOf } from '../core/wire.ts'
import type { Schedules, SeenSchedule } from '../service/schedules.ts'
import { type Endpoint, serve } from './api.ts'
import type { Metrics } from './metrics.ts'
import { NAME_PAGE, nextPage, readNamePage } from './name-page.ts'
import { count, readBody, readQuery } from './parameters.ts'
import { sendJson } from './replies.ts'

export interface ScheduleRoutesParts {
  readonly schedules: Schedules
  readonly metrics: Metrics
  readonly maxSubmissionBytes: number
}

const PATH = '/api/v1/schedules/{system}/{name}'
const DEFAULT_NEXT = 10
const DEFAULT_BACKFILL = 100
const MAX_BACKFILL = 1_000
/** What is left of a round's 128 bytes after the longest name of a schedule and `+`. */
const TRIGGER_ID = /^[A-Za-z0-9_.:-]{1,27}$/

const NO_SUCH = 'There is no such schedule.'
const TROUBLE = 'Redis could not answer; safe to retry.'

/** What makes rounds come by themselves. */
export function scheduleRoutes(app: FastifyInstance, parts: ScheduleRoutesParts): void {
  serve(app, getEndpoint(parts), putEndpoint(parts), deleteEndpoint(parts))
  serve(app, listEndpoint(parts))
  serve(app, switchEndpoint(parts, 'pause'))
  serve(app, switchEndpoint(parts, 'resume'))
  serve(app, triggerEndpoint(parts))
  serve(app, backfillEndpoint(parts))
  serve(app, nextEndpoint(parts))
}

function putEndpoint({ schedules, metrics, maxSubmissionBytes }: ScheduleRoutesParts): Endpoint {
  return {
    path: PATH,
    methods: ['PUT'],
    action: 'submit',
    tag: 'schedules',
    summary: 'Make a schedule, or make it be this one.',
    description:
      'Exactly one of cron, every and at; all else may be left out. Each slot submits the job as the round "<name>@<slot>". A new timing begins now; what was due before is submitted first.',
    query: {},
    body: SCHEDULE_EXAMPLE,
    bodyLimit: maxSubmissionBytes,
    replies: {
      201: 'Made.',
      200: 'Replaced, or there was nothing to change.',
      400: 'Not understood.',
      500: TROUBLE,
    },
    handler: timed(metrics, async (request, reply) => {
      const id = scheduleOf(request)
      readQuery(request, {})
      const seen = await schedules.put(id, readScheduleBody(request.body ?? {}, id.system))
      return sendSchedule(reply, seen.isNew ? 201 : 200, id, seen)
    }),
  }
}

function getEndpoint({ schedules, metrics }: ScheduleRoutesParts): Endpoint {
  return {
    path: PATH,
    methods: ['GET'],
    action: 'read',
    tag: 'schedules',
    summary: 'One schedule: what it does, what comes next and how far it has come.',
    query: {},
    replies: { 200: 'The schedule.', 404: NO_SUCH, 500: TROUBLE },
    handler: timed(metrics, async (request, reply) => {
      const id = scheduleOf(request)
      readQuery(request, {})
      return sendSchedule(reply, 200, id, await schedules.get(id))
    }),
  }
}

function deleteEndpoint({ schedules, metrics }: ScheduleRoutesParts): Endpoint {
  return {
    path: PATH,
    methods: ['DELETE'],
    action: 'submit',
    tag: 'schedules',
    summary: 'Remove a schedule. The rounds that it has submitted stay.',
    query: {},
    replies: { 204: 'Removed.', 404: NO_SUCH, 500: TROUBLE },
    handler: timed(metrics, async (request, reply) => {
      const id = scheduleOf(request)
      readQuery(request, {})
      readBody(request.body, [])
      await schedules.remove(id)
      return reply.code(204).header('cache-control', 'no-store').send()
    }),
  }
}

function listEndpoint({ schedules, metrics }: ScheduleRoutesParts): Endpoint {
  return {
    path: '/api/v1/schedules',
    methods: ['GET'],
    action: 'read',
    tag: 'schedules',
    summary: 'Schedules, by system and name.',
    description: 'Answers {schedules, now, next}. Ask again with cursor=next until there is no next.',
    query: NAME_PAGE,
    replies: { 200: 'A page of schedules.', 400: 'Not understood.', 500: TROUBLE },
    handler: timed(metrics, async (request, reply) => {
      const page = await schedules.list(readNamePage(request))
      const list: ScheduleListJson = {
        schedules: page.schedules.map(({ id, schedule }) => scheduleJson(id, schedule)),
        now: iso(page.nowMs),
        ...nextPage(page.next),
      }
      return sendJson(reply, 200, list)
    }),
  }
}

function switchEndpoint({ schedules, metrics }: ScheduleRoutesParts, step: 'pause' | 'resume'): Endpoint {
  const summaries = {
    pause: 'Let no further slot be submitted.',
    resume: 'Go on. What fell into the pause is not run.',
  }
  return {
    path: `${PATH}/${step}`,
    methods: ['POST'],
    action: 'submit',
    tag: 'schedules',
    summary: summaries[step],
    query: {},
    replies: { 200: 'The schedule.', 404: NO_SUCH, 500: TROUBLE },
    handler: timed(metrics, async (request, reply) => {
      const id = scheduleOf(request)
      readQuery(request, {})
      readBody(request.body, [])
      return sendSchedule(reply, 200, id, await schedules[step](id))
    }),
  }
}

function triggerEndpoint({ schedules, metrics }: ScheduleRoutesParts): Endpoint {
  return {
    path: `${PATH}/trigger`,
    methods: ['POST'],
    action: 'submit',
    tag: 'schedules',
    summary: 'Submit the job of the schedule now, as the round "<name>+<id>".',
    description: 'With an id of your own the call is safe to retry. A paused schedule can be triggered too.',
    query: {},
    body: { id: 'deploy-7' },
    replies: { 202: 'Submitted, now or by your earlier call with this id.', 404: NO_SUCH, 500: TROUBLE },
    handler: timed(metrics, async (request, reply) => {
      const id = scheduleOf(request)
      readQuery(request, {})
      const { id: triggerId = newTriggerId(Date.now()) } = readBody(request.body, ['id'])
      if (typeof triggerId !== 'string' || !TRIGGER_ID.test(triggerId))
        throw invalid('id', '1 to 27 letters, digits, "_", ".", ":" or "-"', triggerId)
      const { round, nowMs } = await schedules.trigger(id, triggerId)
      const triggered: TriggerJson = { round: round.round, link: linkOf(round), now: iso(nowMs) }
      reply.header('link', `<${linkOf(round)}>; rel="describedby"`)
      return sendJson(reply, 202, triggered)
    }),
  }
}

function backfillEndpoint({ schedules, metrics }: ScheduleRoutesParts): Endpoint {
  return {
    path: `${PATH}/backfill`,
    methods: ['POST'],
    action: 'submit',
    tag: 'schedules',
    summary: 'Submit the slots of a time that has passed, oldest first.',
    description:
      'Slots due from `from` to `to`, both included, at most `max` of them; if there are more, `next` says where to go on. Slots that were submitted before are not submitted again.',
    query: {},
    body: { from: '2026-11-21T00:00:00Z', to: '2026-11-22T00:00:00Z', max: DEFAULT_BACKFILL },
    replies: { 202: 'The rounds.', 400: 'Not understood.', 404: NO_SUCH, 500: TROUBLE },
    handler: timed(metrics, async (request, reply) => {
      const id = scheduleOf(request)
      readQuery(request, {})
      const filled = await schedules.backfill(id, readBackfill(request.body))
      const json: BackfillJson = {
        rounds: filled.slots.map(({ slot, round, isFirst }) => ({
          slot: slot.key,
          round: round.round,
          isFirst,
        })),
        now: iso(filled.nowMs),
        ...(filled.nextMs !== undefined && { next: iso(filled.nextMs).replace('.000Z', 'Z') }),
      }
      return sendJson(reply, 202, json)
    }),
  }
}

function readBackfill(body: unknown) {
  const { from, to, max = DEFAULT_BACKFILL } = readBody(body, ['from', 'to', 'max'])
  const [fromMs, toMs] = [readTime('from', from), readTime('to', to)]
  if (fromMs > toMs) throw invalid('to', 'a time not before from', to)
  return { fromMs, toMs, max: whole('max', max, 1, MAX_BACKFILL) }
}

function nextEndpoint({ schedules, metrics }: ScheduleRoutesParts): Endpoint {
  const query = { n: count }
  return {
    path: `${PATH}/next`,
    methods: ['GET'],
    action: 'read',
    tag: 'schedules',
    summary: 'The slots that come next, also of a paused schedule.',
    query,
    replies: { 200: 'The slots.', 404: NO_SUCH, 500: TROUBLE },
    handler: timed(metrics, async (request, reply) => {
      const id = scheduleOf(request)
      const { n = DEFAULT_NEXT } = readQuery(request, query)
      const { slots, schedule, nowMs } = await schedules.next(id, n)
      const next: NextSlotsJson = {
        slots: slots.map((slot) => slotJson(id, schedule.spec, slot)),
        now: iso(nowMs),
      }
      return sendJson(reply, 200, next)
    }),
  }
}

function timed(metrics: Metrics, handler: Endpoint['handler']): Endpoint['handler'] {
  const observe = metrics.timer('schedule')
  return async (request, reply) => {
    const startMs = performance.now()
    const answer = await handler(request, reply)
    observe((performance.now() - startMs) / 1_000)
    return answer
  }
}

/** The schedule that the path names. @throws GoneError `INVALID_IDENTIFIER` */
function scheduleOf(request: FastifyRequest): ScheduleId {
  const { system, name } = request.params as { system: string; name: string }
  return scheduleId(system, name)
}

function sendSchedule(
  reply: FastifyReply,
  status: number,
  id: ScheduleId,
  { schedule, nowMs }: SeenSchedule,
): FastifyReply {
  const json: ScheduleJson = { ...scheduleJson(id, schedule), now: iso(nowMs) }
  return sendJson(reply, status, json)
}

/** Unique, and sorted by when it was made: `20261122T080000123Z-5f3a9c`. */
function newTriggerId(nowMs: number): string {
  return `${iso(nowMs).replace(/[-:.]/g, '')}-${randomBytes(3).toString('hex')}`
}
