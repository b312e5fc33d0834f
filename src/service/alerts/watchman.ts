import { type AlertNews, deliveryId } from '../../core/alerts/alert.ts'
import type {
  AlertQueue,
  Alerts,
  Census,
  Excuse,
  Expectation,
  ScheduleWatch,
  ScheduleWatches,
  TakenWatch,
  WatchId,
  WatchName,
  WatchProgress,
} from '../../core/alerts/alert-ports.ts'
import type { FollowedSlot } from '../../core/alerts/expectation.ts'
import { lookAt, type SlotFacts, takeUp } from '../../core/alerts/look.ts'
import type { Log, Records } from '../../core/rounds/round-ports.ts'
import type { Timetable } from '../../core/time/timetable.ts'
import { eachAtOnce } from '../../waiting.ts'
import type { Calm } from '../calm.ts'
import { Loop, type Work } from '../loop.ts'
import { orLater } from '../or-later.ts'
import type { Timetables } from '../schedules/timetables.ts'
import type { AlertTally } from './alert-tally.ts'
import { SlotRounds } from './slot-rounds.ts'

export interface WatchmanParts {
  readonly alerts: Alerts
  readonly records: Records
  readonly census: Census
  readonly timetables: Timetables
  /** Missing: alerts are told nobody. */
  readonly queue?: AlertQueue
  /** Missing: there are no schedules. */
  readonly schedules?: ScheduleWatches
  readonly tally: Pick<AlertTally, 'note'>
  readonly log: Log
  /** How long after it may be started a round that no worker has started counts as unreported, unless its submission says. */
  readonly deadlineMs: number
}

const DISMISSED: Readonly<Record<WatchId['of'], string>> = {
  expectation: 'the expectation was removed',
  schedule: 'the schedule was removed, or expects nothing any more',
}
const LOOK_EVERY_MS = 500
const MAX_TAKEN = 128
const AT_ONCE = 16
/** A watch is given to another process when the one that took it has died. */
const HOLD_MS = 10_000
/** Schedules are watched when they are stored; this is for those whose server died in between. */
const ADOPT_EVERY_MS = 60_000
/** News this old were left by a process that died, or that could not reach the queue. */
const LEFT_AFTER_MS = 5_000
const MAX_ENTRIES = 500
/** By then every process counts the candidates of a system that is new to it. See REFRESH_EVERY_MS. */
const COUNTED_AFTER_MS = 5_000

/** What is to come, as the watch has it now. */
interface Watched {
  readonly expectation: Expectation
  /** Slots due before are not expected, but for those that are held. */
  readonly sinceMs: number
  /** Slots due after are not expected; missing: all are. */
  readonly untilMs?: number
  /** Slots whose rounds may come before are not counted. */
  readonly countedFromMs: number
  /** Why a slot has no round, if that is as it should be. */
  readonly excuse?: ScheduleWatch['excuse']
}

/**
 * Notices rounds that do not come as they should, and opens and resolves alerts. Runs in every facade process: each watch
 * is looked at by one of them at a time, and of two looks at the same only one is recorded.
 */
export class Watchman implements Work {
  private readonly loop = new Loop({
    everyMs: LOOK_EVERY_MS,
    work: () => this.adoptLookAndSweep(),
    putOff: (cause) => this.parts.log.debug({ cause }, 'watch put off'),
  })
  private adoptedAtMs = Number.NEGATIVE_INFINITY
  private readonly rounds: SlotRounds

  constructor(private readonly parts: WatchmanParts) {
    this.rounds = new SlotRounds(parts)
  }

  start(calm?: Calm): void {
    this.loop.start(calm)
  }

  stop(): Promise<void> {
    return this.loop.stop()
  }

  /** Stops watching, and resolves what is open. False if it was not watched. */
  async dismiss(id: WatchId): Promise<boolean> {
    const { alerts, queue } = this.parts
    const news = await alerts.drop(id, DISMISSED[id.of], queue !== undefined)
    await this.tell(news ?? [])
    return news !== undefined
  }

  /** Watches a schedule that was stored, or no more one that was removed. What fails here is done by `adopt`. */
  async heed(name: WatchName): Promise<void> {
    const { schedules, alerts, log } = this.parts
    await orLater(log, { ...name }, 'schedule not watched yet; the watchman will', async () => {
      const found = await schedules?.find(name)
      if (found) await alerts.adopt(name, found.sinceMs)
      else await this.dismiss({ ...name, of: 'schedule' })
    })
  }

  /** Looks at whatever is due. True if there may be more. */
  async look(): Promise<boolean> {
    const { watches, nowMs } = await this.parts.alerts.take(MAX_TAKEN, HOLD_MS)
    await eachAtOnce(AT_ONCE, watches, async (watch) => {
      if (!this.loop.signal.aborted) await this.tryLook(watch, nowMs)
    })
    return watches.length === MAX_TAKEN
  }

  /** Watches the schedules that expect something, and no others. */
  async adopt(): Promise<void> {
    const { schedules, alerts } = this.parts
    if (schedules === undefined) return
    const [all, watched] = await Promise.all([schedules.all(), alerts.watched('schedule')])
    const known = new Set(watched.map(nameText))
    for (const schedule of all) {
      if (!known.delete(nameText(schedule))) await alerts.adopt(schedule, schedule.sinceMs)
    }
    for (const name of watched) {
      if (known.has(nameText(name))) await this.dismiss({ ...name, of: 'schedule' })
    }
  }

