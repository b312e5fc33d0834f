import { ownerOf } from '../core/rounds/job.ts'
import { parseRoundKey } from '../core/rounds/round.ts'
import { parseScheduleKey } from '../core/schedules/schedule.ts'
import type { BullJobQueues } from '../queue/job-queues.ts'
import type { Expectations } from '../service/alerts/expectations.ts'
import { Shares } from '../service/shares.ts'
import type { RedisSchedules } from '../store/schedules/redis-schedules.ts'
import { RedisLedger } from '../store/shares/redis-ledger.ts'
import { type Ground, nowMs } from './assembly.ts'

interface ShareParts {
  readonly schedules: RedisSchedules
  readonly expectations: Expectations
  readonly jobs: BullJobQueues
}

/** What each key has taken of what is kept. */
export function assembleShares(
  { lines, log }: Ground,
  { schedules, expectations, jobs }: ShareParts,
): Shares {
  return new Shares({
    ledger: new RedisLedger(lines.commands),
    isThere: {
      schedules: async (name) => (await schedules.read(parseScheduleKey(name))).schedule !== undefined,
      expectations: async (name) => (await expectations.get(parseScheduleKey(name))).record !== undefined,
      queuedBytes(name) {
        const [queue = '', key = ''] = name.split('/')
        const { worker, region } = ownerOf(queue)
        return jobs.isPending(parseRoundKey(key), worker, region)
      },
    },
    nowMs,
    log,
  })
}
