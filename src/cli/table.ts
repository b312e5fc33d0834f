import Table from 'cli-table3'
import type { Colors } from './terminal.ts'

interface TableLook {
  readonly colors: Colors
  /** Of each column, with its blank before or two after; what is longer ends in "…". Missing: as wide as needed. */
  readonly widths?: readonly (number | null)[]
}

/** Columns under dim titles, without lines. */
export function tableOf(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  { colors, widths }: TableLook,
): string {
  const edges = ['top', 'bottom', 'mid', 'left', 'right'].flatMap((side) => [
    side,
    `${side}-mid`,
    `${side}-left`,
    `${side}-right`,
  ])
  const blank = Object.fromEntries([...edges, 'left-mid', 'mid-mid', 'right-mid'].map((side) => [side, '']))
  const table = new Table({
    head: titles.map((title) => colors.dim(title)),
    ...(widths && { colWidths: [...widths] }),
    chars: { ...blank, middle: '  ' },
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true },
  })
  table.push(...rows.map((row) => [...row]))
  return withoutTrailingBlanks(table.toString())
}

function withoutTrailingBlanks(text: string): string {
  return text.replace(/ +$/gm, '')
}