  /** Queues news that were left. */
  async sweep(ageMs = LEFT_AFTER_MS): Promise<void> {
    const { alerts, queue } = this.parts
    if (queue === undefined) return
    for (const { entry, news } of await alerts.outbox(ageMs, MAX_ENTRIES)) {
      if (this.loop.signal.aborted) return
      if (news) await queue.add(news)
      await alerts.acknowledge(entry)
    }
  }

  private async adoptLookAndSweep(): Promise<boolean> {
    await this.adoptNowAndThen()
    const isMore = await this.look()
    await this.sweep()
    return isMore
  }

  private async adoptNowAndThen(): Promise<void> {
    const nowMs = performance.now()
    if (nowMs - this.adoptedAtMs < ADOPT_EVERY_MS) return
    this.adoptedAtMs = nowMs
    await this.adopt()
  }

  /** One watch that cannot be looked at keeps none of the others from it; it is taken again when it is no longer held. */
  private async tryLook(watch: TakenWatch, nowMs: number): Promise<void> {
    const { system, name } = watch.id
    const words = 'not looked at; will be again'
    await orLater(this.parts.log, { system, name }, words, () => this.lookAt(watch, nowMs))
  }

  private async lookAt(watch: TakenWatch, nowMs: number): Promise<void> {
    const watched = await this.watched(watch)
    if (watched === undefined) {
      await this.dismiss(watch.id)
      return
    }
    const { expectation } = watched
    const timetable = this.parts.timetables.of({ timing: expectation.timetable })
    const progress = takeUpExpected(watch.progress, watched, timetable, nowMs)
    const facts = await Promise.all(progress.slots.map((slot) => this.facts(watch.id, watched, slot, nowMs)))
    const look = lookAt(progress, expectation, timetable, facts, nowMs)
    const news = await this.parts.alerts.record(watch, look, this.parts.queue !== undefined)
    await this.tell(news ?? [])
  }

  private async watched({ id, record }: TakenWatch): Promise<Watched | undefined> {
    if (id.of === 'schedule') {
      const found = await this.parts.schedules?.find(id)
      return found && { ...found, countedFromMs: 0 }
    }
    if (record === undefined) return undefined
    const { expectation, updatedAtMs } = record
    return {
      expectation,
      sinceMs: updatedAtMs,
      countedFromMs: updatedAtMs + COUNTED_AFTER_MS,
    }
  }

  private async facts(id: WatchId, watched: Watched, slot: FollowedSlot, nowMs: number): Promise<SlotFacts> {
    const round = await this.rounds.of(id, watched.expectation, slot, nowMs)
    const excuse = round === undefined ? await excuseOf(watched, slot) : undefined
    if (excuse) return { excuse }
    const isCounted = watched.expectation.replicas !== undefined && slot.beginMs >= watched.countedFromMs
    if (round === undefined || !isCounted) return { ...(round && { round }) }
    const candidates = await this.parts.census.count({ system: id.system, round: round.round })
    return { round, ...(candidates !== undefined && { candidates }) }
  }

  private async tell(news: readonly AlertNews[]): Promise<void> {
    const { alerts, queue, tally, log } = this.parts
    for (const one of news) {
      tally.note(one)
      logNews(log, one)
      if (queue === undefined) continue
      await orLater(log, { alert: one.alert.id }, 'alert not queued yet; the watchman will', async () => {
        await queue.add(one)
        await alerts.acknowledge(deliveryId(one))
      })
    }
  }
}

/** The progress with what has come of what is expected. While nothing is, the cursor goes on with the time. */
function takeUpExpected(
  { cursorMs, slots }: WatchProgress,
  { expectation, sinceMs, untilMs = Number.POSITIVE_INFINITY }: Watched,
  timetable: Timetable,
  nowMs: number,
): WatchProgress {
  const from = { cursorMs: Math.max(cursorMs, sinceMs - 1), slots }
  const progress = takeUp(from, expectation, timetable, Math.min(nowMs, untilMs))
  const isOver = nowMs > untilMs && progress.slots.length === slots.length
  return isOver ? { ...progress, cursorMs: Math.max(progress.cursorMs, nowMs) } : progress
}

/** Why the slot has no round. What was due before a change, and is not held, does not come any more. */
async function excuseOf({ excuse, sinceMs }: Watched, slot: FollowedSlot): Promise<Excuse | undefined> {
  const why = await excuse?.(slot)
  return slot.dueMs < sinceMs && why !== 'held' ? 'leftOut' : why
}

function logNews(log: Log, { event, alert }: AlertNews): void {
  const { id, system, name, kind, lastSlot: slot, lastRound: round, count } = alert
  const fields = { alert: id, system, name, kind, slot, ...(round !== undefined && { round }) }
  if (event === 'opened') log.warn(fields, `alert opened: ${alert.detail}`)
  else log.info({ ...fields, count }, `alert resolved: ${alert.resolution ?? ''}`)
}

/** No name has a "/". */
function nameText({ system, name }: WatchName): string {
  return `${system}/${name}`
}
