import { randomBytes } from 'node:crypto'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Members, whole, wholeSecond } from '../../core/expect.ts'
import type { Submission } from '../../core/rounds/job.ts'
import type { RoundId } from '../../core/rounds/round.ts'
import { iso, linkOf } from '../../core/rounds/round-wire.ts'
import { fromBody, invalid } from '../../core/rounds/submission.ts'
import { revisionOf, type ScheduleId, scheduleId, scheduleKey } from '../../core/schedules/schedule.ts'
import { readScheduleBody } from '../../core/schedules/schedule-body.ts'
import {
  type BackfillJson,
  type NextSlotsJson,
  type ScheduleJson,
  type ScheduleListJson,
  scheduleJson,
  slotJson,
  type TriggerJson,
} from '../../core/schedules/schedule-wire.ts'
import type { ErrorCode } from '../../errors.ts'
import type { Schedules, SeenSchedule } from '../../service/schedules/schedules.ts'
import { serve } from '../api.ts'
import { bodyOf, type Endpoint, endpoint } from '../endpoint.ts'
import { claimJob } from '../job-share.ts'
import { count, ifMatch, ifNoneMatch } from '../parameters.ts'
import { sendJson, sendStatus } from '../replies.ts'
import type { HeaderName } from '../reply-headers.ts'
import {
  BACKFILL_BODY,
  BACKFILLED,
  DEFAULT_BACKFILL,
  MAX_BACKFILL,
  NEXT_SLOTS,
  SCHEDULE,
  SCHEDULE_BODY,
  SCHEDULE_LIST,
  TRIGGER_BODY,
  TRIGGER_ID,
  TRIGGERED,
} from '../shapes/schedule-shapes.ts'
import { NAME_PAGE, namePage, nextPage } from './name-page.ts'

export interface ScheduleRoutesParts {
  readonly schedules: Schedules
  readonly maxSubmissionBytes: number
}

const PATH = '/api/v1/schedules/{system}/{name}'
const DEFAULT_NEXT = 10
const DEFAULT_PREVIEW = 5
const EACH = { route: 'schedule', tag: 'schedules' } as const
/** One schedule is read. */
const READ = { ...EACH, methods: ['GET'], action: 'read', id: scheduleOf } as const
/** Something is done to one schedule. */
const DO = { ...EACH, methods: ['POST'], action: 'submit', id: scheduleOf } as const
const TAGGED: readonly HeaderName[] = ['ETag']
const ERRORS: readonly ErrorCode[] = ['STORE_UNAVAILABLE', 'NO_SUCH_SCHEDULE']

/** What makes rounds come by themselves. */
export function scheduleRoutes(
  app: FastifyInstance,
  { schedules, maxSubmissionBytes }: ScheduleRoutesParts,
): void {
  serve(app, getEndpoint(schedules), putEndpoint(schedules, maxSubmissionBytes), deleteEndpoint(schedules))
  serve(app, listEndpoint(schedules))
  serve(app, switchEndpoint(schedules, 'pause', 'Let no further slot be submitted.'))
  serve(app, switchEndpoint(schedules, 'resume', 'Go on. What fell into the pause is not run.'))
  serve(app, triggerEndpoint(schedules))
  serve(app, backfillEndpoint(schedules))
  serve(app, nextEndpoint(schedules))
  serve(app, previewEndpoint(schedules, maxSubmissionBytes))
}

function putEndpoint(schedules: Schedules, maxBytes: number): Endpoint {
  return endpoint({
    ...EACH,
    name: 'putSchedule',
    path: PATH,
    methods: ['PUT'],
    action: 'submit',
    summary: 'Make a schedule, or make it be this one.',
    description:
      'Exactly one of cron, every and at; all else may be left out. Each slot submits the job as the round "<name>@<slot>". A new timing begins now; what was due before is submitted first.',
    id: scheduleOf,
    body: {
      shape: SCHEDULE_BODY,
      isRequired: true,
      maxBytes,
      read: (value, { system }: ScheduleId) => readScheduleBody(value ?? {}, system),
    },
    query: { ifMatch, ifNoneMatch },
    replies: {
      201: { about: 'Made.', json: SCHEDULE, headers: TAGGED },
      200: { about: 'Replaced, or there was nothing to change.', json: SCHEDULE, headers: TAGGED },
    },
    errors: ['STORE_UNAVAILABLE', 'QUOTA_EXCEEDED', 'CHANGED_MEANWHILE'],
    async handler({ id, body, query, request }, reply) {
      const { access } = request.server
      access.checkWorker(request, body.job.queue)
      await access.claim(request, 'schedules', scheduleKey(id))
      const seen = await schedules.put(id, body, query)
      sendSchedule(reply, seen.isNew ? 201 : 200, id, seen)
    },
  })
}

