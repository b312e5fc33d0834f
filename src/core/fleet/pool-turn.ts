import { arrange } from './arrange.ts'
import { type PoolChanges, type PoolState, placeName } from './pool.ts'
import { rollOn, rollOut } from './rollout.ts'

/**
 * What is to be changed now: the next step of each change of what a pool runs, and who has which place as that leaves them. A host that
 * is lost has its places moved however many pools are being changed; where these go nowhere the changes end without them.
 */
export function turnOf(state: PoolState): PoolChanges {
  const rolled = rollOn(state)
  const after = changedBy(rolled, state)
  const { places, gone } = arrange(after)
  if (places.length + gone.length === 0) return both(rolled, rollOut(after))
  const isLast = placesBut([...places, ...gone])
  return { pools: rolled.pools, places: [...rolled.places.filter(isLast), ...places], gone }
}

function both(one: PoolChanges, other: PoolChanges): PoolChanges {
  return { pools: [...one.pools, ...other.pools], places: [...one.places, ...other.places], gone: [] }
}

function changedBy({ pools, places }: PoolChanges, state: PoolState): PoolState {
  const changed = new Map(pools.map((pool) => [pool.name, pool]))
  return {
    ...state,
    pools: state.pools.map((pool) => changed.get(pool.name) ?? pool),
    places: [...state.places.filter(placesBut(places)), ...places],
  }
}

type PlaceId = PoolChanges['gone'][number]

function placesBut(some: readonly PlaceId[]): (place: PlaceId) => boolean {
  const names = new Set(some.map(placeName))
  return (place) => !names.has(placeName(place))
}
