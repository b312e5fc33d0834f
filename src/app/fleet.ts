import { randomBytes } from 'node:crypto'
import type { Alerts } from '../core/alerts/alert-ports.ts'
import type { SeriesStore } from '../core/fleet/series-ports.ts'
import { BullJobsInHand } from '../queue/jobs-in-hand.ts'
import { BullQueueReader } from '../queue/queue-reader.ts'
import { BullRegionJobs } from '../queue/region-jobs.ts'
import type { AlertTally } from '../service/alerts/alert-tally.ts'
import { FleetWatch } from '../service/fleet/fleet-watch.ts'
import { FleetFollower } from '../service/fleet/follower.ts'
import { LogReader } from '../service/fleet/log-reader.ts'
import { Orders } from '../service/fleet/orders.ts'
import { OutsidePulses } from '../service/fleet/outside-pulses.ts'
import { PoolKeeper } from '../service/fleet/pool-keeper.ts'
import { Pools } from '../service/fleet/pools.ts'
import { ServedWorkers } from '../service/fleet/served-workers.ts'
import { WorkerConfigs } from '../service/fleet/worker-configs.ts'
import { RedisFleet } from '../store/fleet/redis-fleet.ts'
import { RedisPokes } from '../store/fleet/redis-pokes.ts'
import { RedisLogs } from '../store/logs/redis-logs.ts'
import { RedisPools } from '../store/pools/redis-pools.ts'
import { VERSION } from '../version.ts'
import { type Ground, nowMs } from './assembly.ts'
import type { assembleRounds } from './rounds.ts'

/** Who runs workers, and what they are told. */
export function assembleFleet(
  { config, lines, log }: Ground,
  { jobs, leftJobs, knownFleet }: Pick<ReturnType<typeof assembleRounds>, 'jobs' | 'leftJobs' | 'knownFleet'>,
  {
    alerts,
    alertTally: tally,
    store,
  }: { readonly alerts: Alerts; readonly alertTally: AlertTally; readonly store: SeriesStore },
) {
  const fleet = new RedisFleet(lines.commands)
  const queues = new BullQueueReader(() => jobs.states())
  const regionJobs = new BullRegionJobs(lines.commands)
  const watch = new FleetWatch({
    fleet,
    queues,
    regionJobs,
    leftJobs,
    log,
    alerts,
    tally,
    tells: config.alertUrls.length > 0,
  })
  const pools = new RedisPools(lines.commands)
  const pokes = new RedisPokes(lines.commands)
  const keeper = new PoolKeeper({ pools, pokes, log })
  const follower = new FleetFollower(fleet, nowMs)
  return {
    works: [watch.loop, keeper.loop],
    metrics: { fleet: follower },
    http: {
      configs: new WorkerConfigs(fleet, pokes),
      served: new ServedWorkers({ fleet: knownFleet, consumers: (worker) => jobs.consumers(worker), nowMs }),
      pulses: new OutsidePulses({ fleet, series: store, log, version: VERSION, nowMs }),
      follower,
      logReader: new LogReader({ follower, logs: new RedisLogs(lines.commands), pokes, nowMs }),
      inHand: new BullJobsInHand(lines.commands),
      series: store,
      pools: new Pools(pools),
      orders: new Orders(fleet, pokes, () => randomBytes(4).toString('hex')),
    },
  }
}
