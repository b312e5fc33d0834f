import { Counter, Gauge, Histogram } from 'prom-client'
import type { ScheduleStore } from '../../core/schedules/schedule-ports.ts'
import type { SlotTally } from '../../service/schedules/slot-tally.ts'
import type { Watchdog } from '../../service/schedules/watchdog.ts'
import type { Registries } from './registries.ts'
import { withinScrape } from './scrape.ts'

export interface ScheduleMetricsParts {
  readonly schedules: ScheduleStore
  readonly slots: SlotTally
  readonly watchdog: Watchdog
}

export function collectSchedules(
  { own, shared }: Registries,
  { schedules, slots, watchdog }: ScheduleMetricsParts,
): void {
  new Gauge({
    name: 'gone_schedules',
    help: 'Schedules there are. Missing while Redis cannot answer.',
    registers: [shared],
    async collect() {
      this.reset()
      const count = await withinScrape(schedules.count())
      if (count === undefined) this.remove()
      else this.set(count)
    },
  })
  new Counter({
    name: 'gone_slots_total',
    help: 'Slots that this process accounted for: submitted, skipped by the overlap policy, or missed and too old or too many to be made up for.',
    labelNames: ['outcome'],
    registers: [own],
    collect() {
      this.reset()
      for (const [outcome, count] of Object.entries(slots.counts)) this.inc({ outcome }, count)
    },
  })
  const lateness = new Histogram({
    name: 'gone_slot_lateness_seconds',
    help: 'From when a slot was due to its submission.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3_600],
    registers: [own],
  })
  slots.onSubmitted = (latenessMs) => lateness.observe(latenessMs / 1_000)
  new Counter({
    name: 'gone_alarms_rearmed_total',
    help: 'Schedules that had gone silent, whose next wake the watchdog of this process set again.',
    registers: [own],
    collect() {
      this.reset()
      this.inc(watchdog.rearmed)
    },
  })
}
