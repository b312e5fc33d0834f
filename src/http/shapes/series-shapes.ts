import { MAX_MARK } from '../../core/fleet/mark-body.ts'
import type { MarkJson, PercentilesJson, SeriesJson, SeriesPointJson } from '../../core/fleet/series-wire.ts'
import {
  about,
  duration,
  instant,
  integer,
  listOf,
  objectOf,
  optional,
  type Shape,
  text,
} from '../../core/shape.ts'
import { NOW } from './schedule-shapes.ts'

const number: Shape<number> = { schema: { type: 'number', minimum: 0 } }

const PERCENTILES = objectOf<PercentilesJson>('Percentiles', { p50Ms: number, p95Ms: number, p99Ms: number })

const POINT = objectOf<SeriesPointJson>('SeriesPoint', {
  at: about('Where the step begins.', instant()),
  done: integer(),
  failed: about('Attempts.', integer()),
  waited: optional(
    about('How long jobs that could be started waited until they were, for the first time.', PERCENTILES),
  ),
  ran: optional(about('How long handlers ran, whatever they came to.', PERCENTILES)),
  instances: about('In the mean of its minutes, as the two below.', number),
  cpuPercent: about('Of a core, of all processes that serve the worker.', number),
  rssBytes: about('Of the same processes.', integer()),
})

const MARK = objectOf<MarkJson>('Mark', {
  at: instant(),
  release: optional(about('A release that was first seen then, or began again after another.', text(), '42')),
  text: optional(about('What somebody has said of this moment.', text())),
  worker: optional(about('Of what somebody said: of which worker alone.', text())),
  actor: optional(about('And who did: the key, or the address.', text())),
})

export const MARK_ANSWER = objectOf<{ mark: MarkJson; now: string }>('MarkAnswer', { mark: MARK, ...NOW })

export const MARK_BODY = objectOf<{ readonly text: string; readonly worker?: string }>('MarkBody', {
  text: about('What is to be read beside graphs.', text({ maxLength: MAX_MARK }), 'campaign begins'),
  worker: optional(about('Of which worker alone; all of them, unless one is named.', text(), 'mailer')),
})

/** What was done for a worker, step by step. */
export const SERIES = objectOf<SeriesJson>('Series', {
  worker: text(),
  from: instant(),
  to: instant(),
  step: about('The length of what a point tells of.', duration(), '5m'),
  points: listOf(POINT),
  marks: about('Of this time, oldest first.', listOf(MARK)),
  ...NOW,
})
