import type { Log } from '../core/ports.ts'
import { scheduleKey } from '../core/schedule.ts'
import type { Alarms, ScheduleStore, Wake } from '../core/schedule-ports.ts'
import { GoneError } from '../errors.ts'
import { repeat } from './repeat.ts'
import type { Ticker } from './ticker.ts'

/** A schedule that is so late has no alarm, or one that nobody hears. */
const LATE_MS = 5_000
const LOOK_EVERY_MS = 1_000
/** Alarms that were lost are found before they are missed, as a rule. */
const CHECK_EVERY_MS = 60_000
const MAX_LATE = 1_000
const CHECKED_AT_ONCE = 500
const AT_ONCE = 32

/**
 * Ticks schedules that have gone silent, and sets their alarms again: all of them at the start, where need be. Runs in
 * every facade process; that two of them do the same is harmless.
 */
export class Watchdog {
  private readonly stopping = new AbortController()
  private running: Promise<void> | undefined
  private rearmedCount = 0
  private checkAtMs = 0

  constructor(
    private readonly store: ScheduleStore,
    private readonly alarms: Alarms,
    private readonly ticker: Ticker,
    private readonly log: Log,
  ) {}

  /** How many alarms this process has set again. */
  get rearmed(): number {
    return this.rearmedCount
  }

  start(): void {
    this.running ??= repeat(
      this.stopping.signal,
      LOOK_EVERY_MS,
      () => this.lookAndCheck(),
      (cause) => this.log.debug({ cause }, 'watchdog put off'),
    )
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
  }

  /** Ticks what is late, once. */
  async look(): Promise<void> {
    const { wakes } = await this.store.late(LATE_MS, MAX_LATE)
    if (wakes.length > 0) await this.eachAtOnce(wakes, ({ id }) => this.ticker.tick(id))
    this.note(wakes, 'late schedules ticked, their alarms set again')
  }

  /** Sets every alarm that is missing. */
  async check(): Promise<void> {
    for (let offset = 0; !this.stopping.signal.aborted; offset += CHECKED_AT_ONCE) {
      const { wakes, nowMs } = await this.store.wakes(offset, CHECKED_AT_ONCE)
      if (wakes.length === 0) return
      const silent = new Set((await this.alarms.missing(wakes.map(({ id }) => id))).map(scheduleKey))
      const found = wakes.filter(({ id }) => silent.has(scheduleKey(id)))
      await this.eachAtOnce(found, (wake) => this.alarms.set(wake, nowMs))
      this.note(found, 'alarms were missing and are set again')
    }
  }

  private async lookAndCheck(): Promise<void> {
    await this.look()
    if (performance.now() < this.checkAtMs) return
    await this.check()
    this.checkAtMs = performance.now() + CHECK_EVERY_MS
  }

  private async eachAtOnce(wakes: readonly Wake[], act: (wake: Wake) => Promise<unknown>): Promise<void> {
    const rest = [...wakes]
    const lane = async () => {
      for (let wake = rest.shift(); wake && !this.stopping.signal.aborted; wake = rest.shift())
        await this.attempt(wake, act)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
  }

  /** One schedule that cannot be ticked must not keep the others from it. */
  private async attempt(wake: Wake, act: (wake: Wake) => Promise<unknown>): Promise<void> {
    try {
      await act(wake)
    } catch (error) {
      const schedule = scheduleKey(wake.id)
      if (error instanceof GoneError && error.retryable)
        this.log.debug({ schedule, cause: error.message }, 'not ticked')
      else this.log.error({ schedule, err: error }, 'schedule cannot be ticked')
    }
  }

  private note(found: readonly Wake[], message: string): void {
    const [first] = found
    if (first === undefined) return
    this.rearmedCount += found.length
    this.log.warn({ count: found.length, first: scheduleKey(first.id) }, message)
  }
}
