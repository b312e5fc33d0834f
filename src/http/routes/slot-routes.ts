import type { FastifyInstance } from 'fastify'
import { ofText, oneOf, type Rule } from '../../core/expect.ts'
import type { SlotNowJson } from '../../core/rounds/round-wire.ts'
import { DURATION_PATTERN, parseDuration } from '../../core/time/duration.ts'
import { DEFAULT_DST, type DstPolicy, type Slot, Timetable } from '../../core/time/timetable.ts'
import { serve } from '../api.ts'
import { endpoint } from '../endpoint.ts'
import { anyText, parameter } from '../parameters.ts'
import { sendJson } from '../replies.ts'
import { SLOT_NOW } from '../shapes/schedule-shapes.ts'

export interface SlotRoutesParts {
  /** Unix ms of the clock that all servers share. */
  readonly sharedNowMs: () => Promise<number>
}

const cron = parameter(
  'A cron expression of 5 or 6 fields, or @hourly and the like. Give either this or every.',
  '0 8 * * MON-FRI',
  anyText,
)

const every = parameter(
  'A whole number of seconds, minutes, hours or days. What divides a day is counted on the wall clock from midnight, anything else in elapsed time from 1970 on.',
  '15m',
  ofText({
    expected: () => 'a duration like 15m or 1d',
    fromText: parseDuration,
    schema: { type: 'string', pattern: DURATION_PATTERN },
  }),
)

const tz = parameter(
  'The IANA time zone of the wall clock that is meant; UTC by default.',
  'Europe/Berlin',
  anyText,
)

const gap = parameter(
  'What becomes of a time of day that the clocks leave out: run-after, which is due at the end of the gap, by default; or skip.',
  'skip',
  either<DstPolicy['gap']>('run-after', 'skip'),
)

const overlap = parameter(
  'Which of a time of day that the clocks show twice: first, by default, second or both.',
  'both',
  either<DstPolicy['overlap']>('first', 'second', 'both'),
)

function either<T extends string>(...choices: readonly T[]): Rule<T> {
  return { ...oneOf(choices), expected: () => choices.join(' or ') }
}

/** The key of the slot that is now, for whoever keeps a cron of their own and cannot compute it. */
export function slotRoutes(app: FastifyInstance, { sharedNowMs }: SlotRoutesParts): void {
  const slot = endpoint({
    name: 'currentSlot',
    route: 'slot',
    path: '/api/v1/slot',
    methods: ['GET'],
    action: 'open',
    tag: 'schedules',
    summary: 'The slot that is now, and the next one.',
    description:
      'Answers {slot, at, next: {slot, at}, now} by the clock that all servers share: slot is the latest that has come, under the key that every replica computes for it. Use it as the round of what your own cron runs.',
    query: { cron, every, tz, gap, overlap },
    replies: { 200: { about: 'The slot.', json: SLOT_NOW } },
    errors: ['STORE_UNAVAILABLE'],
    async handler({ query }, reply) {
      const timetable = new Timetable({
        ...(query.cron !== undefined && { cron: query.cron }),
        ...(query.every !== undefined && { everyMs: query.every }),
        tz: query.tz ?? 'UTC',
        dst: { gap: query.gap ?? DEFAULT_DST.gap, overlap: query.overlap ?? DEFAULT_DST.overlap },
      })
      sendJson(reply, 200, slotNow(timetable, await sharedNowMs()))
    },
  })
  serve(app, slot)
}

function slotNow(timetable: Timetable, nowMs: number): SlotNowJson {
  const last = timetable.last(nowMs)
  const next = timetable.after(nowMs)
  return {
    slot: last?.key ?? null,
    at: last ? new Date(last.dueMs).toISOString() : null,
    next: next ? slotJson(next) : null,
    now: new Date(nowMs).toISOString(),
  }
}

function slotJson({ key, dueMs }: Slot) {
  return { slot: key, at: new Date(dueMs).toISOString() }
}
