import { type RoundId, roundKey } from '../../core/rounds/round.ts'
import type { Log, OutboxStep, Records } from '../../core/rounds/round-ports.ts'
import { eachAtOnce } from '../../waiting.ts'
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

/** How late a deadline may be noticed that another process has set: so often all systems in use are looked at. */
const SWEEP_EVERY_MS = 5_000
/** How late one that this process knows of. */
const TICK_MS = 250
const MAX_AT_ONCE = 500
/** As many are judged together: those of a node that is away have the others wait for no longer than it takes to find that out. */
const JUDGED_AT_ONCE = 32

/**
 * Turns rounds red whose deadline passes without a report. Redis says what is due, by its own clock. All systems in use are looked at
 * every few seconds; in between those alone of which a look has noted that their deadline comes, or this process has set one that comes
 * before the next look. Two servers that do the same are harmless.
 */
export class DeadlineWatch implements Work {
  private readonly loop = new Loop({
    everyMs: TICK_MS,
    work: () => this.tick(),
    putOff: (cause) => this.parts.log.debug({ cause }, 'look for deadlines put off'),
  })
  private sweepAtMs = Number.NEGATIVE_INFINITY
  private lookAtMs = Number.POSITIVE_INFINITY
  /** Systems with a deadline that comes before the next sweep, and when the first of each does. */
  private readonly soon = new Map<string, number>()

  constructor(private readonly parts: DeadlineWatchParts) {}

  start(calm?: Calm): void {
    this.loop.start(calm)
  }

  stop(): Promise<void> {
    return this.loop.stop()
  }

  /** A round of the system was given a deadline, from now on. */
  expect(deadlineMs: number, system: string): void {
    const atMs = this.parts.nowMs() + deadlineMs
    // The next sweep will note it in time.
    if (atMs >= this.sweepAtMs) return
    this.soon.set(system, Math.min(atMs, this.soon.get(system) ?? atMs))
    this.lookAtMs = Math.min(this.lookAtMs, atMs)
  }

  /** Judges what is due, once. True where more may be. */
  async sweep(): Promise<boolean> {
    const { records, nowMs, log } = this.parts
    const isSweep = nowMs() >= this.sweepAtMs
    // Before it is asked: who is given a deadline meanwhile is looked for then. Of more systems than a sweep looks at it may leave the
    // expected ones out, and these are looked at next.
    if (isSweep) this.sweepAtMs = nowMs() + SWEEP_EVERY_MS
    const expected = isSweep ? undefined : this.takeExpected()
    const { due, nextInMs, trouble } = await records.due(MAX_AT_ONCE, expected)
    if (trouble) log.debug({ cause: String(trouble) }, 'deadlines of some systems not looked at')
    this.lookAtMs = Math.min(this.lookAtMs, nowMs() + nextInMs)
    const judged = await this.judgeAll(due)
    // Of these systems it is not known yet when the next one comes.
    for (const { system } of judged) this.expect(0, system)
    return due.length === MAX_AT_ONCE && judged.length > 0
  }

  /** Those whose deadline has come. Of the others it is the first that is to be looked for next. */
  private takeExpected(): readonly string[] {
    const nowMs = this.parts.nowMs()
    const expected: string[] = []
    this.lookAtMs = Number.POSITIVE_INFINITY
    for (const [system, atMs] of this.soon) {
      if (atMs > nowMs) this.lookAtMs = Math.min(this.lookAtMs, atMs)
      else expected.push(system)
    }
    for (const system of expected) this.soon.delete(system)
    return expected
  }

  /** Those that could be judged: one that cannot keeps no other from it, and is found again. */
  private async judgeAll(due: readonly RoundId[]): Promise<readonly RoundId[]> {
    const judged: RoundId[] = []
    await eachAtOnce(JUDGED_AT_ONCE, due, async (id) => {
      if (this.loop.signal.aborted) return
      try {
        await this.judge(id)
        judged.push(id)
      } catch (error) {
        this.parts.log.debug({ round: roundKey(id), cause: String(error) }, 'deadline not judged yet')
      }
    })
    return judged
  }

  private async judge(id: RoundId): Promise<void> {
    const { records, tell, log } = this.parts
    const ruling = await records.expire(id)
    if (ruling.verdict !== 'overdue' && ruling.verdict !== 'notStarted') return
    const leader = ruling.verdict === 'overdue' ? ruling.record.leader : undefined
    const about = { round: roundKey(id), ...(leader !== undefined && { leader }) }
    log.warn(about, leader === undefined ? 'not started by its deadline' : 'not reported by its deadline')
    await tell(id, 'overdue')
  }

  private async tick(): Promise<boolean> {
    return this.parts.nowMs() >= Math.min(this.sweepAtMs, this.lookAtMs) && this.sweep()
  }
}
