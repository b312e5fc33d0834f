import { iso } from '../rounds/round-wire.ts'
import {
  type KnownSupervisor,
  type PlaceState,
  type Pool,
  type PoolPlace,
  type PoolSpec,
  type PoolState,
  placeName,
  type Rollout,
  type RolloutState,
  reportOf,
} from './pool.ts'

/** How a place is, as it is answered. `lost`: so is its supervisor, and there is none other that could take it. */
export const SHOWN_PLACE_STATES = ['begins', 'works', 'failed', 'crash-looping', 'stopped', 'lost'] as const

/** What a pool is to be, as it is written. `region` and `host` are names and `*`, separated by commas. */
export interface PoolSpecJson {
  readonly instances: number
  readonly workers?: readonly string[]
  readonly region?: string
  readonly host?: string
  readonly release?: string
}

export interface PoolPlaceJson {
  /** @example 'mail/2' */
  readonly place: string
  readonly host: string
  readonly region: string
  readonly release?: string
  readonly state: PlaceState | 'lost'
  readonly why?: string
  readonly since: string
}

export interface RolloutJson {
  readonly state: RolloutState
  readonly from?: string
  readonly to?: string
  readonly startedAt: string
  readonly endedAt?: string
  readonly why?: string
}

/** A pool with its places. Times are ISO 8601 and the store's. */
export interface PoolJson extends PoolSpecJson {
  readonly name: string
  /** How many of its places have an instance that works. */
  readonly working: number
  /** How many of them nobody has: no supervisor that may has room. */
  readonly missing: number
  /** The releases that it ran before, the last one first. */
  readonly before: readonly string[]
  readonly rollout?: RolloutJson
  readonly actor: string
  readonly reason: string
  readonly at: string
  readonly places: readonly PoolPlaceJson[]
}

/** A supervisor that takes places of pools. */
export interface PoolSupervisorJson {
  readonly id: string
  readonly host: string
  readonly region: string
  readonly isLost: boolean
  /** How many places it takes, and how many it has. */
  readonly most: number
  readonly places: number
  readonly releases?: readonly string[]
}

export interface PoolsJson {
  readonly pools: readonly PoolJson[]
  readonly supervisors: readonly PoolSupervisorJson[]
  readonly now: string
}

export function specJson({ instances, workers, region, host, release }: PoolSpec): PoolSpecJson {
  return {
    instances,
    ...(workers && { workers }),
    ...(region && { region: region.join(',') }),
    ...(host && { host: host.join(',') }),
    ...(release !== undefined && { release }),
  }
}

export function poolJson(pool: Pool, state: PoolState): PoolJson {
  const { name, spec, before, rollout, actor, reason, atMs } = pool
  const own = state.places.filter((place) => place.pool === name).sort((a, b) => a.number - b.number)
  const places = own.map((place) => placeJson(place, state))
  return {
    name,
    ...specJson(spec),
    working: places.filter((one) => one.state === 'works').length,
    missing: Math.max(0, spec.instances - own.length),
    before,
    ...(rollout && { rollout: rolloutJson(rollout) }),
    actor,
    reason,
    at: iso(atMs),
    places,
  }
}

export function poolsJson(state: PoolState): PoolsJson {
  return {
    pools: state.pools.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((pool) => poolJson(pool, state)),
    supervisors: state.supervisors
      .toSorted((a, b) => (`${a.region} ${a.host} ${a.id}` < `${b.region} ${b.host} ${b.id}` ? -1 : 1))
      .map((one) => supervisorJson(one, state)),
    now: iso(state.nowMs),
  }
}

function placeJson(place: PoolPlace, { supervisors }: PoolState): PoolPlaceJson {
  const { supervisor, runs, sinceMs } = place
  const holder = supervisors.find(({ id }) => id === supervisor)
  const report = reportOf(place, supervisors)
  const isLost = holder === undefined || holder.isLost
  return {
    place: placeName(place),
    host: holder?.host ?? '',
    region: holder?.region ?? '',
    ...(runs.release !== undefined && { release: runs.release }),
    state: isLost ? 'lost' : (report?.state ?? 'begins'),
    ...(report?.why !== undefined && { why: report.why }),
    since: iso(sinceMs),
  }
}

function rolloutJson({ state, from, to, startedAtMs, endedAtMs, why }: Rollout): RolloutJson {
  return {
    state,
    ...(from.release !== undefined && { from: from.release }),
    ...(to.release !== undefined && { to: to.release }),
    startedAt: iso(startedAtMs),
    ...(endedAtMs !== undefined && { endedAt: iso(endedAtMs) }),
    ...(why !== undefined && { why }),
  }
}

function supervisorJson(
  { id, host, region, isLost, most, releases }: KnownSupervisor,
  { places }: PoolState,
): PoolSupervisorJson {
  const has = places.filter(({ supervisor }) => supervisor === id).length
  return { id, host, region, isLost, most, places: has, ...(releases && { releases }) }
}
