import type { ListedScheduleJson } from '../../client/schedules.ts'
import type { RoundJson } from '../../core/rounds/round-wire.ts'
import type { SlotJson } from '../../core/schedules/schedule-wire.ts'
import { stateText } from '../rounds/round-tables.ts'
import type { Colors } from '../terminal.ts'
import { endWithin, tableOf, widthsWithin } from '../text/table.ts'
import { localTime, utcTime } from '../text/times.ts'
import { shortWhen } from '../text/words.ts'
import { titleOf } from './plan.ts'

const MIN_WHEN = 12
const MIN_NAME = 12

/**
 * One schedule a line. Where `columns` are too few, expressions are shortened first, then names.
 *
 * @param lasts how the last runs are or ended, where that is known; of none: without that column
 */
export function scheduleTable(
  schedules: readonly ListedScheduleJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
  lasts: ReadonlyMap<ListedScheduleJson, RoundJson> = new Map(),
): string {
  const hasRun = lasts.size > 0
  const titles = ['schedule', 'when', 'next run, local', 'in UTC', ...(hasRun ? ['last run'] : [])]
  const rows = schedules.map((schedule) => {
    const last = lasts.get(schedule)
    return [
      titleOf(schedule),
      whenOf(schedule),
      ...nextCells(schedule, colors),
      ...(hasRun ? [last === undefined ? '' : stateText(last.state, colors)] : []),
    ]
  })
  const widths = widthsWithin(
    columns,
    [titles, ...rows],
    [
      { index: 1, min: MIN_WHEN },
      { index: 0, min: MIN_NAME },
    ],
  )
  return tableOf(titles, rows, { colors, widths })
}

/** One run a line. Where `columns` are too few, the beginnings of rounds are left out: they are all the same. */
export function slotTable(
  slots: readonly SlotJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
): string {
  const titles = ['local', 'in UTC', 'round']
  const rows = slots.map((slot): [string, string, string] => [
    localTime(slot, { weekday: true }),
    utcTime(slot),
    slot.round,
  ])
  const widths = widthsWithin(columns, [titles, ...rows], [{ index: 2, min: MIN_NAME }])
  const shown = rows.map(([local, utc, round]) => [local, utc, endWithin(round, widths[2] ?? 0)])
  return tableOf(titles, shown, { colors, widths })
}

/** Of what comes once the next run says when. */
function whenOf(schedule: ListedScheduleJson): string {
  return schedule.at === undefined ? shortWhen(schedule) : 'once'
}

function nextCells({ paused, next }: ListedScheduleJson, { yellow, dim }: Colors): string[] {
  if (paused) return [yellow('paused'), '']
  return next === null ? [dim('no more'), ''] : [localTime(next), utcTime(next)]
}
