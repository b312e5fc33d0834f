import type { Submission } from '../../core/rounds/job.ts'
import type { RoundState } from '../../core/rounds/record.ts'
import { checkIdentifier, type RoundId, roundId } from '../../core/rounds/round.ts'
import { stateIn } from '../../core/rounds/round-filter.ts'
import type { Log, Records } from '../../core/rounds/round-ports.ts'
import {
  isSame,
  revisionOf,
  roundOfSlot,
  type Schedule,
  type ScheduleId,
  type ScheduleSpec,
  scheduleKey,
} from '../../core/schedules/schedule.ts'
import type {
  ListedSchedule,
  SchedulePage,
  ScheduleSighting,
  ScheduleStore,
} from '../../core/schedules/schedule-ports.ts'
import { beginOf, wakeOf } from '../../core/schedules/tick.ts'
import type { Slot } from '../../core/time/timetable.ts'
import { GoneError } from '../../errors.ts'
import { eachAtOnce } from '../../waiting.ts'
import type { Watchman } from '../alerts/watchman.ts'
import { orLater } from '../or-later.ts'
import type { Dispatcher } from '../rounds/dispatcher.ts'
import type { Ticker } from './ticker.ts'
import type { Timetables } from './timetables.ts'

export interface SchedulesParts {
  readonly store: ScheduleStore
  readonly ticker: Ticker
  readonly dispatcher: Dispatcher
  readonly records: Pick<Records, 'readAll'>
  readonly timetables: Timetables
  /** Told of each schedule that was stored or removed. */
  readonly watchman: Pick<Watchman, 'heed'>
  readonly log: Log
}

/** A schedule as it is after what was asked. */
export interface SeenSchedule {
  readonly nowMs: number
  readonly schedule: Schedule
}

export interface BackfilledSlot {
  readonly slot: Slot
  readonly round: RoundId
  readonly isFirst: boolean
}

interface Backfill {
  readonly fromMs: number
  readonly toMs: number
  readonly max: number
  /** Nothing is submitted. */
  readonly isDryRun?: boolean
  /** How many are to be submitted for the first time; missing: as many as there are. */
  readonly count?: number
}

/** Asked before a round is submitted for whoever asks for it. @throws where they may have no more jobs */
type Claim = (round: RoundId, job: Submission) => Promise<void>

/** How the schedule has to be for it to be put; what is missing, however it is. */
interface Precondition {
  /** The revision that it is of, or `*`: it is there. */
  readonly ifMatch?: string
  /** It is not there. */
  readonly ifNoneMatch?: string
}

/** Others may change the schedule while we do; so often in a row they do not. */
const MAX_TRIES = 30
const BACKFILL_AT_ONCE = 16

/** What can be asked of schedules. Each call may be sent again where its answer was lost. */
export class Schedules {
  constructor(private readonly parts: SchedulesParts) {}

  /**
   * Makes the schedule be as asked. What was due before is accounted for as it was asked then; a new timing begins now.
   *
   * @throws GoneError `STORE_UNAVAILABLE`, `QUOTA_EXCEEDED`; `CHANGED_MEANWHILE` where it is not as the precondition says
   */
  async put(
    id: ScheduleId,
    spec: ScheduleSpec,
    precondition: Precondition = {},
  ): Promise<SeenSchedule & { readonly isNew: boolean }> {
    await this.parts.dispatcher.admit(spec.job)
    const isNew = { value: false }
    const seen = await this.change(id, ({ schedule, nowMs }) => {
      isNew.value = schedule === undefined
      // Also where the answer to the same call was lost.
      if (schedule && isSame(schedule.spec, spec)) return schedule
      check(id, schedule, precondition)
      return schedule ? this.replaced(schedule, spec, nowMs) : this.made(spec, nowMs)
    })
    return { ...seen, isNew: isNew.value }
  }

  /** @throws GoneError `NO_SUCH_SCHEDULE` */
  async get(id: ScheduleId): Promise<SeenSchedule> {
    return known(id, await this.parts.store.read(id))
  }

  async list(query: {
    readonly system?: string
    readonly after?: ScheduleId
    readonly limit: number
  }): Promise<SchedulePage> {
    return this.parts.store.list(query)
  }

  /** What became of the last round of each that has had one, as far as that is known still. */
  async lastStates(listed: readonly ListedSchedule[]): Promise<ReadonlyMap<ListedSchedule, RoundState>> {
    const lasts = listed.flatMap((one) => {
      const { last } = one.schedule
      return last ? [{ one, round: roundOfSlot(one.id, last) }] : []
    })
    const seen = await this.parts.records.readAll(lasts.map(({ round }) => round))
    return new Map(
      lasts.flatMap(({ one }, index) => {
        const sight = seen[index]
        return sight?.record || sight?.submission ? [[one, stateIn(sight, sight.nowMs)] as const] : []
      }),
    )
  }

