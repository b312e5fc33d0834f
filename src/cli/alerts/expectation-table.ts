import type { ListedExpectationJson } from '../../client/expectations.ts'
import { titleOf } from '../schedule/plan.ts'
import type { Colors } from '../terminal.ts'
import { detailsOf, tableOf, widthsWithin } from '../text/table.ts'
import { shortWhen, whenText } from '../text/words.ts'

const TITLES = ['expectation', 'when', 'zone', 'grace', 'late', 'replicas']
const MIN_WHEN = 12
const MIN_NAME = 12
const MIN_ZONE = 6

/** One expectation a line. Where `columns` are too few, expressions are shortened first, then names and zones. */
export function expectationTable(
  expectations: readonly ListedExpectationJson[],
  colors: Colors,
  columns = Number.POSITIVE_INFINITY,
): string {
  const rows = expectations.map((expectation) => {
    const { tz, grace, late = '', replicas } = expectation
    return [titleOf(expectation), shortWhen(expectation), tz, grace, late, replicas?.toString() ?? '']
  })
  const widths = widthsWithin(
    columns,
    [TITLES, ...rows],
    [
      { index: 1, min: MIN_WHEN },
      { index: 0, min: MIN_NAME },
      { index: 2, min: MIN_ZONE },
    ],
  )
  return tableOf(TITLES, rows, { colors, widths })
}

/** An expectation for people: a line for each thing that is not as usual. */
export function expectationText(expectation: ListedExpectationJson, colors: Colors): string {
  const { dst, grace, late, replicas, createdAt, updatedAt } = expectation
  const isUsualDst = dst.gap === 'run-after' && dst.overlap === 'first'
  const rows: [string, string][] = [
    ['when', whenText(expectation)],
    ...(isUsualDst ? [] : [['dst', `gap ${dst.gap}, overlap ${dst.overlap}`] as [string, string]]),
    ['grace', grace],
    ...(late === undefined ? [] : [['late', `after ${late}`] as [string, string]]),
    ...(replicas === undefined ? [] : [['replicas', String(replicas)] as [string, string]]),
    ['made', `${createdAt}${updatedAt === createdAt ? '' : `, changed ${updatedAt}`}`],
  ]
  return detailsOf(titleOf(expectation), rows, colors)
}

/** Such as `0 8 * * MON-FRI in Europe/Berlin, within 5m, by 3 candidates`. */
export function termsText(expectation: ListedExpectationJson): string {
  const { grace, late, replicas } = expectation
  return [
    whenText(expectation),
    `within ${grace}`,
    ...(late === undefined ? [] : [`late after ${late}`]),
    ...(replicas === undefined ? [] : [`by ${replicas} candidate${replicas === 1 ? '' : 's'}`]),
  ].join(', ')
}
