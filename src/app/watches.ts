import { ALERTS_QUEUE, ROUNDS_QUEUE } from '../core/rounds/job.ts'
import { OldJobsWatch } from '../queue/old-jobs-watch.ts'
import { OldQueues } from '../queue/old-queues.ts'
import { wantsOfJobs } from '../queue/open-queue.ts'
import { wantsOfWakes } from '../queue/wake-queue.ts'
import { isOneServer } from '../redis/connections.ts'
import type { Calm } from '../service/calm.ts'
import { StoreWatch } from '../service/store-watch.ts'
import { WANTS_OF_ALERTS } from '../store/alerts/redis-alerts.ts'
import { WANTS_OF_FLEET } from '../store/fleet/redis-fleet.ts'
import { WANTS_OF_POOLS } from '../store/pools/redis-pools.ts'
import { WANTS_OF_SYSTEMS } from '../store/records/system-index.ts'
import { RedisMarks } from '../store/redis-marks.ts'
import { WANTS_OF_SCHEDULES } from '../store/schedules/redis-schedules.ts'
import { WANTS_OF_SERIES } from '../store/series/redis-series.ts'
import type { Ground } from './assembly.ts'
import type { assembleRounds } from './rounds.ts'

/** Notices what Redis has lost, and in a Cluster what an older build has left there: on one server nothing has another place. */
export function watchRedis(ground: Ground, rounds: ReturnType<typeof assembleRounds>, calm: Calm) {
  const { commands } = ground.lines
  const storeWatch = watchStore(ground, rounds, calm)
  const metrics = { storeWatch, calm }
  if (isOneServer(commands)) return { metrics, works: [storeWatch] }
  const queues = new OldQueues(commands)
  const oldJobs = new OldJobsWatch(() => queues.look(), ground.log)
  return { metrics, oldJobs, works: [storeWatch, oldJobs] }
}

/** Notices what Redis has lost; what is taken to be there is then written there again. */
function watchStore(
  { config, lines, log }: Ground,
  { records, jobs }: ReturnType<typeof assembleRounds>,
  calm: Calm,
): StoreWatch {
  const onLoss = () => {
    records.relist()
    jobs.relist()
  }
  const told = config.alertUrls.length > 0 ? wantsOfJobs(ALERTS_QUEUE, lines.commands) : []
  const rest = [
    ...[WANTS_OF_SYSTEMS, WANTS_OF_SCHEDULES, WANTS_OF_ALERTS, WANTS_OF_FLEET, WANTS_OF_SERIES].flat(),
    ...WANTS_OF_POOLS,
    ...[wantsOfJobs(ROUNDS_QUEUE, lines.commands), wantsOfWakes(lines.commands), told].flat(),
  ]
  const marks = new RedisMarks(lines.commands, () => [...rest, ...jobs.wants()])
  return new StoreWatch({ marks, onLoss, calm, isSettled: () => records.hasGoneRound, log })
}
