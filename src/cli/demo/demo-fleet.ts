import type { GoneClient } from '../../client/client.ts'
import { pause } from '../../waiting.ts'
import { FleetNow } from '../fleet/fleet-now.ts'
import { JOB_WORKER } from './protocol.ts'

const LISTED_WITHIN_MS = 3_000
const LOOK_AGAIN_MS = 50

/** The workers of the demo as the fleet has them, and what they are told. */
export class DemoFleet {
  private readonly now: FleetNow
  private telling: Promise<void> = Promise.resolve()

  constructor(private readonly client: GoneClient) {
    this.now = new FleetNow(client, { worker: JOB_WORKER })
  }

  /** Whether the process was told to take no jobs. */
  isUnregistered(pid: number | undefined): boolean {
    return this.instanceOf(pid)?.state === 'unregistered'
  }

  /** One order after the other. Somebody may kill the worker meanwhile: then there is nobody to tell. */
  tell(verb: 'register' | 'unregister', pid: number | undefined): void {
    this.telling = this.telling.then(() => this.order(verb, pid)).catch(() => {})
  }

  stop(): Promise<void> {
    return this.now.stop()
  }

  private async order(verb: 'register' | 'unregister', pid: number | undefined): Promise<void> {
    const untilMs = performance.now() + LISTED_WITHIN_MS
    // The news of a worker that has just begun may be on its way.
    while (this.instanceOf(pid) === undefined && performance.now() < untilMs) await pause(LOOK_AGAIN_MS)
    const id = this.instanceOf(pid)?.id
    if (id === undefined) return
    await this.client.fleet.order({
      do: verb,
      select: { id },
      count: 1,
      atOnce: true,
      reason: 'seen in the demo',
    })
  }

  private instanceOf(pid: number | undefined) {
    return this.now.instances().findLast((one) => one.pid === pid && one.state !== 'lost')
  }
}
