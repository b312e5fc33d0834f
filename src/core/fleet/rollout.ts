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
/** How long nothing may be heard of a place that has something new. */
const STEP_WITHIN_MS = 300_000
/** How long it may take where its supervisor says that it is at it: longer than any queue of what is replaced there before. */
const REPORTED_WITHIN_MS = 3_600_000

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
  return changesOf(state, (pool, rollout, own) => {
    if (rollout.state === 'rolling') return forward(pool, rollout, own, state)
    return rollout.state === 'rolling-back' ? backward(pool, rollout, own, state) : NOTHING
  })
}

/**
 * The end of changes that all places have but those of hosts that are lost: where these are to go nowhere else they have it once they
 * are back. At least one has shown by then that it works.
 */
export function rollOut(state: PoolState): PoolChanges {
  return changesOf(state, (pool, rollout, own) => {
    const { old, underway, isProven } = partsOf(own, rollout, state)
    const isOver = isProven && underway.length === 0 && old.every((place) => isAbsent(place, state))
    return rollout.state === 'rolling' && isOver ? done(pool, rollout, old, state) : NOTHING
  })
}

const NOTHING: PoolChanges = { pools: [], places: [], gone: [] }

type Step = (pool: Pool, rollout: Rollout, own: readonly PoolPlace[]) => PoolChanges

function changesOf({ pools, places }: PoolState, step: Step): PoolChanges {
  const changes = pools.map((pool) => {
    const own = places.filter((place) => place.pool === pool.name).sort((a, b) => a.number - b.number)
    return pool.rollout ? step(pool, pool.rollout, own) : NOTHING
  })
  return {
    pools: changes.flatMap((one) => one.pools),
    places: changes.flatMap((one) => one.places),
    gone: [],
  }
}

/** Which have what they had, which have what is new, and which of these have not shown yet that it works. */
function partsOf(own: readonly PoolPlace[], { to }: Rollout, state: PoolState) {
  const [old, fresh] = [
    own.filter(({ runs }) => !isSame(runs, to)),
    own.filter(({ runs }) => isSame(runs, to)),
  ]
  const unproven = fresh.filter((place) => !isThere(place, state))
  // Nothing more is heard of who has left in order: others have shown it.
  const isProven = fresh.some((place) => reportOf(place, state.supervisors)?.state === 'works')
  return {
    old,
    fresh,
    isProven,
    underway: isProven ? unproven.filter((place) => holderOf(place, state)) : unproven,
  }
}

function forward(pool: Pool, rollout: Rollout, own: readonly PoolPlace[], state: PoolState): PoolChanges {
  const { old, underway } = partsOf(own, rollout, state)
  for (const place of underway) {
    const why = whyBad(place, state)
    if (why !== undefined) return { ...NOTHING, pools: [back(pool, rollout, why)] }
  }
  if (underway.length > 0) return NOTHING
  if (old.length === 0) return done(pool, rollout, old, state)
  // Who is lost has its places moved, or comes back; while one moves it has two supervisors.
  const next = old.find((place) => !isAbsent(place, state) && place.from === undefined)
  const holder = next && holderOf(next, state)
  if (!holder) return NOTHING
  const why = whyNot(holder, rollout.to)
  if (why !== undefined)
    return { ...NOTHING, pools: [back(pool, rollout, `${placeName(next)} on ${holder.host}: ${why}`)] }
  return { ...NOTHING, places: [tried(next, pool, rollout, state)] }
}

/** What is left of it is at hosts that are lost, and has that once they are back. */
function done(pool: Pool, rollout: Rollout, left: readonly PoolPlace[], state: PoolState): PoolChanges {
  const before = beforeNow(pool, rollout)
  return {
    ...NOTHING,
    pools: [{ ...pool, before, rollout: { ...rollout, state: 'done', endedAtMs: state.nowMs } }],
    places: left.map((place) => tried(place, pool, rollout, state)),
  }
}

function tried(place: PoolPlace, pool: Pool, { to }: Rollout, state: PoolState): PoolPlace {
  // What it has run before is wanted back at once.
  const isKnown = to.release !== undefined && pool.before.includes(to.release)
  return { ...changed(place, to, state), ...(!isKnown && { isTried: true }) }
}

/** What somebody has stopped is no sign of anything. */
function isThere(place: PoolPlace, { supervisors }: PoolState): boolean {
  return ['works', 'stopped'].includes(reportOf(place, supervisors)?.state ?? '')
}

function holderOf({ supervisor }: PoolPlace, { supervisors }: PoolState): KnownSupervisor | undefined {
  return supervisors.find(({ id }) => id === supervisor)
}

function isAbsent(place: PoolPlace, state: PoolState): boolean {
  return holderOf(place, state)?.isLost ?? true
}

/** All at once: each keeps what it has until the other works. */
function backward(pool: Pool, rollout: Rollout, own: readonly PoolPlace[], state: PoolState): PoolChanges {
  const { fresh } = partsOf(own, rollout, state)
  if (fresh.length > 0)
    return { ...NOTHING, places: fresh.map((place) => changed(place, rollout.from, state)) }
  const isBack = (place: PoolPlace) => {
    // Of who is lost nothing is known; what crashes now did so before.
    return isAbsent(place, state) || reportOf(place, state.supervisors) !== undefined
  }
  if (!own.every(isBack)) return NOTHING
  return {
    ...NOTHING,
    pools: [{ ...pool, rollout: { ...rollout, state: 'rolled-back', endedAtMs: state.nowMs } }],
  }
}

/** Why what runs there is no good; undefined where that is not known yet. */
function whyBad(place: PoolPlace, state: PoolState): string | undefined {
  const report = reportOf(place, state.supervisors)
  const where = `${placeName(place)} on ${holderOf(place, state)?.host ?? 'a lost host'}`
  if (report?.state === 'failed' || report?.state === 'crash-looping')
    return `${where}: ${report.why ?? 'its instances die again and again'}`
  const forMs = state.nowMs - place.sinceMs
  const isSilent = report === undefined || isAbsent(place, state)
  if (isSilent && forMs > STEP_WITHIN_MS) return `${where}: nothing is heard of it for five minutes`
  // What is at it may have to wait for others that are replaced there.
  return forMs > REPORTED_WITHIN_MS ? `${where}: it did not come up within an hour` : undefined
}

function changed(place: PoolPlace, runs: Runs, state: PoolState): PoolPlace {
  const { isTried: _, ...rest } = place
  return { ...rest, runs, epoch: epochOf(state), sinceMs: state.nowMs }
}
