import { covers } from '../api-key.ts'

/** What instances of a pool run: all workers of a folder or of a release, unless some are named. */
export interface Runs {
  /** Missing: what is in the folder that their supervisor was started with. */
  readonly release?: string
  readonly workers?: readonly string[]
}

/**
 * How many instances of which workers there shall be, and where.
 *
 * @example { instances: 6, workers: ['mailer'], region: 'eu', release: '42' }
 */
export interface PoolSpec extends Runs {
  readonly instances: number
  /** Names and `*`, as selections have them; missing: anywhere. */
  readonly region?: readonly string[]
  readonly host?: readonly string[]
}

/** `rolling`: one place after the other gets it. `rolling-back`: what has it gets back what it had. */
export const ROLLOUT_STATES = ['rolling', 'done', 'rolling-back', 'rolled-back'] as const
export type RolloutState = (typeof ROLLOUT_STATES)[number]

/** A change of what a pool runs, from its begin on. Times in ms of the store's clock. */
export interface Rollout {
  readonly state: RolloutState
  readonly from: Runs
  readonly to: Runs
  readonly startedAtMs: number
  readonly endedAtMs?: number
  /** Why it is rolled back. */
  readonly why?: string
}

/** A pool as it is kept. */
export interface Pool {
  readonly name: string
  readonly spec: PoolSpec
  /** The releases that it ran before, the last one first. */
  readonly before: readonly string[]
  /** Who has set it as it is, and when. */
  readonly actor: string
  readonly reason: string
  readonly atMs: number
  /** The last one. */
  readonly rollout?: Rollout
}

/** One of the places of a pool: which supervisor is to run an instance there, and of what. */
export interface PoolPlace {
  readonly pool: string
  /** From 1. */
  readonly number: number
  readonly supervisor: string
  readonly runs: Runs
  /** The revision of its last change: what a supervisor reports is of one of them. */
  readonly epoch: number
  /** The supervisor that has it until it works at the other. */
  readonly from?: string
  /** What it runs is new, and has to live for a while before what was there ends. */
  readonly isTried?: true
  /** When it was changed. */
  readonly sinceMs: number
}

/** How a place is at its supervisor. `failed`: what it was to run did not begin, or died at once; what was there before goes on. */
export const PLACE_STATES = ['begins', 'works', 'failed', 'crash-looping', 'stopped'] as const
export type PlaceState = (typeof PLACE_STATES)[number]

export interface PlaceReport {
  readonly epoch: number
  readonly state: PlaceState
  readonly why?: string
}

/** What a supervisor says of itself that takes places of pools. */
export interface PoolSupervisor {
  /** New at each start. */
  readonly id: string
  readonly host: string
  readonly region: string
  /** How many places it takes. */
  readonly most: number
  /** In its folder; none where it runs releases. */
  readonly workers: readonly string[]
  /** That its host has; missing: it runs none, but what is in its folder. */
  readonly releases?: readonly string[]
}

/** A supervisor as the store has it. */
export interface KnownSupervisor extends PoolSupervisor {
  /** Nothing was heard of it for so long that it counts as lost. */
  readonly isLost: boolean
  /** By place, such as `mail/2`. */
  readonly reports: Readonly<Record<string, PlaceReport>>
}

/** All of it at one moment. */
export interface PoolState {
  readonly nowMs: number
  /** Grows with each change but those of reports. */
  readonly revision: number
  readonly pools: readonly Pool[]
  readonly places: readonly PoolPlace[]
  readonly supervisors: readonly KnownSupervisor[]
}

/** What is to be changed of it. */
export interface PoolChanges {
  readonly pools: readonly Pool[]
  readonly places: readonly PoolPlace[]
  /** Places that are no more. */
  readonly gone: readonly Pick<PoolPlace, 'pool' | 'number'>[]
}

/** The epoch of a place that is changed now: whatever changes has a revision of its own. */
export function epochOf({ revision }: PoolState): number {
  return revision + 1
}

export const MOST_POOLS = 100
/** Of all pools together. */
export const MOST_PLACES = 1_000
/** How many releases are remembered that a pool ran before. */
const MOST_BEFORE = 10

/** @example 'mail/2' */
export function placeName({ pool, number }: Pick<PoolPlace, 'pool' | 'number'>): string {
  return `${pool}/${number}`
}

export function runsOf({ release, workers }: Runs): Runs {
  return { ...(release !== undefined && { release }), ...(workers && { workers }) }
}

export function isSame(one: Runs, other: Runs): boolean {
  return JSON.stringify(runsOf(one)) === JSON.stringify(runsOf(other))
}

/** True if it may have places of this pool, and can run this there. */
export function takes({ host, region, ...one }: PoolSupervisor, spec: PoolSpec, runs: Runs): boolean {
  const fits = (patterns: readonly string[] | undefined, value: string) =>
    patterns === undefined || patterns.some((pattern) => covers(pattern, value))
  return fits(spec.host, host) && fits(spec.region, region) && whyNot(one, runs) === undefined
}

/** Why a supervisor cannot run this; undefined: it can, as far as is known. */
export function whyNot(
  { releases, workers }: Pick<PoolSupervisor, 'releases' | 'workers'>,
  { release, workers: wanted = [] }: Runs,
): string | undefined {
  if (release === undefined) {
    if (releases) return 'it runs releases alone, and the pool names none'
    const missing = wanted.find((name) => !workers.includes(name))
    return missing === undefined ? undefined : `it has no worker ${missing}`
  }
  if (!releases) return 'it was started without --releases'
  if (releases.includes(release)) return undefined
  return `it has no release ${release}; there are ${releases.slice(0, 10).join(', ') || 'none'}`
}

/** What a pool ran before, once it runs something else. */
export function beforeNow({ before }: Pool, { from, to }: Pick<Rollout, 'from' | 'to'>): readonly string[] {
  const ran = from.release === undefined ? before : [from.release, ...before]
  return [...new Set(ran)].filter((release) => release !== to.release).slice(0, MOST_BEFORE)
}

/** The releases that any pool runs, is about to, or may go back to. */
export function namedIn({ pools, places }: PoolState): ReadonlySet<string> {
  const runs = [
    ...pools.flatMap(({ spec, rollout }) => (rollout ? [spec, rollout.from, rollout.to] : [spec])),
    ...places.map((place) => place.runs),
  ]
  const named = runs.flatMap(({ release }) => (release === undefined ? [] : [release]))
  return new Set([...named, ...pools.flatMap(({ before }) => before)])
}

/** What is reported of a place, where that is of what it is now. */
export function reportOf(place: PoolPlace, supervisors: readonly KnownSupervisor[]): PlaceReport | undefined {
  const holder = supervisors.find(({ id }) => id === place.supervisor)
  const report = holder?.reports[placeName(place)]
  return report?.epoch === place.epoch ? report : undefined
}
