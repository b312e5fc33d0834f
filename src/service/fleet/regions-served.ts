import type { Fleet } from '../../core/fleet/fleet-ports.ts'
import { type Instance, takesIn } from '../../core/fleet/instance.ts'

/** Who comes or goes is known so soon; what waits for who has gone is moved on. */
const KNOWN_FOR_MS = 1_000

/** Tells whether anybody takes jobs that are for a region. */
export class RegionsServed {
  private readAtMs = Number.NEGATIVE_INFINITY
  private instances: Promise<readonly Instance[]> = Promise.resolve([])

  /** @param nowMs a clock that never goes back */
  constructor(
    private readonly fleet: Pick<Fleet, 'snapshot'>,
    private readonly nowMs: () => number,
  ) {}

  /** Never rejects: where it cannot be told, the job is anybody's. */
  async serves(worker: string, region: string): Promise<boolean> {
    if (this.nowMs() - this.readAtMs >= KNOWN_FOR_MS) {
      this.readAtMs = this.nowMs()
      this.instances = this.fleet.snapshot().then(({ instances }) => instances)
    }
    try {
      return (await this.instances).some((one) => takesIn(one, worker, region))
    } catch {
      this.readAtMs = Number.NEGATIVE_INFINITY
      return false
    }
  }
}
