import { LRUCache } from 'lru-cache'
import { type InstanceState, stateOf } from '../../core/fleet/instance.ts'
import type { KnownFleet } from './known-fleet.ts'

export interface ServedWorkersParts {
  readonly fleet: Pick<KnownFleet, 'instances'>
  /** How many take jobs of this queue in Redis itself, whether the fleet knows them or not. */
  readonly consumers: (worker: string) => Promise<number>
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** Who is there goes away seldom, and says so; who comes is to be noticed soon. */
const SERVED_FOR_MS = 10_000
const UNSERVED_FOR_MS = 1_000
const TAKING: ReadonlySet<InstanceState> = new Set(['registered', 'stuck'])
const RUNNING: ReadonlySet<InstanceState> = new Set([...TAKING, 'unregistered', 'stopping'])
const MAX_WORKERS = 10_000

/** Tells whether anybody takes the jobs of a worker, as far as this server can see. */
export class ServedWorkers {
  private readonly known = new LRUCache<string, { readonly isServed: boolean; readonly untilMs: number }>({
    max: MAX_WORKERS,
  })

  constructor(private readonly parts: ServedWorkersParts) {}

  /** Never rejects: where it cannot be told, nobody is warned. */
  async serves(worker: string): Promise<boolean> {
    const known = this.known.get(worker)
    if (known && this.parts.nowMs() < known.untilMs) return known.isServed
    try {
      const isServed = (await this.isInFleet(worker)) || (await this.parts.consumers(worker)) > 0
      const untilMs = this.parts.nowMs() + (isServed ? SERVED_FOR_MS : UNSERVED_FOR_MS)
      this.known.set(worker, { isServed, untilMs })
      return isServed
    } catch {
      return true
    }
  }

  /** How many jobs all its instances run at once, those too that take no more; undefined where that cannot be told. */
  async slots(worker: string): Promise<number | undefined> {
    try {
      const slots = await this.slotsInFleet(worker, RUNNING)
      return slots.length === 0 ? undefined : slots.reduce((sum, more) => sum + more, 0)
    } catch {
      return undefined
    }
  }

  private async isInFleet(worker: string): Promise<boolean> {
    return (await this.slotsInFleet(worker, TAKING)).length > 0
  }

  private async slotsInFleet(worker: string, states: ReadonlySet<InstanceState>): Promise<readonly number[]> {
    const instances = await this.parts.fleet.instances()
    return instances
      .filter((one) => states.has(stateOf(one)))
      .flatMap(({ workers }) => workers.filter(({ name }) => name === worker).map(({ slots }) => slots))
  }
}
