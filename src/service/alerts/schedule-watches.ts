import type { Excuse, ScheduleWatch, ScheduleWatches, WatchName } from '../../core/alerts/alert-ports.ts'
import type { Records } from '../../core/rounds/round-ports.ts'
import { roundOfSlot, type Schedule, type ScheduleId } from '../../core/schedules/schedule.ts'
import type { ScheduleStore } from '../../core/schedules/schedule-ports.ts'
import type { Slot } from '../../core/time/timetable.ts'
import type { Timetables } from '../schedules/timetables.ts'

const PAGE_SIZE = 1_000
/** How many slots back the round is looked for that kept a slot's out. */
const MAX_BACK = 20

/** The schedules that expect something, for the watchman. */
export class StoredScheduleWatches implements ScheduleWatches {
  constructor(
    private readonly store: ScheduleStore,
    private readonly records: Pick<Records, 'read'>,
    private readonly timetables: Timetables,
  ) {}

  async all() {
    const found: (WatchName & { readonly sinceMs: number })[] = []
    let after: ScheduleId | undefined
    do {
      const page = await this.store.list({ limit: PAGE_SIZE, ...(after && { after }) })
      for (const { id, schedule } of page.schedules) {
        if (schedule.spec.expect) found.push({ ...id, sinceMs: schedule.expectedSinceMs })
      }
      after = page.next
    } while (after)
    return found
  }

  async find(name: WatchName): Promise<ScheduleWatch | undefined> {
    const { schedule } = await this.store.read(name)
    const expect = schedule?.spec.expect
    if (schedule === undefined || expect === undefined) return undefined
    const { timing } = schedule.spec
    return {
      expectation: { timetable: timing, graceMs: expect.graceMs },
      sinceMs: schedule.expectedSinceMs,
      ...(schedule.isPaused && { untilMs: schedule.cursorMs }),
      excuse: (slot) => this.excuse(name, schedule, slot),
    }
  }

  /** What is too old or too many to be made up for has no excuse: nobody ran it. */
  private async excuse(id: WatchName, schedule: Schedule, slot: Slot): Promise<Excuse | undefined> {
    const { spec, cursorMs, held, leftOut } = schedule
    if (held.some(({ key }) => key === slot.key)) return 'held'
    const known = leftOut.find(({ key }) => key === slot.key)
    if (known) return known.why === 'skipped' ? 'leftOut' : undefined
    // It is not among the newest that were left out, so what is known of the rounds before it has to say.
    const mayLeaveOut = spec.overlap === 'skip' || spec.overlap === 'queue'
    if (!mayLeaveOut || slot.dueMs > cursorMs) return undefined
    return (await this.wasBusy(id, schedule, slot)) ? 'leftOut' : undefined
  }

  /** Whether the round before the slot's had not ended when it was due. */
  private async wasBusy(id: WatchName, { spec, last }: Schedule, slot: Slot): Promise<boolean> {
    let before = last && last.dueMs < slot.dueMs ? last : this.timetables.of(spec).last(slot.dueMs - 1)
    for (let back = 0; before && back < MAX_BACK; back += 1) {
      const { record, submission } = await this.records.read(roundOfSlot(id, before))
      if (record?.completion) return record.completion.atMs > slot.dueMs
      if (record || submission) return true
      before = this.timetables.of(spec).last(before.dueMs - 1)
    }
    return false
  }
}