function getEndpoint(schedules: Schedules): Endpoint {
  return endpoint({
    ...READ,
    name: 'getSchedule',
    path: PATH,
    summary: 'One schedule: what it does, what comes next and how far it has come.',
    replies: { 200: { about: 'The schedule.', json: SCHEDULE, headers: TAGGED } },
    errors: ERRORS,
    async handler({ id }, reply) {
      sendSchedule(reply, 200, id, await schedules.get(id))
    },
  })
}

function deleteEndpoint(schedules: Schedules): Endpoint {
  return endpoint({
    ...EACH,
    name: 'deleteSchedule',
    path: PATH,
    methods: ['DELETE'],
    action: 'submit',
    summary: 'Remove a schedule. The rounds that it has submitted stay.',
    id: scheduleOf,
    replies: { 204: { about: 'Removed.' } },
    errors: ERRORS,
    async handler({ id, request }, reply) {
      await schedules.remove(id)
      await request.server.access.release(request, 'schedules', scheduleKey(id))
      sendStatus(reply, 204)
    },
  })
}

function listEndpoint(schedules: Schedules): Endpoint {
  return endpoint({
    ...EACH,
    name: 'listSchedules',
    path: '/api/v1/schedules',
    methods: ['GET'],
    action: 'read',
    summary: 'Schedules, by system and name.',
    description: 'Ask again with cursor=next until there is no next.',
    query: NAME_PAGE,
    replies: { 200: { about: 'A page of schedules.', json: SCHEDULE_LIST } },
    errors: ['STORE_UNAVAILABLE', 'INVALID_IDENTIFIER'],
    async handler({ query }, reply) {
      const page = await schedules.list(namePage(query))
      const lastStates = await schedules.lastStates(page.schedules)
      const list: ScheduleListJson = {
        schedules: page.schedules.map((one) => scheduleJson(one.id, one.schedule, lastStates.get(one))),
        now: iso(page.nowMs),
        ...nextPage(page.next),
      }
      sendJson(reply, 200, list)
    },
  })
}

function switchEndpoint(schedules: Schedules, step: 'pause' | 'resume', summary: string): Endpoint {
  return endpoint({
    ...DO,
    name: `${step}Schedule`,
    path: `${PATH}/${step}`,
    summary,
    replies: { 200: { about: 'The schedule.', json: SCHEDULE, headers: TAGGED } },
    errors: ERRORS,
    async handler({ id, request }, reply) {
      if (step === 'resume') await checkWorkerOf(schedules, id, request)
      sendSchedule(reply, 200, id, await schedules[step](id))
    },
  })
}

function triggerEndpoint(schedules: Schedules): Endpoint {
  return endpoint({
    ...DO,
    name: 'triggerSchedule',
    path: `${PATH}/trigger`,
    summary: 'Submit the job of the schedule now, as the round "<name>+<id>".',
    description: 'With an id of your own the call is safe to retry. A paused schedule can be triggered too.',
    body: bodyOf(TRIGGER_BODY, readTriggerId),
    replies: {
      202: {
        about: 'Submitted, now or by your earlier call with this id.',
        json: TRIGGERED,
        headers: ['Link'],
      },
    },
    errors: [...ERRORS, 'QUOTA_EXCEEDED'],
    async handler({ id, body, request }, reply) {
      await checkWorkerOf(schedules, id, request)
      request.server.access.countSubmission(request)
      const { round, nowMs } = await schedules.trigger(id, body, claimFor(request))
      const triggered: TriggerJson = { round: round.round, link: linkOf(round), now: iso(nowMs) }
      reply.header('link', `<${linkOf(round)}>; rel="describedby"`)
      sendJson(reply, 202, triggered)
    },
  })
}

function readTriggerId({ id = newTriggerId(Date.now()) }: Members): string {
  if (typeof id === 'string' && TRIGGER_ID.test(id)) return id
  throw invalid('id', '1 to 27 letters, digits, "_", ".", ":" or "-", and no offset like 01:00', id)
}

