import { scheduleId } from '../../src/core/schedules/schedule.ts'
import { readScheduleBody } from '../../src/core/schedules/schedule-body.ts'
import { type ScheduleBody, type ScheduleJson, scheduleJson } from '../../src/core/schedules/schedule-wire.ts'
import { Timetable } from '../../src/core/time/timetable.ts'

/** A Sunday. */
const NOW_MS = Date.parse('2026-11-22T11:00:00Z')

/** A schedule as the server would show it, an hour after it was made. */
export function shownSchedule(
  system: string,
  name: string,
  body: ScheduleBody,
  { isPaused = false } = {},
): ScheduleJson {
  const spec = readScheduleBody(body, system)
  const next = new Timetable(spec.timing).after(NOW_MS)
  const json = scheduleJson(scheduleId(system, name), {
    spec,
    isPaused,
    createdAtMs: NOW_MS - 3_600_000,
    updatedAtMs: NOW_MS - 3_600_000,
    expectedSinceMs: NOW_MS - 3_600_000,
    cursorMs: NOW_MS,
    ...(next && { next }),
    held: [],
    lastSkipped: 0,
    counts: { submitted: 0, skipped: 0, missed: 0 },
    leftOut: [],
  })
  return { ...json, now: new Date(NOW_MS).toISOString() }
}
