import { randomBytes } from 'node:crypto'
import type { Fleet, Pokes } from '../core/fleet/fleet-ports.ts'
import type { InstanceFacts, InstanceStats, PlaceMode } from '../core/fleet/instance.ts'
import type { OrderTask } from '../core/fleet/order.ts'
import type { PlaceName } from '../core/fleet/supervised.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import { InstancePulse, type RunningInstance } from '../service/fleet/instance-pulse.ts'
import type { Place } from '../service/fleet/place.ts'
import { VERSION } from '../version.ts'
import { nowMs } from './assembly.ts'

export interface PlaceRowsParts {
  readonly fleet: Fleet
  readonly pokes: Pokes
  readonly log: Log
  readonly labelsOf: (place: PlaceName) => {
    readonly workers: readonly string[]
    readonly release: string
    readonly region: string
    readonly host: string
  }
  /** How the fleet names a place of this supervisor. */
  readonly nameOf: (place: PlaceName) => string
}

/** The places of a supervisor that have no instance, listed in the fleet so that they are seen and can be told to start. */
export class PlaceRows {
  private readonly shown = new Map<Place, { readonly row: PlaceRow; readonly pulse: InstancePulse }>()
  private ending: Promise<unknown> = Promise.resolve()

  constructor(private readonly parts: PlaceRowsParts) {}

  /** @param mode undefined: it has an instance again, which is listed itself */
  show(place: Place, mode: PlaceMode | undefined): void {
    const shown = this.shown.get(place)
    if (mode === undefined) {
      this.shown.delete(place)
      if (shown) this.ending = Promise.all([this.ending, shown.pulse.stop()])
      return
    }
    if (shown) {
      shown.row.mode = mode
      shown.pulse.hurry()
      return
    }
    const { fleet, pokes, log } = this.parts
    const row = new PlaceRow(this.factsOf(place.name, process.pid), mode, place)
    const pulse = new InstancePulse({ fleet, pokes, instance: row, log, nowMs })
    this.shown.set(place, { row, pulse })
    pulse.start()
  }

  /** What is said of a place, or of an instance there that has never said anything. */
  factsOf(place: PlaceName, pid: number): Omit<InstanceFacts, 'mode'> {
    const { labelsOf, nameOf } = this.parts
    const { workers, ...rest } = labelsOf(place)
    const name = nameOf(place)
    return {
      ...rest,
      // One that has ended does not come back.
      id: `${name.replace('/', '-')}-${randomBytes(3).toString('hex')}`,
      place: name,
      workers: workers.map((name) => ({ name, slots: 0 })),
      pid,
      version: VERSION,
    }
  }

  /** None is listed any more. */
  async stop(): Promise<void> {
    for (const { pulse } of this.shown.values()) this.ending = Promise.all([this.ending, pulse.stop()])
    await this.ending
  }
}

class PlaceRow implements RunningInstance {
  constructor(
    private readonly own: Omit<InstanceFacts, 'mode'>,
    public mode: PlaceMode,
    private readonly place: Place,
  ) {}

  facts(): InstanceFacts {
    return { ...this.own, mode: this.mode }
  }

  stats(): InstanceStats {
    return { workers: {}, cpuPercent: 0, rssBytes: 0, loopDelayMs: 0 }
  }

  async configure(): Promise<void> {}

  async obey({ verb }: OrderTask): Promise<'done'> {
    if (verb === 'start' || verb === 'restart') this.place.startAnew()
    else if (verb === 'stop') await this.place.rest()
    else throw new Error('no instance runs there; start it first')
    return 'done'
  }
}
