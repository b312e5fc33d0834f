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
  private readonly places: Map<string, PoolPlace>
  private readonly gone: PoolPlace[]
  private readonly there: readonly KnownSupervisor[]

  constructor(private readonly state: PoolState) {
    const { places, pools, supervisors } = state
    const isWanted = ({ pool, number }: PoolPlace) =>
      pools.some(({ name, spec }) => name === pool && number <= spec.instances)
    this.gone = places.filter((place) => !isWanted(place))
    this.places = new Map(places.filter(isWanted).map((place) => [placeName(place), place]))
    this.there = supervisors.filter(({ isLost }) => !isLost)
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
      if (from !== undefined && hasMoved) this.places.set(placeName(place), rest)
      return
    }
    // Who has it yet needs no more room for it.
    const isBack = before && takes(before, pool.spec, place.runs)
    const taker = isBack ? before : this.taker(pool, place)
    if (taker) this.put(place, taker, holder)
  }

  /** One place at a time goes from who has most to who has fewest. */
  private balance(pool: Pool): void {
    const own = this.placesOf(pool)
    const isSettled = own.every(
      (place) => place.from === undefined && reportOf(place, this.state.supervisors)?.state === 'works',
    )
    if (!isSettled || (pool.rollout && isUnderway(pool.rollout))) return
    const counts = this.there.map((one) => ({ one, count: this.countOf(pool, one) }))
    const [most] = counts.toSorted((a, b) => b.count - a.count || compare(a.one, b.one))
    const place = own.findLast(({ supervisor }) => supervisor === most?.one.id)
    if (most === undefined || place === undefined) return
    const taker = this.taker(pool, place)
    if (taker === undefined || this.countOf(pool, taker) + 1 >= most.count) return
    this.put(place, taker, most.one)
  }

  /** Who is to have it: who has it already, for all that it says, or has fewest of its pool, or most room. */
  private taker(pool: Pool, place: Pick<PoolPlace, 'pool' | 'number' | 'runs'>): KnownSupervisor | undefined {
    const name = placeName(place)
    const isNobodys = !this.places.has(name)
    const rankOf = (one: KnownSupervisor) => [
      isNobodys && one.reports[name] ? 0 : 1,
      this.countOf(pool, one),
      -this.roomOf(one),
    ]
    return this.there
      .filter((one) => this.roomOf(one) > 0 && takes(one, pool.spec, place.runs))
      .toSorted((a, b) => firstDifference(rankOf(a), rankOf(b)) || compare(a, b))[0]
  }

  private roomOf({ id, most }: KnownSupervisor): number {
    return most - [...this.places.values()].filter((one) => one.supervisor === id || one.from === id).length
  }

  private countOf(pool: Pool, { id }: KnownSupervisor): number {
    return this.placesOf(pool).filter(({ supervisor }) => supervisor === id).length
  }

  private placesOf({ name }: Pool): readonly PoolPlace[] {
    return [...this.places.values()].filter(({ pool }) => pool === name)
  }

  private find(id: string | undefined): KnownSupervisor | undefined {
    return this.there.find((one) => one.id === id)
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
    this.places.set(placeName(place), place)
  }
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
