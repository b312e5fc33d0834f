import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { ALERT_KINDS } from '../core/alert.ts'
import type { Alerts } from '../core/alert-ports.ts'
import type { ElectionVerdict } from '../core/election.ts'
import { ROUNDS_QUEUE } from '../core/job.ts'
import type { JobQueues, Records, RoundQueue } from '../core/ports.ts'
import type { Outcome } from '../core/record.ts'
import type { ScheduleStore } from '../core/schedule-ports.ts'
import type { SlotTally } from '../service/slot-tally.ts'
import type { StoreWatch } from '../service/store-watch.ts'
import type { Sweeper } from '../service/sweeper.ts'
import type { Watchdog } from '../service/watchdog.ts'
import type { Watchman } from '../service/watchman.ts'
import { within } from '../service/within.ts'
import { Durations } from './durations.ts'

const SCRAPE_WITHIN_MS = 1_000

export type Route =
  | 'elect'
  | 'elected'
  | 'complete'
  | 'completed'
  | 'renew'
  | 'fail'
  | 'round'
  | 'history'
  | 'schedule'
  | 'slot'

export interface MetricsParts {
  readonly records: Records
  readonly queue: RoundQueue
  readonly jobs: JobQueues
  readonly sweeper: Sweeper
  readonly storeWatch: StoreWatch
  readonly alerts: Pick<Alerts, 'openCounts'>
  readonly watchman: Pick<Watchman, 'counts'>
  /** How deliveries of alerts went; missing where none are made. */
  readonly deliveries?: Readonly<Record<'delivered' | 'retried' | 'givenUp', number>>
  readonly schedules: ScheduleStore
  readonly slots: SlotTally
  readonly watchdog: Watchdog
}

/** What Prometheus can ask of this process, and of the rounds that all processes share. */
export class Metrics {
  readonly registry = new Registry()
  private readonly elections: Record<ElectionVerdict | 'error', number> = {
    elected: 0,
    alreadyLeader: 0,
    takenOver: 0,
    lost: 0,
    error: 0,
  }
  private readonly completions: Counter<'outcome' | 'verdict'>
  private readonly submissions: Counter<'outcome'>
  private readonly durations: Durations

  constructor(parts: MetricsParts) {
    const registers = [this.registry]
    collectDefaultMetrics({ register: this.registry, prefix: 'gone_' })
    const { elections } = this
    // Counted in plain numbers, because a loser's answer is too quick for more. From zero, so that the first error is a rise.
    new Counter({
      name: 'gone_elections_total',
      help: 'Answers to candidates by outcome; error means that it could not be decided.',
      labelNames: ['outcome'],
      registers,
      collect() {
        this.reset()
        for (const [outcome, count] of Object.entries(elections)) this.inc({ outcome }, count)
      },
    })
    this.completions = new Counter({
      name: 'gone_completions_total',
      help: 'Reports by outcome (completed, failed) and verdict (recorded, alreadyRecorded, refused).',
      labelNames: ['outcome', 'verdict'],
      registers,
    })
    this.submissions = new Counter({
      name: 'gone_submissions_total',
      help: 'Submissions by outcome: first for those that made a job, duplicate for all others.',
      labelNames: ['outcome'],
      registers,
    })
    this.durations = new Durations().register(this.registry)
    this.collectShared(parts)
    this.collectStoreWatch(parts)
    this.collectAlerts(parts)
    this.collectSchedules(parts)
  }

  countElection(outcome: ElectionVerdict | 'error'): void {
    this.elections[outcome] += 1
  }

  countCompletion(outcome: Outcome, verdict: string): void {
    this.completions.inc({ outcome, verdict })
  }

  countSubmission(outcome: 'first' | 'duplicate'): void {
    this.submissions.inc({ outcome })
  }

  /** The function to call with the seconds that an answer on this route took. */
  timer(route: Route): (seconds: number) => void {
    return this.durations.timer(route)
  }

