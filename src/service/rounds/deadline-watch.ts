import { type RoundId, roundKey } from '../../core/rounds/round.ts'
import type { Log, OutboxStep, Records } from '../../core/rounds/round-ports.ts'
import type { Calm } from '../calm.ts'
import { Loop, type Work } from '../loop.ts'

export interface DeadlineWatchParts {
  readonly records: Records
  /** Shows on the board how a round is now, which a step has noted in the outbox. */
  readonly tell: (id: RoundId, step: OutboxStep) => Promise<void>
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** How late a deadline may be noticed that another process has set. */
const SWEEP_EVERY_MS = 5_000
/** How late one that this process knows of. */
const TICK_MS = 250
const MAX_AT_ONCE = 500

/**
 * Turns rounds red whose deadline passes without a report. Redis says what is due, by its own clock; it is asked when the next
 * deadline is expected that this process knows of, and every few seconds for those that it does not. Two servers that do the same are harmless.
 */
export class DeadlineWatch implements Work {
  private readonly loop = new Loop({
    everyMs: TICK_MS,
    work: () => this.tick(),
    putOff: (cause) => this.parts.log.debug({ cause }, 'look for deadlines put off'),
  })
  private sweepAtMs = Number.NEGATIVE_INFINITY

  constructor(private readonly parts: DeadlineWatchParts) {}

  start(calm?: Calm): void {
    this.loop.start(calm)
  }

  stop(): Promise<void> {
    return this.loop.stop()
  }

  /** A round was given a deadline, from now on. */
  expect(deadlineMs: number): void {
    this.sweepAtMs = Math.min(this.sweepAtMs, this.parts.nowMs() + deadlineMs)
  }

  /** Judges what is due, once. True where more may be. */
  async sweep(): Promise<boolean> {
    const { records, tell, nowMs } = this.parts
    // Before it is asked: who is given a deadline meanwhile is looked for then.
    this.sweepAtMs = nowMs() + SWEEP_EVERY_MS
    const { due, nextInMs } = await records.due(MAX_AT_ONCE)
    this.expect(nextInMs)
    for (const id of due) {
      if (this.loop.signal.aborted) return false
      const ruling = await records.expire(id)
      if (ruling.verdict !== 'overdue' && ruling.verdict !== 'notStarted') continue
      const leader = ruling.verdict === 'overdue' ? ruling.record.leader : undefined
      const about = { round: roundKey(id), ...(leader !== undefined && { leader }) }
      this.parts.log.warn(
        about,
        leader === undefined ? 'not started by its deadline' : 'not reported by its deadline',
      )
      await tell(id, 'overdue')
    }
    // Of these systems it is not known yet when the next one comes.
    if (due.length > 0) this.expect(0)
    return due.length === MAX_AT_ONCE
  }

  private async tick(): Promise<boolean> {
    return this.parts.nowMs() >= this.sweepAtMs && this.sweep()
  }
}
