import { visible } from '../../core/printable.ts'
import type { QueueJson } from '../../core/rounds/queue-wire.ts'
import type { Colors } from '../terminal.ts'
import { tableOf, widthsWithin } from '../text/table.ts'

const TITLES = ['queue', 'waiting', 'running', 'delayed', 'completed', 'failed']
const MIN_NAME = 16

/** A line for each queue; jobs with a priority wait as others do. */
export function queueTable(
  queues: readonly QueueJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
): string {
  const rows = queues.map(({ name, waiting, prioritized, active, delayed, completed, failed }) => [
    visible(name),
    ...[waiting + prioritized, active, delayed, completed].map(String),
    failed === 0 ? '0' : colors.red(String(failed)),
  ])
  const widths = widthsWithin(columns, [TITLES, ...rows], [{ index: 0, min: MIN_NAME }])
  return tableOf(TITLES, rows, { colors, widths })
}
