import type { Queue } from 'bullmq'
import { ROUNDS_QUEUE } from '../core/rounds/job.ts'
import { roundKey } from '../core/rounds/round.ts'
import type { RoundQueue, SeenRound } from '../core/rounds/round-ports.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import { defineSteps, type Steps } from '../redis/steps.ts'
import { openQueue } from './open-queue.ts'
import { queueKey } from './queue-keys.ts'
import { roundJobOf } from './round-job.ts'

export interface RoundQueueTerms {
  readonly jobRetentionMs: number
  readonly jobRetentionCount: number
}

const SETS = ['completed', 'failed', 'delayed', 'events']
const STEPS = ['show-rounds'] as const

/** The ends of rounds as BullMQ jobs. */
export class BullRoundQueue implements RoundQueue {
  readonly queue: Queue
  private readonly sets: readonly string[]
  private readonly steps: Steps<(typeof STEPS)[number]>

  /** @param client one with a command timeout: a dead Redis must be an answer, not a hang */
  constructor(
    private readonly client: RedisClient,
    private readonly terms: RoundQueueTerms,
  ) {
    this.queue = openQueue(ROUNDS_QUEUE, client)
    this.sets = SETS.map((set) => this.keyOf(set))
    this.steps = defineSteps(client, { beside: import.meta.url, names: STEPS, prefix: 'gone' })
  }

  async show(rounds: readonly SeenRound[]): Promise<readonly boolean[]> {
    if (rounds.length === 0) return []
    const { jobRetentionMs, jobRetentionCount } = this.terms
    const jobs = rounds.map(({ id }) => this.keyOf(roundKey(id)))
    return attempt('show rounds', async () => {
      const shown = await this.steps['show-rounds'](
        SETS.length + jobs.length,
        ...this.sets,
        ...jobs,
        this.keyOf(''),
        jobRetentionMs,
        jobRetentionCount,
        ...rounds.flatMap(argumentsOf),
      )
      await Promise.all(rounds.map((seen) => this.noteTakeover(seen)))
      return shown.map((one) => one === 1)
    })
  }

  /** As a line of the log of the job that the round has, or will have. */
  private async noteTakeover({ id, record, previous }: SeenRound): Promise<void> {
    if (record === undefined || previous === undefined) return
    const took = `${record.leader} (fence ${record.fence}) took over`
    const line = `${took} from ${previous.leader} (fence ${previous.fence})`
    await this.client.rpush(this.keyOf(`${roundKey(id)}:logs`), line)
  }

  private keyOf(part: string): string {
    return queueKey(ROUNDS_QUEUE, part, this.client)
  }

  async counts(): Promise<Readonly<Record<string, number>>> {
    return this.queue.getJobCounts('waiting', 'active', 'delayed', 'completed', 'failed')
  }

  async stop(): Promise<void> {
    await this.queue.close()
  }
}

/** As show-rounds.lua tells them. */
function argumentsOf(seen: SeenRound): readonly (string | number)[] {
  const { as, fence, rank, data, addedAtMs, endedAtMs, result, reason } = roundJobOf(seen)
  return [
    roundKey(seen.id),
    as === 'nowhere' ? '' : as,
    fence,
    rank,
    seen.id.system,
    JSON.stringify(data),
    addedAtMs,
    endedAtMs,
    result ? JSON.stringify(result) : (reason ?? ''),
  ]
}
