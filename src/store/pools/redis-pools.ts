import {
  type KnownSupervisor,
  type PoolState,
  type PoolSupervisor,
  placeName,
} from '../../core/fleet/pool.ts'
import type { Attendance, PoolStore, StoredChanges } from '../../core/fleet/pool-ports.ts'
import { attempt } from '../../redis/attempt.ts'
import type { RedisClient } from '../../redis/connections.ts'
import { type Argument, defineSteps, type Steps } from '../../redis/steps.ts'
import { type Want, wantedIfAny } from '../../redis/wants.ts'

const STEPS = ['attend', 'depart', 'read', 'change'] as const
type StepName = (typeof STEPS)[number]

/** In the slot of the fleet. */
const KEY = (name: string) => `gone:{~fleet}:${name}`
const POOLS = KEY('pools')
/** In the order that pools.lua gives. */
const KEYS = [
  POOLS,
  KEY('places'),
  KEY('supervisors'),
  KEY('reports'),
  KEY('supervisor-leases'),
  KEY('pool-counts'),
]
/** A supervisor that was cut off for so long comes back as a new one. */
const KEPT_LOST_MS = 3_600_000

/** Pools are looked after as long as there are any. */
export const WANTS_OF_POOLS: readonly Want[] = [wantedIfAny(POOLS)]

type ReadState = readonly [
  nowMs: number,
  revision: number,
  isGrace: number,
  pools: readonly string[],
  places: readonly string[],
  supervisors: readonly string[],
  reports: readonly string[],
  leases: readonly string[],
]

/** Pools in Redis: one Lua script a step. */
export class RedisPools implements PoolStore {
  private readonly steps: Steps<StepName>

  constructor(redis: RedisClient) {
    this.steps = defineSteps(redis, {
      beside: import.meta.url,
      prelude: 'pools',
      names: STEPS,
      prefix: 'gone_pools',
      keyCount: KEYS.length,
    })
  }

  async attend({ supervisor, reports }: Attendance, leaseMs: number): Promise<number> {
    return attempt('say that a supervisor is there', async () => {
      const { id, ...facts } = supervisor
      const own = [id, JSON.stringify(facts), JSON.stringify(reports), leaseMs, KEPT_LOST_MS]
      return (await this.step('attend', own))[0] as number
    })
  }

  async depart(id: string): Promise<void> {
    await attempt('say that a supervisor ends', () => this.step('depart', [id]))
  }

  async read(): Promise<PoolState> {
    return attempt('read the pools', async () => {
      const answer = (await this.step('read', [])) as unknown as ReadState
      const [nowMs, revision, isGrace, pools, places, supervisors, reports, leases] = answer
      const [reportsOf, leaseOf] = [new Map(pairsOf(reports)), new Map(pairsOf(leases))]
      return {
        nowMs,
        revision,
        pools: pairsOf(pools).map(([name, text]) => ({ name, ...JSON.parse(text) })),
        places: pairsOf(places).map(([name, text]) => ({ ...placeIn(name), ...JSON.parse(text) })),
        supervisors: pairsOf(supervisors).map(
          ([id, text]): KnownSupervisor => ({
            id,
            ...(JSON.parse(text) as Omit<PoolSupervisor, 'id'>),
            isLost: isGrace === 0 && Number(leaseOf.get(id) ?? 0) <= nowMs,
            reports: JSON.parse(reportsOf.get(id) ?? '{}') as KnownSupervisor['reports'],
          }),
        ),
      }
    })
  }

  async change({ pools, places, gone, removed = [] }: StoredChanges, revision: number): Promise<boolean> {
    return attempt('change pools', async () => {
      const poolTexts = [
        ...pools.map(({ name, ...rest }) => [name, JSON.stringify(rest)]),
        ...removed.map((name) => [name, '']),
      ]
      const placeTexts = [
        ...gone.map((place) => [placeName(place), '']),
        ...places.map((place) => {
          const { pool: _, number: __, ...rest } = place
          return [placeName(place), JSON.stringify(rest)]
        }),
      ]
      const own = [revision, poolTexts.length, ...poolTexts.flat(), ...placeTexts.flat()]
      return (await this.step('change', own))[0] === 1
    })
  }

  private step(name: StepName, own: Argument[]): Promise<unknown[]> {
    return this.steps[name](...KEYS, ...own)
  }
}

function pairsOf(flat: readonly string[]): readonly (readonly [string, string])[] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? ''] as const] : []))
}

function placeIn(name: string): { readonly pool: string; readonly number: number } {
  const at = name.lastIndexOf('/')
  return { pool: name.slice(0, at), number: Number(name.slice(at + 1)) }
}
