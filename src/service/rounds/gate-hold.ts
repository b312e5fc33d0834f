import { formatRound, type RoundId } from '../../core/rounds/round.ts'
import type { Gate, GateLock, Log } from '../../core/rounds/round-ports.ts'
import { GoneError } from '../../errors.ts'
import { callAfter } from '../../waiting.ts'

export interface GateHoldParts {
  readonly gate: Gate
  readonly log: Log
  readonly nowMs: () => number
  readonly gateTtlMs: number
}

/** A gate that is passed, kept for as long as the handler runs. */
export class GateHold {
  /** True from when the gate can no longer be taken to be held. */
  isLost = false
  /** Called once when that happens. */
  onLost: (reason: GoneError) => void = () => {}
  /** Called each time the gate was extended: the time to look whether the round is still to be run. */
  onExtended: () => void = () => {}
  private isResting = false
  private isOver = false
  private validUntilMs: number
  private callOff: () => void
  private extending: Promise<void> | undefined

  /**
   * @param askedAtMs a moment before the gate was passed: its end is counted from there, so it is never overrated
   * @param lock what the steps of the record take and give up; missing: the gate is passed already
   */
  constructor(
    private readonly parts: GateHoldParts,
    private readonly id: RoundId,
    readonly value: string,
    askedAtMs: number,
    readonly lock?: GateLock,
  ) {
    this.validUntilMs = askedAtMs + parts.gateTtlMs
    this.callOff = lock ? () => {} : this.extendLater()
  }

  /**
   * Extends from now on what the step that starts the round has taken. Not before: to extend takes a gate that nobody has, and a start that
   * is sent again would find the gate its own, and take itself for recorded.
   */
  taken(): void {
    if (this.lock && !this.isResting)
      this.callOff = this.extendLater((this.validUntilMs - this.parts.nowMs()) / 2)
  }

  /** True if it is held for certain now: where this process stood still, another may have passed it since. */
  isHeld(): boolean {
    return !this.isLost && this.parts.nowMs() < this.validUntilMs
  }

  /** Extends it no more, and waits for what is being extended: that would take it again once it is given up. */
  async rest(): Promise<void> {
    this.isResting = true
    this.callOff()
    await this.extending
  }

  /** Leaves it: it was not taken or is given up already, or may end by itself. */
  letGo(): void {
    this.isOver = true
    this.isResting = true
    this.callOff()
  }

  async release(): Promise<void> {
    if (this.isOver) return
    this.isOver = true
    await this.rest()
    await this.parts.gate.release(this.id, this.value)
  }

  private extendLater(withinMs = Number.POSITIVE_INFINITY): () => void {
    return callAfter(Math.min(this.parts.gateTtlMs / 3, withinMs), () => {
      this.extending = this.extend()
    })
  }

  private async extend(): Promise<void> {
    const { gate, gateTtlMs, nowMs } = this.parts
    const sentAtMs = nowMs()
    const isHeld = sentAtMs < this.validUntilMs && (await gate.extend(this.id, this.value, gateTtlMs))
    if (this.isResting) return
    if (isHeld) {
      this.validUntilMs = sentAtMs + gateTtlMs
      this.onExtended()
    }
    // One extension may fail while there is time for another before the gate ends.
    if (nowMs() + gateTtlMs / 3 < this.validUntilMs) {
      this.callOff = this.extendLater()
      return
    }
    this.isLost = true
    this.onLost(new GoneError('GATE_LOST', `${formatRound(this.id)}: the gate could not be held`))
  }
}
