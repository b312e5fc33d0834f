import { type Histogram, histogramOf, histogramText, mergeHistograms } from './histogram.ts'

/** What was done for a worker in some time, and by what. All of it adds up. */
export interface WorkSum {
  readonly done: number
  /** Attempts. */
  readonly failed: number
  /** How long jobs that could be started waited until they were, for the first time. */
  readonly waited: Histogram
  /** How long handlers ran, whatever they came to. */
  readonly ran: Histogram
  /** Of how many minutes it is. */
  readonly minutes: number
  /** Those that reported in a minute, of each minute. */
  readonly instances: number
  /** Processor time of those, and the time in which they took it. */
  readonly cpuMs: number
  readonly upMs: number
  /** Memory of those, of each minute. */
  readonly rssBytes: number
}

export const NOTHING_DONE: WorkSum = {
  done: 0,
  failed: 0,
  waited: new Map(),
  ran: new Map(),
  minutes: 0,
  instances: 0,
  cpuMs: 0,
  upMs: 0,
  rssBytes: 0,
}

export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000
/** How long after its end a minute can still be told of; then it is put together. */
export const CLOSED_AFTER_MS = 120_000
export const MINUTES_KEPT_MS = 24 * HOUR_MS
export const HOURS_KEPT_MS = 30 * DAY_MS
export const MARKS_KEPT_MS = 90 * DAY_MS
/** Of those that somebody said. */
export const MOST_MARKS = 1_000

/** The begin of the minute, or the hour, or whatever is so long, that this moment is in. */
export function beginOf(atMs: number, lengthMs: number): number {
  return Math.floor(atMs / lengthMs) * lengthMs
}

/** What several have done in one minute. */
export function together(sums: readonly WorkSum[]): WorkSum {
  return { ...inTurn(sums), minutes: Math.min(1, sums.length) }
}

/** What was done in several minutes. */
export function inTurn(sums: readonly WorkSum[]): WorkSum {
  const sumOf = (read: (sum: WorkSum) => number) => sums.reduce((all, sum) => all + read(sum), 0)
  return {
    done: sumOf(({ done }) => done),
    failed: sumOf(({ failed }) => failed),
    waited: mergeHistograms(sums.map(({ waited }) => waited)),
    ran: mergeHistograms(sums.map(({ ran }) => ran)),
    minutes: sumOf(({ minutes }) => minutes),
    instances: sumOf(({ instances }) => instances),
    cpuMs: sumOf(({ cpuMs }) => cpuMs),
    upMs: sumOf(({ upMs }) => upMs),
    rssBytes: sumOf(({ rssBytes }) => rssBytes),
  }
}

/** As it is stored. */
export function sumText({ waited, ran, ...counts }: WorkSum): string {
  const { done, failed, minutes, instances, cpuMs, upMs, rssBytes } = counts
  const numbers = [done, failed, minutes, instances, cpuMs, upMs, rssBytes].map(Math.round)
  return [...numbers, histogramText(waited), histogramText(ran)].join(' ')
}

export function sumOf(text: string): WorkSum {
  const [done, failed, minutes, instances, cpuMs, upMs, rssBytes, waited = '-', ran = '-'] = text.split(' ')
  return {
    done: Number(done),
    failed: Number(failed),
    minutes: Number(minutes),
    instances: Number(instances),
    cpuMs: Number(cpuMs),
    upMs: Number(upMs),
    rssBytes: Number(rssBytes),
    waited: histogramOf(waited),
    ran: histogramOf(ran),
  }
}

/** What is told by steps of this length, of what is kept by minutes or by hours. A step in which nobody reported is left out. */
export function bySteps(
  kept: ReadonlyMap<number, readonly WorkSum[]>,
  stepMs: number,
): readonly { readonly atMs: number; readonly sum: WorkSum }[] {
  const steps = new Map<number, WorkSum[]>()
  for (const [atMs, sums] of kept) {
    const begin = beginOf(atMs, stepMs)
    steps.set(begin, [...(steps.get(begin) ?? []), ...sums])
  }
  return [...steps].sort(([a], [b]) => a - b).map(([atMs, sums]) => ({ atMs, sum: inTurn(sums) }))
}