  /** Its rounds stay as they are. @throws GoneError `NO_SUCH_SCHEDULE` */
  async remove(id: ScheduleId): Promise<void> {
    if (!(await this.parts.store.remove(id))) throw noSuchSchedule(id)
    this.parts.log.info({ schedule: scheduleKey(id) }, 'schedule removed')
    await Promise.all([this.setWake(id), this.parts.watchman.heed(id)])
  }

  /** What was due before is submitted; from now on nothing is. @throws GoneError `NO_SUCH_SCHEDULE` */
  async pause(id: ScheduleId): Promise<SeenSchedule> {
    return this.change(id, (seen) => {
      const { schedule } = known(id, seen)
      return schedule.isPaused ? schedule : { ...schedule, isPaused: true, updatedAtMs: seen.nowMs }
    })
  }

  /** What fell into the pause is not run. @throws GoneError `NO_SUCH_SCHEDULE` */
  async resume(id: ScheduleId): Promise<SeenSchedule> {
    return this.change(id, (seen) => {
      const { schedule } = known(id, seen)
      if (!schedule.isPaused) return schedule
      const { nowMs } = seen
      return { ...this.from(schedule, nowMs), isPaused: false, updatedAtMs: nowMs, expectedSinceMs: nowMs }
    })
  }

  /**
   * Submits the schedule's job now, as a round of its own beside the slots.
   *
   * @param triggerId tells triggers apart: the same again is the same round
   */
  async trigger(
    id: ScheduleId,
    triggerId: string,
    claim?: Claim,
  ): Promise<{ readonly round: RoundId; readonly nowMs: number }> {
    const { schedule } = await this.get(id)
    const round = roundId(id.system, `${id.name}+${triggerId}`)
    const { nowMs } = await this.submitClaimed(round, schedule, claim)
    return { round, nowMs }
  }

  /**
   * Submits the slots due in [fromMs, toMs], oldest first, at most `max`; those that were submitted before stay as they are.
   * Where a claim is refused some may have been submitted: the same call goes on with the rest.
   *
   * @throws GoneError `CHANGED_MEANWHILE` where other than `count` would be submitted for the first time
   */
  async backfill(
    id: ScheduleId,
    { fromMs, toMs, max, isDryRun, count }: Backfill,
    claim?: Claim,
  ): Promise<{
    readonly slots: readonly BackfilledSlot[]
    readonly nowMs: number
    readonly nextMs?: number
  }> {
    const { schedule, nowMs } = await this.get(id)
    if (toMs > nowMs)
      throw new GoneError(
        'INVALID_BODY',
        `to: expected a time that has passed, got ${new Date(toMs).toISOString()}: what is to come will come by itself`,
      )
    const timetable = this.parts.timetables.of(schedule.spec)
    const due = timetable.between(fromMs - 1, toMs, max)
    // Offsets had seconds until 1972: with a long name that is a round which nobody could ask for.
    for (const slot of due) checkIdentifier('round', roundOfSlot(id, slot).round)
    const planned = isDryRun || count !== undefined ? await this.planned(id, due) : []
    const fresh = planned.filter(({ isFirst }) => isFirst).length
    if (count !== undefined && count !== fresh)
      throw new GoneError(
        'CHANGED_MEANWHILE',
        `count: ${fresh} slots would be submitted now, and you have counted ${count}; nothing was done`,
      )
    const slots = isDryRun ? planned : await this.submitted(id, schedule, due, claim)
    const last = due.at(-1)
    const rest = last && timetable.between(last.dueMs, toMs, 1)[0]
    return { slots, nowMs, ...(rest && { nextMs: rest.dueMs }) }
  }

  /** Which of the slots would be submitted for the first time. */
  private async planned(id: ScheduleId, due: readonly Slot[]): Promise<readonly BackfilledSlot[]> {
    return eachAtOnce(BACKFILL_AT_ONCE, due, async (slot): Promise<BackfilledSlot> => {
      const round = roundOfSlot(id, slot)
      return { slot, round, isFirst: await this.parts.dispatcher.isFresh(round) }
    })
  }

  private async submitted(
    id: ScheduleId,
    schedule: Schedule,
    due: readonly Slot[],
    claim: Claim | undefined,
  ): Promise<readonly BackfilledSlot[]> {
    return eachAtOnce(BACKFILL_AT_ONCE, due, async (slot): Promise<BackfilledSlot> => {
      const round = roundOfSlot(id, slot)
      const { isFirst } = await this.submitClaimed(round, schedule, claim)
      return { slot, round, isFirst }
    })
  }

  private async submitClaimed(round: RoundId, { spec: { job } }: Schedule, claim: Claim | undefined) {
    const { dispatcher } = this.parts
    // What was submitted before is no job more, and of a backfill that may be most.
    if (claim && (await dispatcher.isFresh(round))) await claim(round, job)
    return dispatcher.submit(round, job)
  }

  /** The slots that come next, whether or not the schedule is paused. */
  async next(id: ScheduleId, count: number): Promise<SeenSchedule & { readonly slots: readonly Slot[] }> {
    const { schedule, nowMs } = await this.get(id)
    const slots = this.parts.timetables.of(schedule.spec).between(nowMs, Number.POSITIVE_INFINITY, count)
    return { schedule, nowMs, slots: slots.slice(0, count) }
  }