function backfillEndpoint(schedules: Schedules): Endpoint {
  return endpoint({
    ...DO,
    name: 'backfillSchedule',
    path: `${PATH}/backfill`,
    summary: 'Submit the slots of a time that has passed, oldest first.',
    description:
      'Slots due from `from` to `to`, both included, at most `max` of them; if there are more, `next` says where to go on. Slots that were submitted before are not submitted again as long as their rounds are kept (`GONE_RETENTION`); older ones are run again. With `dryRun` it says what would be done; with the `count` of those that this says to be first, other than so many are refused.',
    body: bodyOf(BACKFILL_BODY, readBackfill, { isRequired: true }),
    replies: {
      202: { about: 'The rounds.', json: BACKFILLED },
      200: { about: 'What would be done (dryRun).', json: BACKFILLED },
    },
    errors: [...ERRORS, 'CHANGED_MEANWHILE', 'QUOTA_EXCEEDED'],
    async handler({ id, body, request }, reply) {
      await checkWorkerOf(schedules, id, request)
      request.server.access.countSubmission(request)
      reply.hasChangedNothing = body.isDryRun
      const filled = await schedules.backfill(id, body, claimFor(request))
      if (!body.isDryRun) request.server.access.countMore(request, filled.slots.length - 1)
      const json: BackfillJson = {
        rounds: filled.slots.map(({ slot, round, isFirst }) => ({
          slot: slot.key,
          round: round.round,
          isFirst,
        })),
        now: iso(filled.nowMs),
        ...(filled.nextMs !== undefined && { next: iso(filled.nextMs).replace('.000Z', 'Z') }),
      }
      sendJson(reply, body.isDryRun ? 200 : 202, json)
    },
  })
}

function readBackfill({ from, to, max = DEFAULT_BACKFILL, dryRun = false, count }: Members) {
  const [fromMs, toMs] = [fromBody('from', wholeSecond(), from), fromBody('to', wholeSecond(), to)]
  if (fromMs > toMs) throw invalid('to', 'a time not before from', to)
  if (typeof dryRun !== 'boolean') throw invalid('dryRun', 'true or false', dryRun)
  return {
    fromMs,
    toMs,
    max: fromBody('max', whole(1, MAX_BACKFILL), max),
    isDryRun: dryRun,
    ...(count !== undefined && { count: fromBody('count', whole(0, MAX_BACKFILL), count) }),
  }
}

function nextEndpoint(schedules: Schedules): Endpoint {
  return endpoint({
    ...READ,
    name: 'nextSlots',
    path: `${PATH}/next`,
    summary: 'The slots that come next, also of a paused schedule.',
    query: { n: count },
    replies: { 200: { about: 'The slots.', json: NEXT_SLOTS } },
    errors: ERRORS,
    async handler({ id, query: { n = DEFAULT_NEXT } }, reply) {
      const { slots, schedule, nowMs } = await schedules.next(id, n)
      const next: NextSlotsJson = {
        slots: slots.map((slot) => slotJson(id, schedule.spec, slot)),
        now: iso(nowMs),
      }
      sendJson(reply, 200, next)
    },
  })
}

function previewEndpoint(schedules: Schedules, maxBytes: number): Endpoint {
  return endpoint({
    ...DO,
    name: 'previewSchedule',
    path: `${PATH}/preview`,
    summary: 'What a schedule of this body would do: the slots that would come next. Nothing is kept.',
    query: { n: count },
    body: {
      shape: SCHEDULE_BODY,
      isRequired: true,
      maxBytes,
      read: (value, { system }: ScheduleId) => readScheduleBody(value ?? {}, system),
    },
    replies: { 200: { about: 'The slots.', json: NEXT_SLOTS } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ id, body, query: { n = DEFAULT_PREVIEW } }, reply) {
      reply.hasChangedNothing = true
      const { slots, nowMs } = await schedules.preview(id, body, n)
      const next: NextSlotsJson = { slots: slots.map((slot) => slotJson(id, body, slot)), now: iso(nowMs) }
      sendJson(reply, 200, next)
    },
  })
}

/** The schedule that a path names. @throws GoneError `INVALID_IDENTIFIER` */
function scheduleOf({ system = '', name = '' }: Readonly<Record<string, string>>): ScheduleId {
  return scheduleId(system, name)
}

/** Whoever makes a schedule of another go on submits to its worker. */
async function checkWorkerOf(schedules: Schedules, id: ScheduleId, request: FastifyRequest): Promise<void> {
  const { schedule } = await schedules.get(id)
  request.server.access.checkWorker(request, schedule.spec.job.queue)
}

/** What whoever asks for has submitted counts for their key; what comes by itself does not. */
function claimFor(request: FastifyRequest): (round: RoundId, job: Submission) => Promise<void> {
  return (round, job) => claimJob(request, round, job)
}

function sendSchedule(
  reply: FastifyReply,
  status: number,
  id: ScheduleId,
  { schedule, nowMs }: SeenSchedule,
): void {
  const json: ScheduleJson = { ...scheduleJson(id, schedule), now: iso(nowMs) }
  reply.header('etag', `"${revisionOf(schedule.spec)}"`)
  sendJson(reply, status, json)
}

/** Unique, and sorted by when it was made: `20261122T080000123Z-5f3a9c`. */
function newTriggerId(nowMs: number): string {
  return `${iso(nowMs).replace(/[-:.]/g, '')}-${randomBytes(3).toString('hex')}`
}
