import { formatDuration } from '../../core/time/duration.ts'
import { callAfter } from '../../waiting.ts'

/** How long a handler that was told to end may take to notice before it is no longer waited for. */
const GRACE_MS = 5_000

/** What can end a handler before its time. Made for every attempt, so it costs next to nothing until it is needed. */
export class Limits {
  private ended: { readonly reason: unknown } | undefined
  private controller: AbortController | undefined
  private readonly limits: (() => void)[] = []
  private overrun: (reason: unknown) => void = () => {}

  constructor(timeoutMs: number | undefined) {
    if (timeoutMs === undefined) return
    const tooLong = () => this.end(new Error(`it took longer than ${formatDuration(timeoutMs)}`))
    this.limits.push(callAfter(timeoutMs, tooLong))
  }

  /** Aborted when the handler must end. */
  get signal(): AbortSignal {
    this.controller ??= new AbortController()
    if (this.ended) this.controller.abort(this.ended.reason)
    return this.controller.signal
  }

  /** Tells the handler to end, and waits `graceMs` for it to do so; only the first reason counts. */
  end(reason: unknown, graceMs = GRACE_MS): void {
    if (this.ended) return
    this.ended = { reason }
    this.controller?.abort(reason)
    this.limits.push(callAfter(graceMs, () => this.overrun(reason)))
  }

  /** The work's outcome; or the reason why it had to end, also where it ends well after that, or does not end at all. */
  async apply<T>(work: Promise<T>): Promise<T> {
    try {
      // As Promise.race would, which makes twice as many promises.
      const result = await new Promise<T>((resolve, reject) => {
        this.overrun = reject
        work.then(resolve, reject)
      })
      if (this.ended) throw this.ended.reason
      return result
    } catch (error) {
      throw this.ended ? this.ended.reason : error
    }
  }

  lift(): void {
    for (const lift of this.limits) lift()
  }
}
