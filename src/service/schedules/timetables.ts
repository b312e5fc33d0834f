import type { ScheduleSpec } from '../../core/schedules/schedule.ts'
import { Timetable } from '../../core/time/timetable.ts'

const MAX_KEPT = 20_000

/** Timetables that were made before: many schedules have the same, and each is asked again and again. */
export class Timetables {
  private readonly kept = new Map<string, Timetable>()

  of({ timing }: Pick<ScheduleSpec, 'timing'>): Timetable {
    const key = JSON.stringify(timing)
    const known = this.kept.get(key)
    if (known) return known
    const made = new Timetable(timing)
    if (this.kept.size >= MAX_KEPT) this.kept.clear()
    this.kept.set(key, made)
    return made
  }
}
