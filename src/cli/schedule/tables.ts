import type { ListedScheduleJson } from '../../client/schedules.ts'
import type { SlotJson } from '../../core/schedule-wire.ts'
import { tableOf, widthsWithin } from '../table.ts'
import type { Colors } from '../terminal.ts'
import { titleOf } from './plan.ts'
import { localTime, utcTime } from './times.ts'
import { shortWhen } from './words.ts'

/** One schedule a line. Where `columns` are too few, names and expressions are shortened. */
export function scheduleTable(
  schedules: readonly ListedScheduleJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
): string {
  const rows = schedules.map((schedule) => [
    titleOf(schedule),
    whenOf(schedule),
    ...nextCells(schedule, colors),
  ])
  const titles = ['schedule', 'when', 'next run, local', 'in UTC']
  return tableOf(titles, rows, { colors, widths: widthsWithin(columns, [titles, ...rows], [0, 1]) })
}

/** One run a line. */
export function slotTable(
  slots: readonly SlotJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
): string {
  const titles = ['local', 'in UTC', 'round']
  const rows = slots.map((slot) => [localTime(slot, { weekday: true }), utcTime(slot), slot.round])
  return tableOf(titles, rows, { colors, widths: widthsWithin(columns, [titles, ...rows], [2]) })
}

/** Of what comes once the next run says when. */
function whenOf(schedule: ListedScheduleJson): string {
  return schedule.at === undefined ? shortWhen(schedule) : 'once'
}

function nextCells({ paused, next }: ListedScheduleJson, { yellow, dim }: Colors): string[] {
  if (paused) return [yellow('paused'), '']
  return next === null ? [dim('no more'), ''] : [localTime(next), utcTime(next)]
}
