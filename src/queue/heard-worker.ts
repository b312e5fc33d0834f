import type { Processor, WorkerOptions } from 'bullmq'
import { MAX_BLOCK_S } from '../redis/heartbeat.ts'
import type { Calm } from '../service/calm.ts'
import { bullmq } from './bullmq.ts'

/**
 * What BullMQ knows of the jobs that a worker runs. It renews a lock where that is due by the clock of this machine, which it compares with
 * when Redis says that the job was taken: with a clock that is behind it never would. So each is due whenever it looks.
 */
class DueLocks<Tracked extends { readonly ts: number }> extends Map<string, Tracked> {
  override set(id: string, tracked: Tracked): this {
    return super.set(id, { ...tracked, ts: Number.NEGATIVE_INFINITY })
  }
}

/**
 * A worker that never waits so long for a job that its connection could be taken to be silent, and keeps its locks whatever its clock
 * says.
 */
export class HeardWorker<Data = unknown, Result = unknown> extends bullmq.Worker<Data, Result> {
  constructor(name: string, processor: Processor<Data, Result>, options: WorkerOptions) {
    super(name, processor, { ...options, drainDelay: MAX_BLOCK_S })
  }

  protected override createLockManager(): void {
    super.createLockManager()
    Object.assign(this.lockManager, { trackedJobs: new DueLocks() })
  }

  /** Runs until it is closed; while it is calm nobody asks for jobs, and there are none. */
  async runUnless(calm: Calm | undefined): Promise<void> {
    calm?.follow((isCalm) => void (isCalm ? this.pause(true) : this.resume()))
    await this.run()
  }

  protected override getBlockTimeout(blockUntil: number): number {
    return Math.min(super.getBlockTimeout(blockUntil), MAX_BLOCK_S)
  }
}
