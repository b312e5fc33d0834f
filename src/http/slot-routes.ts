import { performance } from 'node:perf_hooks'
import type { FastifyInstance } from 'fastify'
import { parseDuration } from '../core/duration.ts'
import { DEFAULT_DST, type DstPolicy, type Slot, Timetable } from '../core/timetable.ts'
import type { SlotNowJson } from '../core/wire.ts'
import { GoneError } from '../errors.ts'
import { type Endpoint, serve } from './api.ts'
import type { Metrics } from './metrics.ts'
import { type Parameter, readQuery } from './parameters.ts'
import { sendJson } from './replies.ts'

export interface SlotRoutesParts {
  /** Unix ms of the clock that all servers share. */
  readonly sharedNowMs: () => Promise<number>
  readonly metrics: Metrics
}

const cron: Parameter<string> = {
  about: 'A cron expression of 5 or 6 fields, or @hourly and the like. Give either this or every.',
  example: '0 8 * * MON-FRI',
  parse: (text) => text,
}

const every: Parameter<number> = {
  about:
    'A whole number of seconds, minutes, hours or days. What divides a day is counted on the wall clock from midnight, anything else in elapsed time from 1970 on.',
  example: '15m',
  parse: (text, name) => parseDuration(text) ?? refuse(name, 'a duration like 15m or 1d', text),
}

const tz: Parameter<string> = {
  about: 'The IANA time zone of the wall clock that is meant; UTC by default.',
  example: 'Europe/Berlin',
  parse: (text) => text,
}

const gap: Parameter<DstPolicy['gap']> = {
  about:
    'What becomes of a time of day that the clocks leave out: run-after, which is due at the end of the gap, by default; or skip.',
  example: 'skip',
  parse: (text, name) => oneOf(['run-after', 'skip'], name, text),
}

const overlap: Parameter<DstPolicy['overlap']> = {
  about: 'Which of a time of day that the clocks show twice: first, by default, second or both.',
  example: 'both',
  parse: (text, name) => oneOf(['first', 'second', 'both'], name, text),
}

const QUERY = { cron, every, tz, gap, overlap }

/** The key of the slot that is now, for whoever keeps a cron of their own and cannot compute it. */
export function slotRoutes(app: FastifyInstance, { sharedNowMs, metrics }: SlotRoutesParts): void {
  const observe = metrics.timer('slot')
  const endpoint: Endpoint = {
    path: '/api/v1/slot',
    methods: ['GET'],
    action: 'open',
    tag: 'schedules',
    summary: 'The slot that is now, and the next one.',
    description:
      'Answers {slot, at, next: {slot, at}, now} by the clock that all servers share: slot is the latest that has come, under the key that every replica computes for it. Use it as the round of what your own cron runs.',
    query: QUERY,
    replies: {
      200: 'The slot.',
      400: 'Not understood.',
      500: 'Redis could not tell the time; safe to retry.',
    },
    async handler(request, reply) {
      const startMs = performance.now()
      const asked = readQuery(request, QUERY)
      const timetable = new Timetable({
        ...(asked.cron !== undefined && { cron: asked.cron }),
        ...(asked.every !== undefined && { everyMs: asked.every }),
        tz: asked.tz ?? 'UTC',
        dst: { gap: asked.gap ?? DEFAULT_DST.gap, overlap: asked.overlap ?? DEFAULT_DST.overlap },
      })
      const answer = slotNow(timetable, await sharedNowMs())
      observe((performance.now() - startMs) / 1_000)
      return sendJson(reply, 200, answer)
    },
  }
  serve(app, endpoint)
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

function oneOf<T extends string>(choices: readonly T[], name: string, text: string): T {
  return choices.find((choice) => choice === text) ?? refuse(name, choices.join(' or '), text)
}

function refuse(name: string, rule: string, text: string): never {
  throw new GoneError(
    'INVALID_PARAMETER',
    `${name}: expected ${rule}, got ${JSON.stringify(text.slice(0, 64))}`,
  )
}
