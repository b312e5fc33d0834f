import type { NextSlotJson, ScheduleJson } from '../../client/schedule-types.ts'
import { tableOf } from '../table.ts'
import type { Colors } from '../terminal.ts'
import { titleOf } from './plan.ts'
import { localTime, utcTime } from './times.ts'
import { shortWhen } from './words.ts'

/** One schedule a line. Where `columns` are too few, expressions are shortened first, then names. */
export function scheduleTable(schedules: readonly ScheduleJson[], colors: Colors, columns?: number): string {
  const rows = schedules.map((schedule) => [titleOf(schedule), whenOf(schedule), ...nextCells(schedule, colors)])
  const titles = ['schedule', 'when', 'next run, local', 'in UTC']
  return tableOf(titles, rows, { colors, ...fit(columns, titles, rows, [1, 0]) })
}

/** One run a line. */
export function slotTable(slots: readonly NextSlotJson[], colors: Colors, columns?: number): string {
  const titles = ['local', 'in UTC', 'round']
  const rows = slots.map((slot) => [localTime(slot, { weekday: true }), utcTime(slot), slot.round])
  return tableOf(titles, rows, { colors, ...fit(columns, titles, rows, [2]) })
}

/** Of what comes once the next run says when. */
function whenOf(schedule: ScheduleJson): string {
  return schedule.at === undefined ? shortWhen(schedule) : 'once'
}

function nextCells({ paused, next }: ScheduleJson, { yellow, dim }: Colors): string[] {
  if (paused) return [yellow('paused'), '']
  return next === null ? [dim('no more'), ''] : [localTime(next), utcTime(next)]
}
