import type { PercentilesJson, SeriesJson, SeriesPointJson } from '../../core/fleet/series-wire.ts'
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

/** What was done for a worker, step by step. */
export const SERIES = objectOf<SeriesJson>('Series', {
  worker: text(),
  from: instant(),
  to: instant(),
  step: about('The length of what a point tells of.', duration(), '5m'),
  points: listOf(POINT),
  marks: about(
    'Releases that were first seen in this time, or began again after another.',
    listOf(objectOf<SeriesJson['marks'][number]>('ReleaseMark', { at: instant(), release: text() })),
  ),
  ...NOW,
})
