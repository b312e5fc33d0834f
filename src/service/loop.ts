import { pause } from '../waiting.ts'
import type { Calm } from './calm.ts'

/** What works by itself, from its start to its end. */
export interface Work {
  /** @param calm while it is, there is nothing to be done; missing: it works all the time */
  start(calm?: Calm): void
  /** Returns when what is under way has ended. May be called twice. */
  stop(): Promise<void>
}

export interface LoopTerms {
  /** The pause between two times, in ms, give or take a quarter: replicas started together do not all work together. */
  readonly everyMs: number | (() => number)
  /** True where each pause has to be of that very length. */
  readonly isEven?: boolean
  /** The pause after a time that failed. Default: as after any other. */
  readonly againMs?: number
  /** Does the work once. Answers true where there is more to do at once. */
  readonly work: () => Promise<unknown>
  /** Told why the work could not be done this time. */
  readonly putOff: (cause: string) => void
}

/** Does some work again and again, each time after the one before has ended, whether that failed or not. Rests while it is calm. */
export class Loop implements Work {
  private readonly stopping = new AbortController()
  private running: Promise<void> | undefined

  constructor(private readonly terms: LoopTerms) {}

  /** Aborted when the loop is to stop: long work then ends early. */
  get signal(): AbortSignal {
    return this.stopping.signal
  }

  start(calm?: Calm): void {
    this.running ??= this.run(calm)
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
  }

  private async run(calm: Calm | undefined): Promise<void> {
    while (!this.signal.aborted) {
      const pauseMs = await this.turn()
      if (pauseMs > 0) await pause(pauseMs, this.signal)
      if (calm?.isNow) await calm.over(this.signal)
    }
  }

  /** Works once; for how long to pause then. */
  private async turn(): Promise<number> {
    const { isEven = false, work, putOff } = this.terms
    const everyMs = typeof this.terms.everyMs === 'number' ? this.terms.everyMs : this.terms.everyMs()
    const { againMs = everyMs } = this.terms
    const spread = isEven ? 1 : 0.75 + Math.random() / 2
    try {
      return (await work()) === true ? 0 : everyMs * spread
    } catch (error) {
      putOff(String(error))
      return againMs * spread
    }
  }
}
