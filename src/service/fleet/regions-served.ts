import { takesIn } from '../../core/fleet/instance.ts'
import type { KnownFleet } from './known-fleet.ts'

/** Tells whether anybody takes jobs that are for a region; what waits for who has gone is moved on. */
export class RegionsServed {
  constructor(private readonly fleet: Pick<KnownFleet, 'instances'>) {}

  /** Never rejects: where it cannot be told, the job is anybody's. */
  async serves(worker: string, region: string): Promise<boolean> {
    try {
      return (await this.fleet.instances()).some((one) => takesIn(one, worker, region))
    } catch {
      return false
    }
  }
}
