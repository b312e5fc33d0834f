import type { Log, Records } from '../../core/rounds/round-ports.ts'
import {
  roundOfSlot,
  type Schedule,
  type ScheduleId,
  scheduleKey,
  submissionOf,
} from '../../core/schedules/schedule.ts'
import type { ScheduleSighting, ScheduleStore, Wakes } from '../../core/schedules/schedule-ports.ts'
import {
  accounted,
  arrivalsOf,
  newestHeld,
  type SubmittedSlot,
  submitted,
  wakeOf,
} from '../../core/schedules/tick.ts'
import type { Slot } from '../../core/time/timetable.ts'
import { GoneError } from '../../errors.ts'
import type { Canceller } from '../rounds/canceller.ts'
import type { Dispatcher } from '../rounds/dispatcher.ts'
import type { Timetables } from './timetables.ts'

/** Counts what becomes of slots. Each slot is told of once, by the process that has accounted for it. */
export interface SlotObserver {
  submitted(latenessMs: number): void
  leftOut(outcome: 'skipped' | 'missed', count: number): void
}

export interface TickerParts {
  readonly store: ScheduleStore
  readonly wakes: Wakes
  readonly dispatcher: Dispatcher
  readonly records: Records
  readonly canceller: Canceller
  readonly timetables: Timetables
  readonly observer: SlotObserver
  readonly log: Log
}

/** How a schedule was left: when it wants to be ticked again on the store's clock, which was `nowMs`. */
export interface Ticked {
  readonly nowMs: number
  readonly wakeMs?: number
  /** True if there was nothing to do, nor anything to look at: it was ticked early. */
  readonly isIdle: boolean
}

/** Another process does the same work whenever a change is not stored; so often it must have got somewhere. */
const MAX_TRIES = 100
const SUBMIT_AT_ONCE = 50

/**
 * Submits what is due. First the slots are accounted for in one step with the cursor: left out by policy, or held. Then
 * the held ones are submitted, which may be done twice, and crossed off in another step. So whoever dies in between leaves
 * nothing that the next tick does not find, and however many tick at once, each slot comes to one end.
 */
export class Ticker {
  constructor(private readonly parts: TickerParts) {}

  /**
   * Ticks once and sets the wake for the next time.
   *
   * @throws GoneError `STORE_UNAVAILABLE`: what was not done yet is done by the next tick
   */
  async tick(id: ScheduleId): Promise<Ticked> {
    const ticked = await this.settle(id)
    if (ticked.wakeMs === undefined) await this.parts.wakes.remove(id)
    else await this.parts.wakes.set({ id, atMs: ticked.wakeMs }, ticked.nowMs)
    return ticked
  }

