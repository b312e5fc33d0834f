import type { Fleet, FleetChange, FleetTally, Snapshot } from '../../core/fleet/fleet-ports.ts'
import { pause } from '../../waiting.ts'
import { SharedRead } from '../shared-read.ts'

/** Up to where one has listened. */
export interface FleetMark {
  readonly change: number
  readonly epoch: string
}

export interface FleetChanges {
  /** In order, none left out; none where nothing changed while one waited. */
  readonly changes: readonly FleetChange[]
  readonly mark: FleetMark
}

const READ_EVERY_MS = 200
const MAX_CHANGES = 500

/**
 * Follows the changes of the fleet for all who listen to this server. They look at the store together, however many they
 * are, and not at all where nobody listens.
 */
export class FleetFollower {
  private seenAtMs = Number.NEGATIVE_INFINITY
  private seen: Promise<FleetMark> | undefined
  /** What those who are at the same mark have asked for together, at one look. */
  private reads = new Map<string, Promise<FleetChanges | undefined>>()
  private readonly snapshots = new SharedRead(() => this.fleet.snapshot())

  /** @param nowMs a clock that never goes back */
  constructor(
    private readonly fleet: Fleet,
    private readonly nowMs: () => number,
  ) {}

  /** The registry as it is now or later. */
  snapshot(): Promise<Snapshot> {
    return this.snapshots.next()
  }

  tally(): Promise<FleetTally> {
    return this.fleet.tally()
  }

  instance(id: string): ReturnType<Fleet['instance']> {
    return this.fleet.instance(id)
  }

  death(id: string): ReturnType<Fleet['death']> {
    return this.fleet.death(id)
  }

  /** From where a listener hears what is to come. */
  latest(): ReturnType<Fleet['latest']> {
    return this.fleet.latest()
  }

  /**
   * What has changed since the mark, as soon as something has.
   *
   * @param waitMs how long to wait for a change
   * @returns undefined where changes in between are no longer kept: a snapshot is to be taken anew
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  async next(mark: FleetMark, waitMs: number, caller: AbortSignal): Promise<FleetChanges | undefined> {
    const giveUpMs = this.nowMs() + waitMs
    for (;;) {
      const latest = await this.readLatest()
      if (latest.epoch !== mark.epoch || latest.change !== mark.change) {
        const found = await this.read(mark)
        // Nothing: what was read for another has been told already, and is newer than the look.
        if (found === undefined || found.changes.length > 0) return found
      }
      const restMs = giveUpMs - this.nowMs()
      if (restMs <= 0 || caller.aborted) return { changes: [], mark }
      // All wait for the same look: one each would find what another has seen before it, and be late by twice as much.
      const lookInMs = Math.max(1, this.seenAtMs + READ_EVERY_MS - this.nowMs())
      await pause(Math.min(restMs, lookInMs), caller)
    }
  }

  /** Where the store is, as of at most a moment ago. */
  private readLatest(): Promise<FleetMark> {
    if (this.seen && this.nowMs() - this.seenAtMs < READ_EVERY_MS) return this.seen
    this.seenAtMs = this.nowMs()
    this.reads = new Map()
    this.seen = this.fleet.latest()
    this.seen.catch(() => {
      this.seen = undefined
    })
    return this.seen
  }

  private read(mark: FleetMark): Promise<FleetChanges | undefined> {
    // The number alone would give one who listened to a lost count the changes of another.
    const key = `${mark.epoch}.${mark.change}`
    const shared = this.reads.get(key)
    if (shared) return shared
    const read = this.fleet.changes(mark, MAX_CHANGES).then(({ isReset, changes }) => {
      const last = changes.at(-1)?.number ?? mark.change
      return isReset ? undefined : { changes, mark: { epoch: mark.epoch, change: last } }
    })
    this.reads.set(key, read)
    return read
  }
}
