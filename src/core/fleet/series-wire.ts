import { GoneError } from '../../errors.ts'
import { iso } from '../rounds/round-wire.ts'
import { durationText, formatDuration } from '../time/duration.ts'
import { type Histogram, percentile } from './histogram.ts'
import {
  beginOf,
  bySteps,
  DAY_MS,
  HOUR_MS,
  HOURS_KEPT_MS,
  MINUTE_MS,
  MINUTES_KEPT_MS,
  type WorkSum,
} from './series.ts'
import type { ReleaseMark, SaidMark, SeriesQuery, SeriesRead } from './series-ports.ts'

/** Of a time span, in ms: half of them are as long as p50 or shorter, and so on. */
export interface PercentilesJson {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
}

export interface SeriesPointJson {
  /** The begin of the step. */
  readonly at: string
  readonly done: number
  readonly failed: number
  readonly waited?: PercentilesJson
  readonly ran?: PercentilesJson
  /** In the mean of its minutes, as what follows. */
  readonly instances: number
  readonly cpuPercent: number
  readonly rssBytes: number
}

/** A moment: of a release that was first seen, or began again after another; or one of which somebody said something. */
export interface MarkJson {
  readonly at: string
  readonly release?: string
  readonly text?: string
  /** Of what somebody said: of which worker alone. */
  readonly worker?: string
  /** And who did. */
  readonly actor?: string
}

export interface SeriesJson {
  readonly worker: string
  readonly from: string
  readonly to: string
  readonly step: string
  readonly points: readonly SeriesPointJson[]
  /** Oldest first. */
  readonly marks: readonly MarkJson[]
  readonly now: string
}

export interface SeriesAsked {
  readonly worker: string
  readonly fromMs?: number
  readonly toMs?: number
  readonly stepMs?: number
}

export type SeriesPlan = SeriesQuery & { readonly stepMs: number }

/** What is asked a moment later is still what was meant. */
const LATE_MS = 600_000

/**
 * What is to be read.
 *
 * @throws GoneError `INVALID_PARAMETER` for steps that are not kept
 */
export function planSeries({ worker, fromMs, toMs, stepMs }: SeriesAsked, nowMs: number): SeriesPlan {
  const until = toMs ?? nowMs
  const since = fromMs ?? until - HOUR_MS
  if (since > until) throw invalid(`from: expected a time before to, got ${iso(since)} after ${iso(until)}`)
  const step = stepMs ?? usualStep(since, until, nowMs)
  if (step % MINUTE_MS !== 0 || (step > HOUR_MS && step % HOUR_MS !== 0))
    throw invalid(`step: expected whole minutes up to 1h, or whole hours, got ${formatDuration(step)}`)
  if (step < HOUR_MS && since < nowMs - MINUTES_KEPT_MS - LATE_MS)
    throw invalid(
      `step: minutes are kept for 24h; expected 1h or more from ${iso(since)} on, got ${formatDuration(step)}`,
    )
  return {
    worker,
    // Nothing older is kept: however far back it begins, there is no more to read.
    fromMs: beginOf(Math.min(until, Math.max(since, nowMs - HOURS_KEPT_MS)), step),
    toMs: until,
    marksFromMs: beginOf(since, step),
    unit: step < HOUR_MS ? 'minute' : 'hour',
    stepMs: step,
  }
}

function usualStep(fromMs: number, toMs: number, nowMs: number): number {
  if (fromMs < nowMs - MINUTES_KEPT_MS - LATE_MS) return HOUR_MS
  return toMs - fromMs <= DAY_MS / 4 ? MINUTE_MS : 5 * MINUTE_MS
}

function invalid(message: string): GoneError {
  return new GoneError('INVALID_PARAMETER', message)
}

export function seriesJson({ worker, fromMs, toMs, stepMs }: SeriesPlan, read: SeriesRead): SeriesJson {
  return {
    worker,
    from: iso(fromMs),
    to: iso(toMs),
    step: durationText(stepMs),
    points: bySteps(read.kept, stepMs).map(({ atMs, sum }) => pointJson(atMs, sum)),
    marks: [...read.marks, ...read.said].sort((a, b) => a.atMs - b.atMs).map(markJson),
    now: iso(read.nowMs),
  }
}

export function markJson({ atMs, ...mark }: ReleaseMark | SaidMark): MarkJson {
  return { at: iso(atMs), ...mark }
}

function pointJson(atMs: number, sum: WorkSum): SeriesPointJson {
  const { done, failed, minutes, instances, cpuMs, upMs, rssBytes } = sum
  const waited = percentilesJson(sum.waited)
  const ran = percentilesJson(sum.ran)
  const many = instances / Math.max(1, minutes)
  return {
    at: iso(atMs),
    done,
    failed,
    ...(waited && { waited }),
    ...(ran && { ran }),
    instances: rounded(many, 100),
    cpuPercent: rounded((cpuMs / Math.max(1, upMs)) * many * 100, 10),
    rssBytes: Math.round(rssBytes / Math.max(1, minutes)),
  }
}

function percentilesJson(histogram: Histogram): PercentilesJson | undefined {
  const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((share) => percentile(histogram, share))
  if (p50Ms === undefined || p95Ms === undefined || p99Ms === undefined) return undefined
  return { p50Ms: rounded(p50Ms, 100), p95Ms: rounded(p95Ms, 100), p99Ms: rounded(p99Ms, 100) }
}

function rounded(value: number, parts: number): number {
  return Math.round(value * parts) / parts
}
