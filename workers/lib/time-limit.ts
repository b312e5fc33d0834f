import { callAfter } from '../../src/waiting.ts'

/**
 * An attempt's signal, with a time limit of the worker's own. `AbortSignal.any` with `AbortSignal.timeout` would be
 * shorter, but Node may collect the timeout before it fires (nodejs/node#57736).
 */
export class TimeLimit {
  private readonly ending = new AbortController()
  private readonly callOff: (() => void) | undefined
  private hasPassed = false
  private readonly forward = () => this.ending.abort(this.attempt.reason)

  constructor(
    private readonly attempt: AbortSignal,
    limitMs: number | undefined,
  ) {
    if (attempt.aborted) this.forward()
    attempt.addEventListener('abort', this.forward, { once: true })
    if (limitMs !== undefined) this.callOff = callAfter(limitMs, () => this.pass())
  }

  get signal(): AbortSignal {
    return this.ending.signal
  }

  /** True if it was this limit that ended the work. */
  get isOver(): boolean {
    return this.hasPassed
  }

  lift(): void {
    this.callOff?.()
    this.attempt.removeEventListener('abort', this.forward)
  }

  private pass(): void {
    this.hasPassed = !this.signal.aborted
    this.ending.abort(new Error('the time is up'))
  }
}
