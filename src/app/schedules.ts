import { WakeQueue } from '../queue/wake-queue.ts'
import { WakeWorker } from '../queue/wake-worker.ts'
import type { Watchman } from '../service/alerts/watchman.ts'
import { Schedules } from '../service/schedules/schedules.ts'
import { SlotTally } from '../service/schedules/slot-tally.ts'
import { Ticker } from '../service/schedules/ticker.ts'
import type { Timetables } from '../service/schedules/timetables.ts'
import { Watchdog } from '../service/schedules/watchdog.ts'
import type { RedisSchedules } from '../store/schedules/redis-schedules.ts'
import type { Ground } from './assembly.ts'
import type { assembleRounds } from './rounds.ts'

interface ScheduleParts {
  readonly store: RedisSchedules
  readonly timetables: Timetables
  readonly rounds: ReturnType<typeof assembleRounds>
  readonly watchman: Watchman
}

/** What makes rounds come by themselves. */
export function assembleSchedules({ lines, closing, log }: Ground, parts: ScheduleParts) {
  const { store, timetables, watchman } = parts
  const { records, dispatcher, canceller } = parts.rounds
  const wakes = new WakeQueue(lines.open('commands', 'wakes'))
  closing.add('queues', () => wakes.stop())
  const slots = new SlotTally()
  const shared = { store, dispatcher, timetables, log }
  const ticker = new Ticker({ ...shared, wakes, records, canceller, observer: slots })
  const watchdog = new Watchdog(store, wakes, ticker, log)
  const client = lines.open('waiting', 'ring')
  return {
    works: [new WakeWorker({ client, wakes, ticker, log }), watchdog],
    queues: [wakes.queue],
    metrics: { schedules: store, slots, watchdog },
    http: { schedules: new Schedules({ ...shared, records, ticker, watchman }) },
  }
}
