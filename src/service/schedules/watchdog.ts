import type { Log } from '../../core/rounds/round-ports.ts'
import { scheduleKey } from '../../core/schedules/schedule.ts'
import type { ScheduleStore, Wake, Wakes } from '../../core/schedules/schedule-ports.ts'
import { GoneError } from '../../errors.ts'
import { eachAtOnce } from '../../waiting.ts'
import type { Calm } from '../calm.ts'
import { Loop, type Work } from '../loop.ts'
import type { Ticker } from './ticker.ts'

/** A schedule that is so late has no wake, or one that nobody hears. */
const LATE_MS = 5_000
const TICK_LATE_EVERY_MS = 1_000
/** Wakes that were lost are found before they are missed, as a rule. */
const CHECK_EVERY_MS = 60_000
const MAX_LATE = 1_000
const CHECKED_AT_ONCE = 500
const AT_ONCE = 32

/**
 * Ticks schedules that have gone silent, and sets their wakes again: all of them at the start, where need be. Runs in
 * every facade process; that two of them do the same is harmless.
 */
export class Watchdog implements Work {
  private readonly loop = new Loop({
    everyMs: TICK_LATE_EVERY_MS,
    work: () => this.tickAndCheck(),
    putOff: (cause) => this.log.debug({ cause }, 'watchdog put off'),
  })
  private rearmedCount = 0
  private checkAtMs = 0

  constructor(
    private readonly store: ScheduleStore,
    private readonly wakes: Wakes,
    private readonly ticker: Ticker,
    private readonly log: Log,
  ) {}

  /** How many wakes this process has set again. */
  get rearmed(): number {
    return this.rearmedCount
  }

  start(calm?: Calm): void {
    this.loop.start(calm)
  }

  stop(): Promise<void> {
    return this.loop.stop()
  }

  /** Ticks what is late, once. */
  async tickLate(): Promise<void> {
    const { wakes } = await this.store.late(LATE_MS, MAX_LATE)
    await this.each(wakes, ({ id }) => this.ticker.tick(id))
    this.note(wakes, 'late schedules ticked, their next wakes set')
  }

  /** Sets every wake that is missing. */
  async check(): Promise<void> {
    for (let offset = 0; !this.loop.signal.aborted; offset += CHECKED_AT_ONCE) {
      const { wakes, nowMs } = await this.store.wakes(offset, CHECKED_AT_ONCE)
      if (wakes.length === 0) return
      const silent = new Set((await this.wakes.missing(wakes.map(({ id }) => id))).map(scheduleKey))
      const found = wakes.filter(({ id }) => silent.has(scheduleKey(id)))
      await this.each(found, (wake) => this.wakes.set(wake, nowMs))
      this.note(found, 'next wakes were missing and are set again')
    }
  }

  private async tickAndCheck(): Promise<void> {
    await this.tickLate()
    if (performance.now() < this.checkAtMs) return
    await this.check()
    this.checkAtMs = performance.now() + CHECK_EVERY_MS
  }

  private async each(wakes: readonly Wake[], act: (wake: Wake) => Promise<unknown>): Promise<void> {
    await eachAtOnce(AT_ONCE, wakes, async (wake) => {
      if (!this.loop.signal.aborted) await this.attempt(wake, act)
    })
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
