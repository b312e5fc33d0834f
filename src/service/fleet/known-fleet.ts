import type { Fleet } from '../../core/fleet/fleet-ports.ts'
import type { Instance } from '../../core/fleet/instance.ts'
import { SharedRead } from '../shared-read.ts'

const MAX_CHANGES = 500
/** After a failover changes may be missing that were never counted. */
const WHOLE_EVERY_MS = 60_000

interface Known {
  readonly instances: Map<string, Instance>
  readonly epoch: string
  change: number
  readonly readAtMs: number
}

/**
 * Who runs workers, as one process keeps it: the registry is read once, and from then on what has changed in it, however often
 * anybody asks. What instances say of their numbers is not kept up.
 */
export class KnownFleet {
  private known: Known | undefined
  private readonly shared = new SharedRead(() => this.read())

  /** @param nowMs a clock that never goes back */
  constructor(
    private readonly fleet: Pick<Fleet, 'snapshot' | 'changes'>,
    private readonly nowMs: () => number,
  ) {}

  /**
   * All instances, as they are now.
   *
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  instances(): Promise<readonly Instance[]> {
    return this.shared.next()
  }

  private async read(): Promise<readonly Instance[]> {
    const { known } = this
    const isDue = known === undefined || this.nowMs() - known.readAtMs >= WHOLE_EVERY_MS
    const now = !isDue && (await this.follow(known)) ? known : await this.readAll()
    return [...now.instances.values()]
  }

  private async readAll(): Promise<Known> {
    const readAtMs = this.nowMs()
    const { instances, change, epoch } = await this.fleet.snapshot()
    this.known = { instances: new Map(instances.map((one) => [one.id, one])), change, epoch, readAtMs }
    return this.known
  }

  /** False where changes in between are no longer kept. */
  private async follow(known: Known): Promise<boolean> {
    for (;;) {
      const { isReset, changes } = await this.fleet.changes(known, MAX_CHANGES)
      if (isReset) return false
      for (const { number, id, instance } of changes) {
        known.change = number
        // The snapshot may have had what is newer.
        if ((known.instances.get(id)?.change ?? 0) > number) continue
        if (instance) known.instances.set(id, instance)
        else known.instances.delete(id)
      }
      if (changes.length < MAX_CHANGES) return true
    }
  }
}
