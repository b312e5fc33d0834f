import { setMaxListeners } from 'node:events'
import { isReplaceable } from '../../core/rounds/record.ts'
import type { RoundId } from '../../core/rounds/round.ts'
import type { Records, RoundNews, Sighting } from '../../core/rounds/round-ports.ts'
import { GoneError } from '../../errors.ts'
import { pause } from '../../waiting.ts'
import { CallEar } from './call-ear.ts'

export interface RoundWatchParts {
  readonly records: Pick<Records, 'read'>
  readonly news: RoundNews
  readonly nowMs: () => number
  /** Told of each look; missing: nobody keeps what is seen. */
  readonly remember?: (id: RoundId, seen: Sighting, sentAtMs: number) => void
}

/** How often a waiting request looks at the record itself, because news can be lost with a connection. */
const READ_EVERY_MS = 1_000
/** A leader can only be replaced after its lease has ended; asking in the same ms would be too early. */
const LEASE_MARGIN_MS = 5
const MAX_WATCHES = 1_000

/** What a look at the round comes to: `isOpen` if there is more to wait for. */
interface Judgement<T> {
  readonly answer: T
  readonly isOpen: boolean
}

/** A call that this process has made, as it was then, and by what it is told its end. */
export interface MadeCall {
  readonly seen: Sighting
  readonly ear: CallEar
}

/** Whoever waits for a round: looks at it whenever there is news of it, and every second. */
export class RoundWatch {
  private waiting = 0
  private readonly draining = new AbortController()

  constructor(private readonly parts: RoundWatchParts) {
    // Each watch listens; Node warns from the eleventh on.
    setMaxListeners(MAX_WATCHES, this.draining.signal)
  }

  /** The record once the round is finished, or as it is after `waitMs`. */
  async finish(id: RoundId, waitMs: number, caller: AbortSignal, made?: MadeCall): Promise<Sighting> {
    const judge = async (seen: Sighting) => ({ answer: seen, isOpen: seen.record?.completion === undefined })
    return this.watch(id, waitMs, caller, judge, made)
  }

  /** Hears of the end of a call that is yet to be made; undefined: it cannot now, so that who waits has to look. */
  ear(id: RoundId): CallEar | undefined {
    const { news } = this.parts
    const { ear } = news
    const hear = news.hear?.bind(news)
    return ear === undefined || hear === undefined ? undefined : new CallEar(ear, { hear }, id)
  }

  /** Answers who waits with an error that says retry, elsewhere. */
  drain(): void {
    this.draining.abort()
  }

  /**
   * What `judge` answers once nothing is open any more, or last after `waitMs`.
   *
   * @param caller aborted when the caller has gone
   * @throws GoneError `TOO_MANY_STANDBYS`, and `SHUTTING_DOWN` when this process stops meanwhile
   */
  async watch<T>(
    id: RoundId,
    waitMs: number,
    caller: AbortSignal,
    judge: (seen: Sighting) => Promise<Judgement<T>>,
    made?: MadeCall,
  ): Promise<T> {
    if (this.waiting >= MAX_WATCHES) {
      throw new GoneError('TOO_MANY_STANDBYS', `${MAX_WATCHES} requests wait here already; retry elsewhere`)
    }
    this.waiting += 1
    const giveUpMs = this.parts.nowMs() + waitMs
    const bell = new Bell([caller, this.draining.signal])
    const ring = () => bell.ring()
    made?.ear.listen(made.seen, ring)
    const leave = made ? () => {} : await this.parts.news.listen(id, ring)
    try {
      for (;;) {
        const seen = made?.ear.next() ?? (await this.read(id))
        const { answer, isOpen } = await judge(seen)
        if (!isOpen) return answer
        if (this.draining.signal.aborted)
          throw new GoneError('SHUTTING_DOWN', 'this server is stopping; retry elsewhere')
        const restMs = giveUpMs - this.parts.nowMs()
        if (restMs <= 0) return answer
        await bell.wait(Math.min(restMs, nextReadMs(seen)))
        // Another look would ask for the lead of somebody who has gone.
        if (caller.aborted) return answer
      }
    } finally {
      leave()
      bell.close()
      this.waiting -= 1
    }
  }

  private async read(id: RoundId): Promise<Sighting> {
    const sentAtMs = this.parts.nowMs()
    const seen = await this.parts.records.read(id)
    this.parts.remember?.(id, seen, sentAtMs)
    return seen
  }
}

function nextReadMs({ record, nowMs }: Sighting): number {
  if (!record?.lease || !isReplaceable(record)) return READ_EVERY_MS
  return Math.min(READ_EVERY_MS, Math.max(0, record.lease.expiresAtMs - nowMs) + LEASE_MARGIN_MS)
}

/** Something to sleep on that news, a caller's leaving or the server's end can cut short, also before the sleep begins. */
class Bell {
  private sleep = new AbortController()
  private readonly ringer = () => this.ring()

  constructor(private readonly signals: readonly AbortSignal[]) {
    for (const signal of signals) signal.addEventListener('abort', this.ringer)
    if (signals.some((signal) => signal.aborted)) this.ring()
  }

  ring(): void {
    this.sleep.abort()
  }

  async wait(ms: number): Promise<void> {
    await pause(ms, this.sleep.signal)
    this.sleep = new AbortController()
    if (this.signals.some((signal) => signal.aborted)) this.ring()
  }

  close(): void {
    for (const signal of this.signals) signal.removeEventListener('abort', this.ringer)
  }
}