  /** The slots that would come next if the schedule was put so now. */
  async preview(
    id: ScheduleId,
    spec: ScheduleSpec,
    count: number,
  ): Promise<{ readonly slots: readonly Slot[]; readonly nowMs: number }> {
    const { nowMs } = await this.parts.store.read(id)
    const begin = Math.max(nowMs, beginOf(spec, nowMs))
    const slots = this.parts.timetables.of(spec).between(begin, Number.POSITIVE_INFINITY, count)
    return { slots: slots.slice(0, count), nowMs }
  }

  private made(spec: ScheduleSpec, nowMs: number): Schedule {
    const schedule: Schedule = {
      spec,
      isPaused: false,
      createdAtMs: nowMs,
      updatedAtMs: nowMs,
      expectedSinceMs: nowMs,
      cursorMs: 0,
      held: [],
      lastSkipped: 0,
      counts: { submitted: 0, skipped: 0, missed: 0 },
      leftOut: [],
    }
    return this.from(schedule, beginOf(spec, nowMs))
  }

  private replaced(schedule: Schedule, spec: ScheduleSpec, nowMs: number): Schedule {
    const isSameTiming = isSame(schedule.spec.timing, spec.timing)
    const isExpectedSame = isSameTiming && isSame(schedule.spec.expect ?? null, spec.expect ?? null)
    const expectedSinceMs = isExpectedSame ? schedule.expectedSinceMs : nowMs
    const changed = { ...schedule, spec, updatedAtMs: nowMs, expectedSinceMs }
    if (isSameTiming) return changed
    const isSameInstant = spec.timing.atMs !== undefined && spec.timing.atMs === schedule.spec.timing.atMs
    // In another zone the one slot of an `at` has another key: it would be another round.
    return this.from(changed, isSameInstant ? schedule.cursorMs : beginOf(spec, nowMs))
  }

  /** The schedule with its cursor there. */
  private from(schedule: Schedule, cursorMs: number): Schedule {
    const { next: _, ...rest } = schedule
    const next = this.parts.timetables.of(schedule.spec).after(cursorMs)
    return { ...rest, cursorMs, ...(next && { next }) }
  }

  /** Stores the change and sets the wake. What is due by then is accounted for first. */
  private async change(id: ScheduleId, to: (seen: ScheduleSighting) => Schedule): Promise<SeenSchedule> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const seen = await this.parts.store.read(id)
      const { schedule: before, nowMs, revision } = seen
      const after = to(seen)
      if (after === before) return { nowMs, schedule: after }
      const isDue = before?.isPaused === false && before.next !== undefined && before.next.dueMs <= nowMs
      if (isDue) {
        await this.parts.ticker.settle(id)
        continue
      }
      const wakeMs = wakeOf(after, nowMs)
      if ((await this.parts.store.save(id, revision, after, wakeMs)) === undefined) continue
      this.parts.log.info({ schedule: scheduleKey(id), isPaused: after.isPaused }, 'schedule stored')
      await Promise.all([this.setWake(id), this.parts.watchman.heed(id)])
      return { nowMs, schedule: after }
    }
    throw new GoneError(
      'STORE_UNAVAILABLE',
      `schedule ${scheduleKey(id)} changes all the time; safe to retry`,
    )
  }

  /** The schedule is stored: where its wake cannot be set, the watchdog sets it. */
  private async setWake(id: ScheduleId): Promise<void> {
    const { ticker, log } = this.parts
    await orLater(log, { schedule: scheduleKey(id) }, 'next wake not set; the watchdog will', () =>
      ticker.tick(id),
    )
  }
}

function check(id: ScheduleId, schedule: Schedule | undefined, precondition: Precondition): void {
  const words = differenceOf(schedule, precondition)
  if (words === undefined) return
  throw new GoneError('CHANGED_MEANWHILE', `${id.system}/${id.name}: ${words}; nothing was done`)
}

/** How the schedule is other than it has to be. */
function differenceOf(
  schedule: Schedule | undefined,
  { ifMatch, ifNoneMatch }: Precondition,
): string | undefined {
  if (schedule && ifNoneMatch !== undefined) return 'there is such a schedule already'
  if (ifMatch === undefined) return undefined
  if (schedule === undefined) return 'there is no such schedule any more'
  const isAsSeen = ifMatch === '*' || ifMatch === revisionOf(schedule.spec)
  return isAsSeen ? undefined : 'somebody has changed it since you looked'
}

function known(id: ScheduleId, { schedule, nowMs }: ScheduleSighting): SeenSchedule {
  if (schedule === undefined) throw noSuchSchedule(id)
  return { schedule, nowMs }
}

function noSuchSchedule({ system, name }: ScheduleId): GoneError {
  return new GoneError('NO_SUCH_SCHEDULE', `${system}/${name}: there is no such schedule`)
}
