import { createHash } from 'node:crypto'
import { alertTargets } from '../config.ts'
import type { AlertTarget } from '../core/alerts/alert-forms.ts'
import { JobFailed } from '../core/rounds/job-failed.ts'
import type { Records } from '../core/rounds/round-ports.ts'
import { tellAlert } from '../hook/alert-hook.ts'
import { BullAlertQueue } from '../queue/alert-queue.ts'
import { AlertWorker } from '../queue/alert-worker.ts'
import { AlertTally } from '../service/alerts/alert-tally.ts'
import { Expectations } from '../service/alerts/expectations.ts'
import { ExpectedSlots } from '../service/alerts/expected-slots.ts'
import { RollCall } from '../service/alerts/roll-call.ts'
import { StoredScheduleWatches } from '../service/alerts/schedule-watches.ts'
import { Watchman } from '../service/alerts/watchman.ts'
import type { Timetables } from '../service/schedules/timetables.ts'
import { RedisAlerts } from '../store/alerts/redis-alerts.ts'
import { RedisCensus } from '../store/alerts/redis-census.ts'
import type { RedisSchedules } from '../store/schedules/redis-schedules.ts'
import type { Ground } from './assembly.ts'

interface AlertParts {
  readonly store: RedisSchedules
  readonly timetables: Timetables
  readonly records: Records
}

/** What rounds were expected, what is wrong with them, and who is told. */
export function assembleAlerts(ground: Ground, { store, timetables, records }: AlertParts) {
  const { config, lines, log } = ground
  const alerts = new RedisAlerts(lines.commands, config.retentionMs)
  const census = new RedisCensus(lines.commands)
  const rollCall = new RollCall(alerts, census, log)
  const targets = alertTargets(config)
  const teller = targets.length === 0 ? undefined : openTeller(ground, alerts, targets)
  const tally = new AlertTally()
  const watchman = new Watchman({
    alerts,
    records,
    census,
    timetables,
    schedules: new StoredScheduleWatches(store, records, timetables),
    tally,
    log,
    deadlineMs: config.deadlineMs,
    ...(teller && { queue: teller.queue }),
  })
  return {
    rollCall,
    watchman,
    works: [rollCall, watchman, ...(teller ? [teller.worker] : [])],
    queues: teller ? [teller.queue.queue] : [],
    metrics: { alerts, alertTally: tally, ...(teller && { deliveries: teller.worker.counts }) },
    http: {
      rollCall,
      expectations: new Expectations(alerts, watchman, rollCall),
      expectedSlots: new ExpectedSlots({
        alerts,
        records,
        census,
        timetables,
        deadlineMs: config.deadlineMs,
      }),
    },
  }
}

/** What tells the receivers of alerts. */
function openTeller(
  { config, lines, closing, log }: Ground,
  alerts: RedisAlerts,
  targets: readonly AlertTarget[],
) {
  const { alertSecret: secret } = config
  const byId = new Map(targets.map((target) => [idOf(target), target]))
  const queue = new BullAlertQueue(
    lines.open('commands', 'alerts'),
    targets.length > 1 ? [...byId.keys()] : [],
  )
  closing.add('queues', () => queue.stop())
  const worker = new AlertWorker({
    ...config,
    queue,
    alerts,
    client: lines.open('waiting', 'alert-worker'),
    async deliver(news, receiver, stopping) {
      // What was to be told before there were several is for the first.
      const target = receiver === undefined ? targets[0] : byId.get(receiver)
      if (target === undefined) throw new JobFailed('its receiver is not in GONE_ALERT_URL any more')
      await tellAlert({ ...target, ...(secret && { secret }) }, news, Date.now(), stopping)
    },
    log,
  })
  return { queue, worker }
}

/** Tells receivers apart in Redis and on the board, where their URLs must not be: they carry secrets. */
function idOf({ url }: AlertTarget): string {
  return createHash('sha256').update(url).digest('hex').slice(0, 12)
}
