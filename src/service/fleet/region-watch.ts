import type { RegionJobs } from '../../core/fleet/fleet-ports.ts'
import type { QueueFacts } from '../../core/fleet/health.ts'
import { type Instance, takesIn } from '../../core/fleet/instance.ts'
import type { Log } from '../../core/rounds/round-ports.ts'

export interface RegionWatchParts {
  readonly jobs: RegionJobs
  readonly log: Log
}

/** Whoever is restarted comes back sooner. */
const MOVE_ON_AFTER_MS = 15_000

/** Has jobs that are for a region run elsewhere, where nobody has taken any there for a while. */
export class RegionWatch {
  /** Since when nobody takes them, by worker and region. */
  private unserved: ReadonlyMap<string, number> = new Map()

  constructor(private readonly parts: RegionWatchParts) {}

  async check(instances: readonly Instance[], queues: readonly QueueFacts[], nowMs: number): Promise<void> {
    const unserved = new Map<string, number>()
    for (const { worker, region, pending } of queues) {
      if (region === undefined || pending === 0) continue
      if (instances.some((one) => takesIn(one, worker, region))) continue
      const key = `${worker} ${region}`
      const sinceMs = this.unserved.get(key) ?? leftAtMs(instances, worker, region) ?? nowMs
      unserved.set(key, sinceMs)
      if (nowMs - sinceMs >= MOVE_ON_AFTER_MS) await this.moveOn(worker, region)
    }
    this.unserved = unserved
  }

  private async moveOn(worker: string, region: string): Promise<void> {
    const { jobs, log } = this.parts
    const moved = await jobs.moveOn(worker, region)
    if (moved > 0)
      log.warn(
        { worker, region, jobs: moved },
        "jobs of a region are anybody's: no instance takes them there",
      )
  }
}

/** When the last one of those that are known to have ended did. */
function leftAtMs(instances: readonly Instance[], worker: string, region: string): number | undefined {
  const ends = instances.flatMap(({ end, regional, region: where, workers }) =>
    end && regional && where === region && workers.some(({ name }) => name === worker) ? [end.atMs] : [],
  )
  return ends.length === 0 ? undefined : Math.max(...ends)
}
