import { formatDuration } from '../core/duration.ts'
import { pause } from './within.ts'

/** How long a handler whose signal was aborted may take to notice before it is no longer waited for. */
const GRACE_MS = 5_000

/** What can end a handler before its time: other signals, and a timeout. */
export class Limits {
  private readonly ending = new AbortController()
  private readonly timer: NodeJS.Timeout | undefined
  private readonly forward = (event: Event) => this.ending.abort((event.target as AbortSignal).reason)

  constructor(
    private readonly signals: readonly AbortSignal[],
    timeoutMs: number | undefined,
  ) {
    for (const signal of signals) {
      if (signal.aborted) this.ending.abort(signal.reason)
      signal.addEventListener('abort', this.forward)
    }
    if (timeoutMs === undefined) return
    const tooLong = () => this.ending.abort(new Error(`it took longer than ${formatDuration(timeoutMs)}`))
    this.timer = setTimeout(tooLong, timeoutMs)
  }

  get signal(): AbortSignal {
    return this.ending.signal
  }

  /** The work's outcome, or the abort's reason: also where the work ends well after it, or does not end. */
  async apply<T>(work: Promise<T>): Promise<T> {
    const lift = new AbortController()
    try {
      const result = await Promise.race([work, this.overrun(lift.signal)])
      this.signal.throwIfAborted()
      return result
    } catch (error) {
      this.signal.throwIfAborted()
      throw error
    } finally {
      lift.abort()
    }
  }

  lift(): void {
    clearTimeout(this.timer)
    for (const signal of this.signals) signal.removeEventListener('abort', this.forward)
  }

  private async overrun(lifted: AbortSignal): Promise<never> {
    await new Promise<void>((resolve) => {
      if (this.signal.aborted) resolve()
      this.signal.addEventListener('abort', () => resolve(), { once: true })
      lifted.addEventListener('abort', () => resolve(), { once: true })
    })
    await pause(GRACE_MS, lifted)
    throw this.signal.reason
  }
}
