import {
  isSame,
  MOST_PLACES,
  MOST_POOLS,
  type Pool,
  type PoolSpec,
  type PoolState,
  type Runs,
  runsOf,
  whyNot,
} from '../../core/fleet/pool.ts'
import type { PoolScale } from '../../core/fleet/pool-body.ts'
import type { PoolStore, StoredChanges } from '../../core/fleet/pool-ports.ts'
import { back, begin, isUnderway } from '../../core/fleet/rollout.ts'
import { GoneError } from '../../errors.ts'

export interface PoolAsked {
  readonly actor: string
  readonly reason: string
}

/** Others change it, too: each time it is looked at anew. */
const MOST_TRIES = 10

/** How many instances of which workers there shall be. What is decided here is done by `PoolKeeper` of any server. */
export class Pools {
  constructor(private readonly store: PoolStore) {}

  read(): Promise<PoolState> {
    return this.store.read()
  }

  /**
   * Sets a pool as a whole. Where that changes what it runs, one place after the other gets it.
   *
   * @throws GoneError `QUOTA_EXCEEDED`, `ROLLOUT_UNDERWAY`, `NO_SUCH_RELEASE`
   */
  put(name: string, spec: PoolSpec, asked: PoolAsked): Promise<PoolState> {
    return this.change(name, (state, found) => {
      if (found && JSON.stringify(found.spec) === JSON.stringify(spec)) return found
      checkRoom(state, name, spec)
      const pool: Pool = { ...(found ?? { name, before: [] }), ...asked, spec, atMs: state.nowMs }
      if (!found || isSame(found.spec, spec)) return pool
      return changedFrom(runsOf(found.spec), pool, state)
    })
  }

  /**
   * Has so many instances of it, and all else as it is.
   *
   * @param count how many the asker was shown; missing: whatever there are
   * @throws GoneError `NO_SUCH_POOL`, `QUOTA_EXCEEDED`, `SELECTION_CHANGED` where it has another number by now
   */
  scale(name: string, { instances, count }: PoolScale, asked: PoolAsked): Promise<PoolState> {
    return this.change(name, (state, found) => {
      if (!found) throw noSuch(name)
      const { spec } = found
      if (count !== undefined && count !== spec.instances)
        throw new GoneError(
          'SELECTION_CHANGED',
          `count: ${name} has ${spec.instances} instances now, not ${count}; look again`,
        )
      if (spec.instances === instances) return found
      checkRoom(state, name, { ...spec, instances })
      return { ...found, ...asked, spec: { ...spec, instances }, atMs: state.nowMs }
    })
  }

  /** @throws GoneError `NO_SUCH_POOL` */
  async remove(name: string): Promise<PoolState> {
    return this.change(name, (_, found) => {
      if (!found) throw noSuch(name)
      return undefined
    })
  }

  /**
   * Has it run another release.
   *
   * @throws GoneError `NO_SUCH_POOL`, `NO_SUCH_RELEASE` where a supervisor that has a place of it does not have that, `ROLLOUT_UNDERWAY`
   */
  deploy(name: string, release: string, asked: PoolAsked): Promise<PoolState> {
    return this.change(name, (state, found) => {
      if (!found) throw noSuch(name)
      if (found.spec.release === release) return found
      const pool = { ...found, ...asked, spec: { ...found.spec, release }, atMs: state.nowMs }
      return changedFrom(runsOf(found.spec), pool, state)
    })
  }

  /**
   * Has it run the release before; one that is on its way is called off.
   *
   * @param from the release that is no good: where the pool has left that already, or is about to, it stays as it is. Missing: whatever it runs
   * @throws GoneError `NO_SUCH_POOL`, `NO_SUCH_RELEASE` where it has run none before, `ROLLOUT_UNDERWAY` where it is being rolled back
   */
  rollBack(name: string, asked: PoolAsked, from?: string): Promise<PoolState> {
    return this.change(name, (state, found) => {
      if (!found) throw noSuch(name)
      if (from !== undefined && (from !== found.spec.release || isBackFrom(found, from))) return found
      const pool = { ...found, ...asked, atMs: state.nowMs }
      if (pool.rollout?.state === 'rolling')
        return back(pool, pool.rollout, `called off by ${asked.actor}${asked.reason && `: ${asked.reason}`}`)
      const [release] = pool.before
      if (release === undefined)
        throw new GoneError('NO_SUCH_RELEASE', `${name}: it has run no other release before`)
      return changedFrom(runsOf(found.spec), { ...pool, spec: { ...found.spec, release } }, state)
    })
  }

  /** @param decide what the pool is to be; undefined: it is no more */
  private async change(
    name: string,
    decide: (state: PoolState, found: Pool | undefined) => Pool | undefined,
  ): Promise<PoolState> {
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const state = await this.store.read()
      const found = state.pools.find((pool) => pool.name === name)
      const pool = decide(state, found)
      if (pool !== undefined && pool === found) return state
      if (!(await this.store.change(storedOf(name, pool), state.revision))) continue
      return this.store.read()
    }
    throw new GoneError('STORE_UNAVAILABLE', `${name}: changed by others all the time; safe to retry`)
  }
}

/** Other workers of the same release were called off, or came to nothing: it has that release still, and is rid of what was no good. */
function isBackFrom({ rollout }: Pool, release: string): boolean {
  if (rollout?.from.release !== release || rollout.to.release !== release) return false
  return rollout.state === 'rolling-back' || rollout.state === 'rolled-back'
}

function storedOf(name: string, pool: Pool | undefined): StoredChanges {
  return pool ? { pools: [pool], places: [], gone: [] } : { pools: [], places: [], gone: [], removed: [name] }
}

/** @throws GoneError `ROLLOUT_UNDERWAY`, `NO_SUCH_RELEASE` */
function changedFrom(from: Runs, pool: Pool, state: PoolState): Pool {
  if (pool.rollout && isUnderway(pool.rollout))
    throw new GoneError(
      'ROLLOUT_UNDERWAY',
      `${pool.name}: it is ${pool.rollout.state}; wait for its end, or call it off with rollback`,
    )
  const ids = state.places.filter((place) => place.pool === pool.name).map(({ supervisor }) => supervisor)
  for (const one of state.supervisors.filter(({ id, isLost }) => ids.includes(id) && !isLost)) {
    const why = whyNot(one, pool.spec)
    if (why !== undefined) throw new GoneError('NO_SUCH_RELEASE', `${pool.name} on ${one.host}: ${why}`)
  }
  return begin(pool, from, state.nowMs)
}

/** @throws GoneError `QUOTA_EXCEEDED` */
function checkRoom({ pools }: PoolState, name: string, { instances }: PoolSpec): void {
  const others = pools.filter((pool) => pool.name !== name)
  if (others.length >= MOST_POOLS)
    throw new GoneError('QUOTA_EXCEEDED', `pools: there are ${MOST_POOLS}, as many as there may be`)
  const sum = others.reduce((places, { spec }) => places + spec.instances, instances)
  if (sum > MOST_PLACES)
    throw new GoneError(
      'QUOTA_EXCEEDED',
      `instances: expected at most ${MOST_PLACES} in all pools together, got ${sum}`,
    )
}

function noSuch(name: string): GoneError {
  return new GoneError('NO_SUCH_POOL', `${name}: there is no such pool`)
}
