import { type Job, Queue } from 'bullmq'
import { ROUNDS_QUEUE } from '../../src/core/rounds/job.ts'
import { type RoundId, roundKey } from '../../src/core/rounds/round.ts'
import { QUEUE_PREFIX } from '../../src/queue/queue-keys.ts'
import { connect, disconnect } from '../../src/redis/connections.ts'
import { silentLog } from './log.ts'
import type { TestRedis } from './redis.ts'

export interface Board {
  /** The round's job as the board would show it; undefined if there is none. */
  job(id: RoundId): Promise<{ readonly state: string; readonly job: Job } | undefined>
  /** The lines of the job's log. */
  log(id: RoundId): Promise<readonly string[]>
  stop(): Promise<void>
}

/** Looks at a queue from outside, as the board does. */
export function lookAtBoard(redis: TestRedis, name = ROUNDS_QUEUE): Board {
  const client = connect(redis.url, 'waiting', 'board', silentLog)
  const queue = new Queue(name, { connection: client, prefix: QUEUE_PREFIX })
  return {
    async job(id) {
      const job = (await queue.getJob(roundKey(id))) as Job | undefined
      return job && { state: await job.getState(), job }
    },
    async log(id) {
      return (await queue.getJobLogs(roundKey(id))).logs
    },
    async stop() {
      await queue.close()
      await disconnect(client)
    },
  }
}
