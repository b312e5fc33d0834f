import { setMaxListeners } from 'node:events'
import type { Candidate } from '../core/candidate.ts'
import type { Records, RoundNews, Sighting } from '../core/ports.ts'
import { isReplaceable, type Terms } from '../core/record.ts'
import type { RoundId } from '../core/round.ts'
import { GoneError } from '../errors.ts'
import type { Election, Elector } from './elector.ts'
import type { RoundMemory } from './round-memory.ts'
import { pause } from './within.ts'

export interface StandbyParts {
  readonly elector: Elector
  readonly records: Records
  readonly memory: RoundMemory
  readonly news: RoundNews
  readonly nowMs: () => number
}

/** How often a waiting request looks at the record itself, because news can be lost with a connection. */
const LOOK_EVERY_MS = 1_000
/** A leader can only be replaced after its lease has ended; asking in the same ms would be too early. */
const LEASE_MARGIN_MS = 5
const MAX_STANDBYS = 1_000

/** Requests that wait for a round: losers that stand by for the lead, and readers that wait for its end. */
export class Standby {
  private waiting = 0
  private readonly draining = new AbortController()

  constructor(private readonly parts: StandbyParts) {
    // Each standby listens; Node warns from the eleventh on.
    setMaxListeners(MAX_STANDBYS, this.draining.signal)
  }

  /**
   * Stands by for `waitMs`: answers as soon as this candidate leads or the round is finished, else the last answer.
   *
   * @param caller aborted when the caller has gone, so that nobody absent is elected
   * @throws GoneError as `Elector.elect`, `TOO_MANY_STANDBYS`, and `SHUTTING_DOWN` when this server stops meanwhile
   */
  async elect(
    id: RoundId,
    candidate: Candidate,
    terms: Terms,
    waitMs: number,
    caller: AbortSignal,
  ): Promise<Election> {
    const first = await this.parts.elector.elect(id, candidate, terms)
    if (isSettled(first)) return first
    return this.watch(id, waitMs, caller, async (seen) => {
      const answer: Election = seen.record?.completion
        ? { verdict: 'lost', record: seen.record }
        : await this.parts.elector.elect(id, candidate, terms)
      return { answer, isOpen: !isSettled(answer) }
    })
  }

  /** The record once the round is finished, or as it is after `waitMs`. */
  async finish(id: RoundId, waitMs: number, caller: AbortSignal): Promise<Sighting> {
    return this.watch(id, waitMs, caller, async (seen) => ({
      answer: seen,
      isOpen: seen.record?.completion === undefined,
    }))
  }

  /** Answers who waits with an error that says retry, elsewhere. */
  drain(): void {
    this.draining.abort()
  }

  private async watch<T>(
    id: RoundId,
    waitMs: number,
    caller: AbortSignal,
    judge: (seen: Sighting) => Promise<{ readonly answer: T; readonly isOpen: boolean }>,
  ): Promise<T> {
    if (this.waiting >= MAX_STANDBYS) {
      throw new GoneError('TOO_MANY_STANDBYS', `${MAX_STANDBYS} requests wait here already; retry elsewhere`)
    }
    this.waiting += 1
    const giveUpMs = this.parts.nowMs() + waitMs
    const bell = new Bell([caller, this.draining.signal])
    const leave = await this.parts.news.listen(id, () => bell.ring())
    try {
      for (;;) {
        const seen = await this.look(id)
        const { answer, isOpen } = await judge(seen)
        if (!isOpen) return answer
        if (this.draining.signal.aborted)
          throw new GoneError('SHUTTING_DOWN', 'this server is stopping; retry elsewhere')
        const restMs = giveUpMs - this.parts.nowMs()
        if (restMs <= 0) return answer
        await bell.wait(Math.min(restMs, nextLookMs(seen)))
        // Another look would ask for the lead of somebody who has gone.
        if (caller.aborted) return answer
      }
    } finally {
      leave()
      bell.close()
      this.waiting -= 1
    }
  }

  private async look(id: RoundId): Promise<Sighting> {
    const sentAtMs = this.parts.nowMs()
    const seen = await this.parts.records.read(id)
    const { record, nowMs } = seen
    if (record) this.parts.memory.remember(id, { record, nowMs }, sentAtMs)
    return seen
  }
}

function nextLookMs({ record, nowMs }: Sighting): number {
  if (!record?.lease || !isReplaceable(record)) return LOOK_EVERY_MS
  return Math.min(LOOK_EVERY_MS, Math.max(0, record.lease.expiresAtMs - nowMs) + LEASE_MARGIN_MS)
}

function isSettled(election: Election): boolean {
  return election.verdict !== 'lost' || election.record?.completion !== undefined
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
