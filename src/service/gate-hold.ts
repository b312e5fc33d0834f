import type { Gate, Log } from '../core/ports.ts'
import type { RoundId } from '../core/round.ts'
import { formatRound } from '../core/round.ts'
import { GoneError } from '../errors.ts'

export interface GateHoldParts {
  readonly gate: Gate
  readonly log: Log
  readonly nowMs: () => number
  readonly gateTtlMs: number
}

/** A gate that was passed, kept for as long as the handler runs. */
export class GateHold {
  private readonly losing = new AbortController()
  private readonly passedAtMs: number
  private validUntilMs: number
  private timer: NodeJS.Timeout
  private extending: Promise<void> | undefined

  constructor(
    private readonly parts: GateHoldParts,
    private readonly id: RoundId,
    private readonly value: string,
  ) {
    this.passedAtMs = parts.nowMs()
    this.validUntilMs = this.passedAtMs + parts.gateTtlMs
    this.timer = this.extendLater()
  }

  /** Aborted when the gate can no longer be taken to be held. */
  get lost(): AbortSignal {
    return this.losing.signal
  }

  async release(): Promise<void> {
    clearTimeout(this.timer)
    this.losing.abort()
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
    if (this.losing.signal.aborted) return
    if (isHeld) this.validUntilMs = sentAtMs + gateTtlMs
    // One extension may fail while there is time for another before the gate ends.
    if (nowMs() + gateTtlMs / 3 < this.validUntilMs) this.timer = this.extendLater()
    else this.losing.abort(new GoneError('GATE_LOST', `${formatRound(this.id)}: the gate could not be held`))
  }
}
