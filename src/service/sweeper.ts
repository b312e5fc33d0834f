import { hasRoundJob } from '../core/job.ts'
import type { JobQueues, Log, OutboxEntry, Records, RoundQueue } from '../core/ports.ts'
import { roundKey } from '../core/round.ts'
import { queueJob } from './dispatcher.ts'
import { repeat } from './repeat.ts'

/** An entry this old was left by a process that died, or that could not reach the queue. */
const LEFT_AFTER_MS = 5_000
const SWEEP_EVERY_MS = 5_000
const MAX_ENTRIES = 500

/**
 * Tells the round queue what a crash kept it from hearing. Runs in every facade process; that two of them do the same
 * is harmless.
 */
export class Sweeper {
  private readonly stopping = new AbortController()
  private running: Promise<void> | undefined
  private redone = 0

  constructor(
    private readonly records: Records,
    readonly rounds: RoundQueue,
    readonly jobs: JobQueues,
    private readonly log: Log,
  ) {}

  /** How many outbox entries this process has delivered for another. */
  get redelivered(): number {
    return this.redone
  }

  start(): void {
    this.running ??= repeat(
      this.stopping.signal,
      SWEEP_EVERY_MS,
      () => this.sweep(),
      (cause) => this.log.debug({ cause }, 'sweep put off'),
    )
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
  }

  /** Delivers what was left, once. */
  async sweep(ageMs = LEFT_AFTER_MS): Promise<void> {
    for (const entry of await this.records.outbox(ageMs, MAX_ENTRIES)) {
      if (this.stopping.signal.aborted) return
      await this.deliver(entry)
      await this.records.acknowledgeEntry(entry)
      this.redone += 1
    }
  }

  private async deliver({ id, step }: OutboxEntry): Promise<void> {
    const seen = await this.records.read(id)
    const { record, submission, nowMs } = seen
    this.log.info({ round: roundKey(id), step }, 'queue told by the sweeper')
    if (step === 'submitted') {
      if (submission) await queueJob(this, id, submission, nowMs)
      return
    }
    if (record === undefined || !hasRoundJob(seen)) return
    if (record.completion) await this.rounds.close(id)
    else await this.rounds.open(id, { verdict: 'takenOver', record, nowMs })
  }
}
