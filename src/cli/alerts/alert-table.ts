import type { AlertJson } from '../../core/alerts/alert-wire.ts'
import { visible } from '../../core/printable.ts'
import type { Colors } from '../terminal.ts'
import { tableOf, widthsWithin } from '../text/table.ts'

const TITLES = ['state', 'kind', 'of', 'slots', 'last slot']
const MIN_NAME = 12

/** A line for each alert, and one below it that says what is wrong. */
export function alertTable(
  alerts: readonly AlertJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
): string {
  const rows = alerts.map(({ state, kind, system, name, count, lastSlot }) => [
    state === 'open' ? colors.red(state) : colors.green(state),
    kind,
    `${system}/${name}`,
    String(count),
    lastSlot,
  ])
  const widths = widthsWithin(columns, [TITLES, ...rows], [{ index: 2, min: MIN_NAME }])
  const [titles = '', ...lines] = tableOf(TITLES, rows, { colors, widths }).split('\n')
  return [titles, ...lines.flatMap((line, index) => [line, ...whyOf(alerts[index], colors)])].join('\n')
}

function whyOf(alert: AlertJson | undefined, { dim }: Colors): string[] {
  if (alert === undefined) return []
  const { detail, lastRound, resolution } = alert
  const what = lastRound === undefined ? detail : `${detail} (${lastRound})`
  return [what, ...(resolution === undefined ? [] : [`resolved: ${resolution}`])].map((line) =>
    dim(`  ${visible(line)}`),
  )
}
