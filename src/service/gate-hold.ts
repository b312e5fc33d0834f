import type { Gate, Log } from '../core/ports.ts'
import { formatRound, type RoundId } from '../core/round.ts'
import { GoneError } from '../errors.ts'

export interface GateHoldParts {
  readonly gate: Gate
  readonly log: Log
  readonly nowMs: () => number
  readonly gateTtlMs: number
}

/** A gate that was passed, kept for as long as the handler runs. */
export class GateHold {
  /** True from when the gate can no longer be taken to be held. */
  isLost = false
  /** Called once when that happens. */
  onLost: (reason: GoneError) => void = () => {}
  /** Called each time the gate was extended: the time to look whether the round is still to be run. */
  onExtended: () => void = () => {}
  private isReleased = false
  private validUntilMs: number
  private timer: NodeJS.Timeout
  private extending: Promise<void> | undefined

  /** @param askedAtMs a moment before the gate was passed: its end is counted from there, so it is never overrated */
  constructor(
    private readonly parts: GateHoldParts,
    private readonly id: RoundId,
    private readonly value: string,
    askedAtMs: number,
  ) {
    this.validUntilMs = askedAtMs + parts.gateTtlMs
    this.timer = this.extendLater()
  }

  async release(): Promise<void> {
    this.isReleased = true
    clearTimeout(this.timer)
    await this.extending
    await this.parts.gate.release(this.id, this.value)
  }

  private extendLater(): NodeJS.Timeout {
    return setTimeout(() => {
      this.extending = this.extend()
    }, this.parts.gateTtlMs / 3)
  }

  private async extend(): Promise<void> {
    const { gate, gateTtlMs, nowMs } = this.parts
    const sentAtMs = nowMs()
    const isHeld = sentAtMs < this.validUntilMs && (await gate.extend(this.id, this.value, gateTtlMs))
    if (this.isReleased) return
    if (isHeld) {
      this.validUntilMs = sentAtMs + gateTtlMs
      this.onExtended()
    }
    // One extension may fail while there is time for another before the gate ends.
    if (nowMs() + gateTtlMs / 3 < this.validUntilMs) {
      this.timer = this.extendLater()
      return
    }
    this.isLost = true
    this.onLost(new GoneError('GATE_LOST', `${formatRound(this.id)}: the gate could not be held`))
  }
}
