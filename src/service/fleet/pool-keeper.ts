import type { Pokes } from '../../core/fleet/fleet-ports.ts'
import { type PoolChanges, type PoolState, placeName } from '../../core/fleet/pool.ts'
import type { PoolStore } from '../../core/fleet/pool-ports.ts'
import { turnOf } from '../../core/fleet/pool-turn.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { Loop } from '../loop.ts'

export interface PoolKeeperParts {
  readonly pools: PoolStore
  readonly pokes: Pick<Pokes, 'poke'>
  readonly log: Log
}

const TURN_EVERY_MS = 1_000

/**
 * Has each place of each pool at a supervisor, and what a pool runs changed step by step. Runs in every server: what one has decided
 * of what another has changed meanwhile is dropped, and decided anew at the next turn.
 */
export class PoolKeeper {
  readonly loop: Loop

  constructor(private readonly parts: PoolKeeperParts) {
    const putOff = (cause: string) => parts.log.debug({ cause }, 'the pools were not kept')
    this.loop = new Loop({ everyMs: TURN_EVERY_MS, work: () => this.turn(), putOff })
  }

  async turn(): Promise<void> {
    const { pools, pokes, log } = this.parts
    const state = await pools.read()
    const changes = turnOf(state)
    if (isNothing(changes) || !(await pools.change(changes, state.revision))) return
    tell(changes, log)
    // Who does not hear of it asks within two seconds.
    await pokes.poke(whom(changes, state)).catch(() => undefined)
  }
}

function isNothing({ pools, places, gone }: PoolChanges): boolean {
  return pools.length + places.length + gone.length === 0
}

function tell({ pools, places, gone }: PoolChanges, log: Log): void {
  for (const { name, rollout } of pools)
    if (rollout?.why !== undefined)
      log.warn({ pool: name, state: rollout.state, cause: rollout.why }, 'a release is no good')
    else log.info({ pool: name, state: rollout?.state }, 'a pool changes what it runs')
  if (places.length + gone.length > 0)
    log.info({ changed: places.length, gone: gone.length }, 'places of pools were given to supervisors')
}

/** Who has now a place that has changed, or had it. */
function whom({ places, gone }: PoolChanges, state: PoolState): readonly string[] {
  const names = new Set([...places, ...gone].map(placeName))
  const all = [...places, ...state.places.filter((place) => names.has(placeName(place)))]
  return [
    ...new Set(
      all.flatMap(({ supervisor, from }) => (from === undefined ? [supervisor] : [supervisor, from])),
    ),
  ]
}