  /** Submits what is due, and leaves the wake alone. */
  async settle(id: ScheduleId): Promise<Ticked> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const seen = await this.parts.store.read(id)
      const { schedule, nowMs } = seen
      const isIdle = tries === 0
      if (schedule === undefined || isAtRest(schedule)) return { nowMs, isIdle }
      // Held slots go first: one that was submitted, and not crossed off, is the predecessor of what has come since.
      const step = (await this.submitHeld(id, seen, schedule)) ?? (await this.account(id, seen, schedule))
      if (step === 'again') continue
      const wakeMs = wakeOf(schedule, nowMs)
      if (schedule.held.length > 0 && !(await this.noteWake(id, seen, schedule))) continue
      return { nowMs, isIdle: isIdle && schedule.held.length === 0, ...(wakeMs !== undefined && { wakeMs }) }
    }
    throw new GoneError(
      'STORE_UNAVAILABLE',
      `schedule ${scheduleKey(id)} changes all the time; safe to retry`,
    )
  }

  /** Accounts for what has come; undefined if nothing has. */
  private async account(
    id: ScheduleId,
    { revision, nowMs }: ScheduleSighting,
    schedule: Schedule,
  ): Promise<'again' | undefined> {
    if (schedule.isPaused || schedule.next === undefined || schedule.next.dueMs > nowMs) return undefined
    const timetable = this.parts.timetables.of(schedule.spec)
    const arrivals = arrivalsOf(schedule, timetable, nowMs)
    const isBusy = schedule.spec.overlap === 'skip' && (await this.isBusy(id, schedule))
    const after = accounted(schedule, arrivals, timetable, nowMs, isBusy)
    const saved = await this.parts.store.save(id, revision, after, wakeAfter(after, nowMs))
    if (saved !== undefined) this.observe(id, schedule, after)
    return 'again'
  }

  /** Submits what is held, as far as the policy lets it go; undefined if there is nothing to submit now. */
  private async submitHeld(
    id: ScheduleId,
    { revision, nowMs }: ScheduleSighting,
    schedule: Schedule,
  ): Promise<'again' | undefined> {
    const { held, spec } = schedule
    const [first] = held
    if (first === undefined) return undefined
    // There is more than one only where they were held under another policy.
    const isOneByOne = spec.overlap === 'queue' || spec.overlap === 'skip'
    if (isOneByOne && (await this.isBusy(id, schedule))) return undefined
    if (spec.overlap === 'cancel-previous') {
      if (held.length > 1) return this.holdNewest(id, revision, schedule, nowMs)
      await this.cancelLast(id, schedule, first)
    }
    const batch = isOneByOne ? [first] : held.slice(0, SUBMIT_AT_ONCE)
    const done = await Promise.all(batch.map((slot) => this.submit(id, schedule, slot, nowMs)))
    const after = submitted(schedule, done)
    const saved = await this.parts.store.save(id, revision, after, wakeAfter(after, nowMs))
    if (saved === undefined) return 'again'
    for (const { slot, atMs } of done) this.parts.observer.submitted(Math.max(0, atMs - slot.dueMs))
    return 'again'
  }

  private async holdNewest(
    id: ScheduleId,
    revision: number,
    schedule: Schedule,
    nowMs: number,
  ): Promise<'again'> {
    const after = newestHeld(schedule)
    const saved = await this.parts.store.save(id, revision, after, wakeAfter(after, nowMs))
    if (saved !== undefined) this.observe(id, schedule, after)
    return 'again'
  }

  /** Notes when to look again whether the held slots may go, so that nobody takes the schedule for late until then. */
  private async noteWake(
    id: ScheduleId,
    { revision, nowMs }: ScheduleSighting,
    schedule: Schedule,
  ): Promise<boolean> {
    return (await this.parts.store.save(id, revision, schedule, wakeOf(schedule, nowMs))) !== undefined
  }

  private async submit(
    id: ScheduleId,
    { spec }: Schedule,
    slot: Slot,
    nowMs: number,
  ): Promise<SubmittedSlot> {
    const round = roundOfSlot(id, slot)
    const seen = await this.parts.dispatcher.submit(round, submissionOf(spec, round, slot, nowMs))
    return { slot, atMs: seen.submission?.submittedAtMs ?? seen.nowMs }
  }

  /** Whether the round of the last slot that was submitted has not ended. */
  private async isBusy(id: ScheduleId, { last }: Schedule): Promise<boolean> {
    if (last === undefined) return false
    const { record, submission } = await this.parts.records.read(roundOfSlot(id, last))
    return (record !== undefined || submission !== undefined) && record?.completion === undefined
  }

  private async cancelLast(id: ScheduleId, { last }: Schedule, by: Slot): Promise<void> {
    if (last === undefined || last.key === by.key) return
    const reason = `cancelled by ${roundOfSlot(id, by).round}`
    await this.parts.canceller.cancel(roundOfSlot(id, last), { by: 'schedule', reason })
  }

  private observe(id: ScheduleId, before: Schedule, after: Schedule): void {
    const { observer, log } = this.parts
    const skipped = after.counts.skipped - before.counts.skipped
    const missed = after.counts.missed - before.counts.missed
    if (skipped > 0) observer.leftOut('skipped', skipped)
    if (missed > 0) observer.leftOut('missed', missed)
    if (missed > 0)
      log.warn({ schedule: scheduleKey(id), missed }, 'slots too old or too many to be made up for')
    else if (skipped > 0)
      log.info({ schedule: scheduleKey(id), skipped }, 'slots left out: one is still at it')
  }
}

/** Whether a pause leaves nothing to do. What was due before it is submitted, also where it waits for its predecessor. */
function isAtRest({ isPaused, held }: Schedule): boolean {
  return isPaused && held.length === 0
}

/** What is held is to be submitted at once; where a server dies before that, the schedule is late, and so found. */
function wakeAfter(schedule: Schedule, nowMs: number): number | undefined {
  return schedule.held.length > 0 ? nowMs : wakeOf(schedule, nowMs)
}