  private collectSchedules({ schedules, slots, watchdog }: MetricsParts): void {
    const registers = [this.registry]
    new Gauge({
      name: 'gone_schedules',
      help: 'Schedules there are. Missing while Redis cannot answer.',
      registers,
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
      registers,
      collect() {
        this.reset()
        for (const [outcome, count] of Object.entries(slots.counts)) this.inc({ outcome }, count)
      },
    })
    const lateness = new Histogram({
      name: 'gone_slot_lateness_seconds',
      help: 'From when a slot was due to its submission.',
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3_600],
      registers,
    })
    slots.onSubmitted = (latenessMs) => lateness.observe(latenessMs / 1_000)
    new Counter({
      name: 'gone_alarms_rearmed_total',
      help: 'Schedules that had gone silent, whose alarm the watchdog of this process set again.',
      registers,
      collect() {
        this.reset()
        this.inc(watchdog.rearmed)
      },
    })
  }

  private collectShared({ records, queue, jobs, sweeper }: MetricsParts): void {
    const registers = [this.registry]
    new Gauge({
      name: 'gone_overdue_rounds',
      help: 'Rounds whose deadline has passed without a report. Missing while Redis cannot answer.',
      registers,
      async collect() {
        this.reset()
        const count = await withinScrape(records.overdueCount())
        if (count === undefined) this.remove()
        else this.set(count)
      },
    })
    new Gauge({
      name: 'gone_queue_jobs',
      help: 'Jobs by queue and BullMQ state. Missing while Redis cannot answer.',
      labelNames: ['queue', 'state'],
      registers,
      async collect() {
        this.reset()
        const both = Promise.all([queue.counts(), jobs.counts()])
        const [rounds, others] = (await withinScrape(both)) ?? [undefined, {}]
        for (const [name, counts] of Object.entries({
          ...others,
          ...(rounds && { [ROUNDS_QUEUE]: rounds }),
        })) {
          for (const [state, count] of Object.entries(counts)) this.set({ queue: name, state }, count)
        }
      },
    })
    new Counter({
      name: 'gone_redelivered_total',
      help: 'Rounds that the sweeper of this process delivered to the queue for one that could not.',
      registers,
      collect() {
        this.reset()
        this.inc(sweeper.redelivered)
      },
    })
  }

  private collectStoreWatch({ storeWatch }: MetricsParts): void {
    new Counter({
      name: 'gone_store_losses_total',
      help: 'Times that this process noticed that Redis had lost what it had acknowledged.',
      registers: [this.registry],
      collect() {
        this.reset()
        this.inc(storeWatch.losses)
      },
    })
  }

  private collectAlerts({ alerts, watchman, deliveries }: MetricsParts): void {
    const registers = [this.registry]
    new Gauge({
      name: 'gone_alerts_open',
      help: 'Alerts that are open now, by kind. Missing while Redis cannot answer.',
      labelNames: ['kind'],
      registers,
      async collect() {
        this.reset()
        const counts = await withinScrape(alerts.openCounts())
        for (const kind of ALERT_KINDS) if (counts) this.set({ kind }, counts[kind])
      },
    })
    new Counter({
      name: 'gone_alerts_total',
      help: 'Alerts that this process opened and resolved, by kind and event.',
      labelNames: ['kind', 'event'],
      registers,
      collect() {
        this.reset()
        for (const [event, kinds] of Object.entries(watchman.counts)) {
          for (const [kind, count] of Object.entries(kinds)) this.inc({ kind, event }, count)
        }
      },
    })
    if (deliveries === undefined) return
    new Counter({
      name: 'gone_alert_deliveries_total',
      help: 'Attempts of this process to tell of an alert, by outcome: delivered, retried (failed, to be tried again), givenUp.',
      labelNames: ['outcome'],
      registers,
      collect() {
        this.reset()
        for (const [outcome, count] of Object.entries(deliveries)) this.inc({ outcome }, count)
      },
    })
  }
}

/** A scrape must answer also when Redis does not. */
async function withinScrape<T>(promise: Promise<T>): Promise<T | undefined> {
  return within(SCRAPE_WITHIN_MS, promise, () => new Error('too slow')).catch(() => undefined)
}
