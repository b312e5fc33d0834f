import { type RoundId, roundKey } from '../core/rounds/round.ts'
import type { Gate, GateLock, GatePass } from '../core/rounds/round-ports.ts'

/** By key, what has it and until when. */
type Locks = Map<string, { readonly value: string; readonly untilMs: number }>

/** The twin of RedlockGate in memory, for tests of what stands on a gate. Its one node always answers. */
export class MemoryGate implements Gate {
  private readonly held: Locks
  private passes = 0

  /** @param ofRecords the locks that records keep, where they are its one node */
  constructor(
    private readonly nowMs: () => number,
    private readonly ofRecords?: Locks,
  ) {
    this.held = ofRecords ?? new Map()
  }

  async pass(id: RoundId, ttlMs: number): Promise<GatePass> {
    if (this.holder(id) !== undefined) return { kind: 'held' }
    const value = this.newValue()
    this.hold(id, value, ttlMs)
    return { kind: 'passed', value }
  }

  lock(id: RoundId, ttlMs: number): GateLock | undefined {
    return this.ofRecords && { key: roundKey(id), value: this.newValue(), ttlMs }
  }

  async extend(id: RoundId, value: string, ttlMs: number): Promise<boolean> {
    const holder = this.holder(id)
    if (holder !== undefined && holder !== value) return false
    this.hold(id, value, ttlMs)
    return true
  }

  async release(id: RoundId, value: string): Promise<void> {
    if (this.holder(id) === value) this.held.delete(roundKey(id))
  }

  /** The value under which the round is held now. */
  holder(id: RoundId): string | undefined {
    const hold = this.held.get(roundKey(id))
    return hold !== undefined && this.nowMs() < hold.untilMs ? hold.value : undefined
  }

  private newValue(): string {
    this.passes += 1
    return `pass-${this.passes}`
  }

  private hold(id: RoundId, value: string, ttlMs: number): void {
    this.held.set(roundKey(id), { value, untilMs: this.nowMs() + ttlMs })
  }
}
