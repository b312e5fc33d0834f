import type { Ruling } from '../core/ports.ts'
import { isReplaceable, type RoundRecord } from '../core/record.ts'
import { type RoundId, roundKey } from '../core/round.ts'

interface Remembered {
  readonly record: RoundRecord
  readonly untilMs: number
}

/**
 * What this process knows for certain about rounds, so that the many who ask about a decided one need no round trip.
 *
 * Only what cannot change is remembered: the leader of a round without a lease, of a leased one until the expiry that
 * was last heard of (a renewal only moves it out), and completions. A round that its job leads has a new fence with each
 * start, at any moment, so it is remembered only once it is finished.
 */
export class RoundMemory {
  private readonly rounds = new Map<string, Remembered>()
  /** By how much the store's clock is ahead of ours, as far as is known. */
  private storeAheadMs = 0

  /** @param nowMs a clock that never goes back */
  constructor(
    private readonly capacity: number,
    private readonly nowMs: () => number,
  ) {}

  get(key: string): RoundRecord | undefined {
    const known = this.rounds.get(key)
    return known !== undefined && this.nowMs() < known.untilMs ? known.record : undefined
  }

  /** The store's clock now, which all times of records are of. True as soon as one record was remembered. */
  storeNowMs(): number {
    return this.storeAheadMs + this.nowMs()
  }

  /** @param sentAtMs when the request was sent: the lease's rest is counted from there, so it is never overrated */
  remember(id: RoundId, seen: Pick<Ruling<unknown>, 'record' | 'nowMs'>, sentAtMs: number): void {
    const { record, nowMs } = seen
    this.storeAheadMs = nowMs - sentAtMs
    const restMs = isReplaceable(record) ? leaseEndMs(record) - nowMs : Number.POSITIVE_INFINITY
    const key = roundKey(id)
    this.rounds.delete(key)
    this.rounds.set(key, { record, untilMs: sentAtMs + restMs })
    if (this.rounds.size <= this.capacity) return
    const oldest = this.rounds.keys().next()
    if (!oldest.done) this.rounds.delete(oldest.value)
  }
}

function leaseEndMs({ lease }: RoundRecord): number {
  return lease?.expiresAtMs ?? Number.NEGATIVE_INFINITY
}
