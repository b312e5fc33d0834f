import { LRUCache } from 'lru-cache'
import { deadlineAtMs, isReplaceable, isVacant, type SeenRecord } from '../../core/rounds/record.ts'
import { type RoundId, roundKey } from '../../core/rounds/round.ts'

/** Who leads a round, as far as a process remembers it. */
export interface Leadership {
  readonly leader: string
  readonly identity: string
  readonly fence: number
  /** Of states only this one is remembered, because it never changes. */
  readonly state?: 'completed'
}

interface Remembered {
  readonly leadership: Leadership
  readonly untilMs: number
}

/** How old a memory of a round may be that is not completed: a decision can be taken back, and a failed round opened again. */
const LED_FOR_MS = 2_000

/**
 * Who leads rounds, so that the many who ask about a decided one need no round trip. It only ever says *no*: that a
 * candidate leads, and in which state a round is, the record says.
 *
 * Nothing is remembered for longer than it holds: the leader of a leased round until the lease ends that was last heard of
 * (a renewal only moves that out), of any round until its deadline, but for some seconds at most; the leader of a
 * completed one for as long as its record is kept for certain. A round that its job leads has a new fence with each start, at
 * any moment, and a failed one may be opened again: these are not remembered.
 */
export class RoundMemory {
  /** Made with the first round, because it takes its memory at once. */
  private rounds: LRUCache<string, Remembered> | undefined

  /**
   * @param retentionMs how long records are kept after the last change, 0 = for ever
   * @param nowMs a clock that never goes back
   */
  constructor(
    private readonly capacity: number,
    private readonly retentionMs: number,
    private readonly nowMs: () => number,
  ) {}

  get(key: string): Leadership | undefined {
    const known = this.rounds?.get(key)
    return known !== undefined && this.nowMs() < known.untilMs ? known.leadership : undefined
  }

  /** @param sentAtMs when the request was sent: what is left is counted from there, so it is never overrated */
  remember(id: RoundId, seen: SeenRecord, sentAtMs: number): void {
    const key = roundKey(id)
    const untilMs = sentAtMs + this.restMs(seen)
    if (untilMs <= this.nowMs()) {
      this.rounds?.delete(key)
      return
    }
    const { leader, identity, fence, completion } = seen.record
    const leadership = { leader, identity, fence, ...(completion && { state: 'completed' as const }) }
    this.rounds ??= new LRUCache({ max: this.capacity })
    this.rounds.set(key, { leadership, untilMs })
  }

  forget(id: RoundId): void {
    this.rounds?.delete(roundKey(id))
  }

  /** For how long the leader and its fence cannot change. */
  private restMs({ record, nowMs }: SeenRecord): number {
    const { electedAtMs, lease, completion } = record
    const keptMs = this.retentionMs === 0 ? Number.POSITIVE_INFINITY : electedAtMs + this.retentionMs - nowMs
    if (isVacant(record)) return 0
    if (completion) return completion.outcome === 'completed' ? keptMs : 0
    const heldMs = isReplaceable(record) ? (lease?.expiresAtMs ?? 0) - nowMs : LED_FOR_MS
    return Math.min(LED_FOR_MS, heldMs, keptMs, deadlineAtMs(record) - nowMs)
  }
}
