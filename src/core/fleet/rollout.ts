import {
  beforeNow,
  epochOf,
  isSame,
  type KnownSupervisor,
  type Pool,
  type PoolChanges,
  type PoolPlace,
  type PoolState,
  placeName,
  type Rollout,
  type Runs,
  reportOf,
  runsOf,
  whyNot,
} from './pool.ts'

/** How long an instance of something new must live before the one in whose place it is to be ends. */
export const PROOF_MS = 10_000
/** Longer than a start, that, a drain, and what else is replaced there before. */
const STEP_WITHIN_MS = 300_000

export function isUnderway({ state }: Rollout): boolean {
  return state === 'rolling' || state === 'rolling-back'
}

/** A pool that runs something else from now on than it did. */
export function begin(pool: Pool, from: Runs, startedAtMs: number): Pool {
  return { ...pool, rollout: { state: 'rolling', from, to: runsOf(pool.spec), startedAtMs } }
}

/** The pool as it was: what has the new release already gets back the one before. */
export function back(pool: Pool, rollout: Rollout, why: string): Pool {
  const { release: _, workers: __, ...rest } = pool.spec
  return { ...pool, spec: { ...rest, ...rollout.from }, rollout: { ...rollout, state: 'rolling-back', why } }
}

/**
 * The next step of each change of what a pool runs: the next place, once the one before works; or back, once one does not. What a
 * supervisor reports of a place is of what it has there now, or is not there yet.
 */
export function rollOn(state: PoolState): PoolChanges {
  const changes = state.pools.map((pool) => stepOf(pool, state))
  return {
    pools: changes.flatMap(({ pools }) => pools),
    places: changes.flatMap(({ places }) => places),
    gone: [],
  }
}

const NOTHING: PoolChanges = { pools: [], places: [], gone: [] }

function stepOf(pool: Pool, state: PoolState): PoolChanges {
  const { rollout } = pool
  const own = state.places.filter((place) => place.pool === pool.name).sort((a, b) => a.number - b.number)
  if (rollout?.state === 'rolling') return forward(pool, rollout, own, state)
  if (rollout?.state === 'rolling-back') return backward(pool, rollout, own, state)
  return NOTHING
}

function forward(pool: Pool, rollout: Rollout, own: readonly PoolPlace[], state: PoolState): PoolChanges {
  const { nowMs, supervisors } = state
  const [old, fresh] = [own.filter(({ runs }) => !isSame(runs, rollout.to)), own.filter(isNew(rollout))]
  // What somebody has stopped is no sign of anything.
  const isThere = (place: PoolPlace) =>
    ['works', 'stopped'].includes(reportOf(place, supervisors)?.state ?? '')
  const underway = fresh.filter((place) => !isThere(place))
  for (const place of underway) {
    const why = whyBad(place, state)
    if (why !== undefined) return { ...NOTHING, pools: [back(pool, rollout, why)] }
  }
  if (underway.length > 0) return NOTHING
  const [next] = old
  if (next === undefined) {
    const before = beforeNow(pool, rollout)
    return {
      ...NOTHING,
      pools: [{ ...pool, before, rollout: { ...rollout, state: 'done', endedAtMs: nowMs } }],
    }
  }
  const holder = supervisors.find(({ id }) => id === next.supervisor)
  // Who is lost has its places moved, or comes back; while one moves it has two supervisors.
  if (!holder || holder.isLost || next.from !== undefined) return NOTHING
  const why = whyNot(holder, rollout.to)
  if (why !== undefined)
    return { ...NOTHING, pools: [back(pool, rollout, `${placeName(next)} on ${holder.host}: ${why}`)] }
  const place = changed(next, rollout.to, state)
  // What it has run before is wanted back at once.
  const isKnown = rollout.to.release !== undefined && pool.before.includes(rollout.to.release)
  return { ...NOTHING, places: [isKnown ? place : { ...place, isTried: true }] }
}

/** All at once: each keeps what it has until the other works. */
function backward(pool: Pool, rollout: Rollout, own: readonly PoolPlace[], state: PoolState): PoolChanges {
  const fresh = own.filter(isNew(rollout))
  if (fresh.length > 0)
    return { ...NOTHING, places: fresh.map((place) => changed(place, rollout.from, state)) }
  const isThere = (place: PoolPlace) => {
    const holder = state.supervisors.find(({ id }) => id === place.supervisor)
    // Of who is lost nothing is known; what crashes now did so before.
    return !holder || holder.isLost || reportOf(place, state.supervisors) !== undefined
  }
  if (!own.every(isThere)) return NOTHING
  return {
    ...NOTHING,
    pools: [{ ...pool, rollout: { ...rollout, state: 'rolled-back', endedAtMs: state.nowMs } }],
  }
}

function isNew(rollout: Rollout): (place: PoolPlace) => boolean {
  return ({ runs }) => isSame(runs, rollout.to)
}

/** Why what runs there is no good; undefined where that is not known yet. */
function whyBad(place: PoolPlace, { supervisors, nowMs }: PoolState): string | undefined {
  const holder = supervisors.find(({ id }) => id === place.supervisor)
  const report = reportOf(place, supervisors)
  const where = `${placeName(place)} on ${hostOf(holder)}`
  if (report?.state === 'failed' || report?.state === 'crash-looping')
    return `${where}: ${report.why ?? 'its instances die again and again'}`
  const isLate = nowMs - place.sinceMs > STEP_WITHIN_MS && holder !== undefined && !holder.isLost
  return isLate ? `${where}: nothing is heard of it for five minutes` : undefined
}

function hostOf(holder: KnownSupervisor | undefined): string {
  return holder?.host ?? 'a lost host'
}

function changed(place: PoolPlace, runs: Runs, state: PoolState): PoolPlace {
  const { isTried: _, ...rest } = place
  return { ...rest, runs, epoch: epochOf(state), sinceMs: state.nowMs }
}
