import {
  epochOf,
  type KnownSupervisor,
  type Pool,
  type PoolChanges,
  type PoolPlace,
  type PoolState,
  placeName,
  reportOf,
  runsOf,
  takes,
} from './pool.ts'
import { isUnderway } from './rollout.ts'

/**
 * Which supervisor is to have which place: all places that there shall be, spread evenly over those that may have them. A place
 * stays where it is as long as it can, also at a supervisor that is lost where no other has room. One that moves is left
 * where it was until it works where it goes to.
 */
export function arrange(state: PoolState): PoolChanges {
  const arrangement = new Arrangement(state)
  for (const pool of state.pools) arrangement.fill(pool)
  return arrangement.changes()
}

class Arrangement {
  private readonly places = new Map<string, PoolPlace>()
  private readonly gone: PoolPlace[]
  /** By host. */
  private readonly there: ReadonlyMap<string, KnownSupervisor>
  /** How many places each supervisor has, those too that are about to leave it. */
  private readonly used = new Map<string, number>()
  /** How many of a pool each is to have. */
  private readonly counts = new Map<string, number>()

  constructor(private readonly state: PoolState) {
    const { places, pools, supervisors } = state
    const wanted = new Map(pools.map(({ name, spec }) => [name, spec.instances]))
    const isWanted = ({ pool, number }: PoolPlace) => number <= (wanted.get(pool) ?? 0)
    this.gone = places.filter((place) => !isWanted(place))
    for (const place of places.filter(isWanted)) this.set(place)
    const there = supervisors.filter(({ isLost }) => !isLost).sort(compare)
    this.there = new Map(there.map((one) => [one.id, one]))
  }

  /** Has each place of the pool somewhere. */
  fill(pool: Pool): void {
    let isMoving = false
    for (let number = 1; number <= pool.spec.instances; number += 1) {
      const place = this.places.get(placeName({ pool: pool.name, number }))
      if (place === undefined) this.found(pool, number)
      else this.keep(pool, place)
      isMoving ||= this.places.get(placeName({ pool: pool.name, number })) !== place
    }
    if (!isMoving) this.balance(pool)
  }

  changes(): PoolChanges {
    const known = new Set(this.state.places)
    return { pools: [], places: [...this.places.values()].filter((one) => !known.has(one)), gone: this.gone }
  }

  /** A place that nobody has. */
  private found(pool: Pool, number: number): void {
    const { rollout } = pool
    // What a rollout has not proven yet is not begun anywhere else.
    const runs = rollout && isUnderway(rollout) ? rollout.from : runsOf(pool.spec)
    const place = { pool: pool.name, number, runs }
    const taker = this.taker(pool, place)
    if (taker) this.put(place, taker)
  }

  private keep(pool: Pool, place: PoolPlace): void {
    const { from, ...rest } = place
    const holder = this.find(place.supervisor)
    const before = this.find(from)
    if (holder && takes(holder, pool.spec, place.runs)) {
      const hasMoved = !before || reportOf(place, this.state.supervisors)?.state === 'works'
      if (from !== undefined && hasMoved) this.set(rest)
      return
    }
    // Who has it yet needs no more room for it.
    const isBack = before && takes(before, pool.spec, place.runs)
    const taker = isBack ? before : this.taker(pool, place)
    if (taker) this.put(place, taker, holder)
  }

  /** One place at a time goes from who has most to who has fewest. */
  private balance(pool: Pool): void {
    if (pool.rollout && isUnderway(pool.rollout)) return
    const own = [...this.places.values()].filter((place) => place.pool === pool.name)
    const isSettled = own.every(
      (place) => place.from === undefined && reportOf(place, this.state.supervisors)?.state === 'works',
    )
    if (!isSettled) return
    const most = firstOf([...this.there.values()], (one) => [-this.countOf(pool, one)])
    const place = own.findLast(({ supervisor }) => supervisor === most?.id)
    if (most === undefined || place === undefined) return
    const taker = this.taker(pool, place)
    if (taker === undefined || this.countOf(pool, taker) + 1 >= this.countOf(pool, most)) return
    this.put(place, taker, most)
  }

  /** Who is to have it: who has it already, for all that it says, or has fewest of its pool, or most room. */
  private taker(pool: Pool, place: Pick<PoolPlace, 'pool' | 'number' | 'runs'>): KnownSupervisor | undefined {
    const name = placeName(place)
    const isNobodys = !this.places.has(name)
    const able = [...this.there.values()].filter(
      (one) => this.roomOf(one) > 0 && takes(one, pool.spec, place.runs),
    )
    return firstOf(able, (one) => [
      isNobodys && one.reports[name] ? 0 : 1,
      this.countOf(pool, one),
      -this.roomOf(one),
    ])
  }

  private roomOf({ id, most }: KnownSupervisor): number {
    return most - (this.used.get(id) ?? 0)
  }

  private countOf({ name }: Pool, { id }: KnownSupervisor): number {
    return this.counts.get(countName(name, id)) ?? 0
  }

  private find(id: string | undefined): KnownSupervisor | undefined {
    return id === undefined ? undefined : this.there.get(id)
  }

  /** @param from who has it until it works there */
  private put(
    { pool, number, runs }: Pick<PoolPlace, 'pool' | 'number' | 'runs'>,
    taker: KnownSupervisor,
    from?: KnownSupervisor,
  ): void {
    const place: PoolPlace = {
      pool,
      number,
      supervisor: taker.id,
      runs,
      epoch: epochOf(this.state),
      ...(from && from.id !== taker.id && { from: from.id }),
      sinceMs: this.state.nowMs,
    }
    this.set(place)
  }

  private set(place: PoolPlace): void {
    const name = placeName(place)
    const before = this.places.get(name)
    if (before) this.tally(before, -1)
    this.tally(place, 1)
    this.places.set(name, place)
  }

  private tally({ pool, supervisor, from }: PoolPlace, by: 1 | -1): void {
    add(this.counts, countName(pool, supervisor), by)
    add(this.used, supervisor, by)
    if (from !== undefined && from !== supervisor) add(this.used, from, by)
  }
}

function countName(pool: string, supervisor: string): string {
  return `${pool} ${supervisor}`
}

function add(counts: Map<string, number>, name: string, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by)
}

/** The one of the lowest rank, the first of several such. */
function firstOf(
  all: readonly KnownSupervisor[],
  rankOf: (one: KnownSupervisor) => readonly number[],
): KnownSupervisor | undefined {
  const ranked = all.map((one) => ({ one, rank: rankOf(one) }))
  const [first, ...others] = ranked
  if (first === undefined) return undefined
  return others.reduce((best, next) => (firstDifference(next.rank, best.rank) < 0 ? next : best), first).one
}

function firstDifference(left: readonly number[], right: readonly number[]): number {
  const at = left.findIndex((value, index) => value !== right[index])
  return at < 0 ? 0 : (left[at] as number) - (right[at] as number)
}

/** Ids are random: hosts are what people order by. */
function compare(one: KnownSupervisor, other: KnownSupervisor): number {
  const [left, right] = [`${one.host} ${one.id}`, `${other.host} ${other.id}`]
  return left === right ? 0 : left < right ? -1 : 1
}
