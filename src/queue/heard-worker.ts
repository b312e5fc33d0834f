import type { Processor, WorkerOptions } from 'bullmq'
import { MAX_BLOCK_S } from '../redis/heartbeat.ts'
import type { Calm } from '../service/calm.ts'
import { bullmq } from './bullmq.ts'

/** A worker that never waits so long for a job that its connection could be taken to be silent. */
export class HeardWorker<Data = unknown, Result = unknown> extends bullmq.Worker<Data, Result> {
  constructor(name: string, processor: Processor<Data, Result>, options: WorkerOptions) {
    super(name, processor, { ...options, drainDelay: MAX_BLOCK_S })
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
