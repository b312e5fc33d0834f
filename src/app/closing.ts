import type { Log } from '../core/rounds/round-ports.ts'

/** In this order: nobody is told yes any more, what works ends, what it was to tell is told, and then the lines are cut. */
const STAGES = ['callers', 'work', 'queues', 'clients', 'redis'] as const
type Stage = (typeof STAGES)[number]

/** What was opened and has to be closed, stage by stage. */
export class Closing {
  private readonly stages = new Map<Stage, (() => Promise<void>)[]>()
  private closed: Promise<void> | undefined

  add(stage: Stage, close: () => Promise<void>): void {
    this.stages.set(stage, [...(this.stages.get(stage) ?? []), close])
  }

  /** Closes everything, all of a stage at once. One that fails stops no other. May be called twice. */
  close(log: Log): Promise<void> {
    this.closed ??= this.run(log)
    return this.closed
  }

  private async run(log: Log): Promise<void> {
    for (const stage of STAGES) {
      const closes = this.stages.get(stage)?.map((close) => close()) ?? []
      for (const ended of await Promise.allSettled(closes)) {
        if (ended.status === 'rejected')
          log.warn({ stage, cause: String(ended.reason) }, 'not closed in order')
      }
    }
  }
}
