import { type ScheduleId, scheduleKey } from '../core/schedules/schedule.ts'
import type { Wake, Wakes } from '../core/schedules/schedule-ports.ts'

/** The twin of WakeQueue in memory, for tests of what stands on wakes. It wakes nobody. */
export class MemoryWakes implements Wakes {
  private readonly wakes = new Map<string, Wake>()

  async set(wake: Wake): Promise<void> {
    this.wakes.set(scheduleKey(wake.id), wake)
  }

  async remove(id: ScheduleId): Promise<void> {
    this.wakes.delete(scheduleKey(id))
  }

  async missing(ids: readonly ScheduleId[]): Promise<readonly ScheduleId[]> {
    return ids.filter((id) => !this.wakes.has(scheduleKey(id)))
  }

  /** When the schedule's wake rings, by the store's clock; undefined if it has none. */
  ringsAtMs(id: ScheduleId): number | undefined {
    return this.wakes.get(scheduleKey(id))?.atMs
  }
}
