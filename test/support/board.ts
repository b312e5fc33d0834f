import { type Job, Queue } from 'bullmq'
import { type RoundId, roundKey } from '../../src/core/round.ts'
import { QUEUE_PREFIX, ROUNDS_QUEUE } from '../../src/queue/round-queue.ts'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { silentLog } from './log.ts'
import type { TestRedis } from './redis.ts'

export interface Board {
  /** The round's job as the board would show it; undefined if there is none. */
  job(id: RoundId): Promise<{ readonly state: string; readonly job: Job } | undefined>
  stop(): Promise<void>
}

/** Looks at the round queue from outside, as the board does. */
export function lookAtBoard(redis: TestRedis): Board {
  const client = connect(redis.url, 'waiting', 'board', silentLog)
  const queue = new Queue(ROUNDS_QUEUE, { connection: client, prefix: QUEUE_PREFIX })
  return {
    async job(id) {
      const job = (await queue.getJob(roundKey(id))) as Job | undefined
      return job && { state: await job.getState(), job }
    },
    async stop() {
      await queue.close()
      await disconnect(client)
    },
  }
}
