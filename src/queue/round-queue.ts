import { Job, type Queue } from 'bullmq'
import { ROUNDS_QUEUE } from '../core/job.ts'
import type { ElectionRuling, RoundQueue } from '../core/ports.ts'
import { deadlineAtMs } from '../core/record.ts'
import { type RoundId, roundKey } from '../core/round.ts'
import type { RedisClient } from '../redis/connections.ts'
import { openQueue } from './open-queue.ts'

/** What the board shows of a round while it is led. The rest is in the job's id and timestamps. */
export interface RoundJobData {
  readonly leader: string
  readonly fence: number
}

/** A finished round's return value. */
export interface RoundJobResult {
  readonly outcome: 'completed'
  readonly completedBy: string
  readonly result?: unknown
}

/** The rounds as BullMQ jobs: delayed while led, completed or failed at the end. */
export class BullRoundQueue implements RoundQueue {
  readonly queue: Queue

  /** @param client one with a command timeout: a dead Redis must be an answer, not a hang */
  constructor(client: RedisClient) {
    this.queue = openQueue(ROUNDS_QUEUE, client)
  }

  async open(id: RoundId, ruling: ElectionRuling): Promise<void> {
    const { record, nowMs, verdict, submission } = ruling
    const jobId = roundKey(id)
    const data: RoundJobData = { leader: record.leader, fence: record.fence }
    await this.queue.add(id.system, data, { jobId, delay: Math.max(0, deadlineAtMs(record) - nowMs) })
    if (verdict !== 'takenOver' && submission === undefined) return

    // add() leaves a job that exists as it is: it still shows the previous leader, or is red by that one's deadline, or by
    // the one that no worker kept.
    const job = this.job(id)
    await job.updateData(data)
    if (ruling.previous) {
      const { leader, fence } = ruling.previous
      await job.log(`${record.leader} (fence ${record.fence}) took over from ${leader} (fence ${fence})`)
    }
    if (await job.isFailed()) await job.retry('failed')
  }

  async watch(id: RoundId, worker: string, delayMs: number): Promise<void> {
    await this.queue.add(id.system, { worker }, { jobId: roundKey(id), delay: Math.max(0, delayMs) })
  }

  async close(id: RoundId): Promise<void> {
    const job = this.job(id)
    if (await succeeds(job.promote())) return
    // Not delayed: it is missing, has failed by its deadline, or is on its way already.
    const state = await this.queue.getJobState(roundKey(id))
    if (state === 'unknown') await this.queue.add(id.system, {}, { jobId: roundKey(id) })
    if (state === 'failed') await succeeds(job.retry('failed'))
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    return this.queue.getJobCounts('waiting', 'active', 'delayed', 'completed', 'failed')
  }

  async stop(): Promise<void> {
    await this.queue.close()
  }

  /** The round's job by its id alone: its methods need no more, and reading it first would cost a round trip. */
  private job(id: RoundId): Job {
    return new Job(this.queue, id.system, {}, {}, roundKey(id))
  }
}

/** Whether a job could be moved; false where BullMQ says that it was not in the state to move from. */
async function succeeds(move: Promise<void>): Promise<boolean> {
  try {
    await move
    return true
  } catch (error) {
    const isStateError = error instanceof Error && 'code' in error && typeof error.code === 'number'
    if (isStateError) return false
    throw error
  }
}
