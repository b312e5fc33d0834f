import {
  judgePressure,
  type Pressure,
  type PressureLimits,
  type Strain,
  strainsToKeep,
} from '../../core/fleet/pressure.ts'
import type { PlaceName } from '../../core/fleet/supervised.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import type { Life } from './life.ts'

export interface PressureParts {
  readonly limits: PressureLimits
  /** How long it must last before it counts. */
  readonly lastMs: number
  /** How many processes want to run on this host, for each core. */
  readonly hostLoad: () => number
  /**
   * True if as many others as there must be take the jobs of its workers. With a cause the fleet knows in the same step that it
   * takes none, so that two are not spared for one another.
   */
  readonly spare: (life: Life, cause?: Pressure) => Promise<boolean>
  readonly log: Log
}

/** An instance that is busy may take so long until it says that it has heard. */
const HEARD_WITHIN_MS = 10_000
/** What stood still for longer was not under pressure. */
const MOST_MS = 10_000

interface Known {
  readonly strains: readonly Strain[]
  readonly atMs: number
  readonly toldAtMs: number
  readonly isOut: boolean
}

/** Has instances take no jobs as long as they, or their host, have too much to do: as far as others are there. */
export class PressureWatch {
  private readonly known = new WeakMap<Life, Known>()

  constructor(private readonly parts: PressureParts) {}

  /** Notes how it is, as it has last said. */
  note(life: Life): void {
    const { limits, lastMs, hostLoad } = this.parts
    if (Object.keys(limits).length === 0 || !life.strain) return
    const before = this.known.get(life)
    const { strains, atMs, toldAtMs } = before ?? { strains: [], atMs: life.heardAtMs, toldAtMs: 0 }
    const forMs = life.heardAtMs - atMs
    if (forMs === 0 && before) return
    const isOut = isOutOf(life)
    const strain = { ...life.strain, load: hostLoad(), forMs }
    // One that was registered by an order, or put out, is looked at anew.
    const isNew = forMs > MOST_MS || before?.isOut !== isOut
    const next = isNew ? [] : strainsToKeep([...strains, strain], lastMs)
    this.known.set(life, { strains: next, atMs: life.heardAtMs, toldAtMs, isOut })
  }

  /** @throws GoneError `STORE_UNAVAILABLE`: then it goes on as it was */
  async heed(place: PlaceName, life: Life, nowMs: number): Promise<void> {
    const { limits, lastMs, spare, log } = this.parts
    const known = this.known.get(life)
    if (known === undefined) return
    if (nowMs - known.toldAtMs < HEARD_WITHIN_MS) return
    const isOut = isOutOf(life)
    const verdict = judgePressure(limits, known.strains, { isOut, lastMs })
    const tell = (cause: Pressure | undefined) => {
      this.known.set(life, { ...(this.known.get(life) ?? known), strains: [], toldAtMs: nowMs })
      life.process.tell({ kind: 'press', ...(cause && { cause }) })
    }
    if (isOut && (verdict?.act === 'return' || !(await spare(life)))) {
      log.info(
        { place, why: verdict ? 'it is over' : 'too few others take jobs' },
        'an instance takes jobs again',
      )
      tell(undefined)
    } else if (verdict?.act === 'leave' && (await this.spared(life, verdict.cause))) {
      log.warn({ place, cause: verdict.cause }, 'an instance takes no jobs as long as it is under pressure')
      tell(verdict.cause)
    }
  }

  /** Where the answer is lost the fleet may know already that it takes none: then it says anew how it is. */
  private async spared(life: Life, cause: Pressure): Promise<boolean> {
    try {
      return await this.parts.spare(life, cause)
    } catch (error) {
      life.process.tell({ kind: 'retell' })
      throw error
    }
  }
}

function isOutOf({ facts }: Life): boolean {
  return facts?.pressure !== undefined
}
