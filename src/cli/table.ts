import { stripVTControlCharacters } from 'node:util'
import Table from 'cli-table3'
import type { Colors } from './terminal.ts'

interface TableLook {
  readonly colors: Colors
  /** Of each column; what is longer ends in "…". Missing: as wide as needed. */
  readonly widths?: readonly number[] | undefined
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

const GAP = 2
const MIN_WIDTH = 8

/**
 * The widths with which a table fits so many columns of a terminal; undefined if it does anyway.
 *
 * @param shrinking the columns of the table that may become narrower, the widest one first
 */
export function widthsWithin(
  columns: number,
  rows: readonly (readonly string[])[],
  shrinking: readonly number[],
): readonly number[] | undefined {
  const widths: number[] = []
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, widthOf(cell))
  }
  const excess = widths.reduce((sum, width) => sum + width + GAP, -GAP) - columns
  if (excess <= 0) return undefined
  for (let over = excess; over > 0; over--) {
    const [widest] = shrinking.toSorted((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))
    if (widest === undefined || (widths[widest] ?? 0) <= MIN_WIDTH) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}

/** East Asian characters and emoji take two columns, accents none. */
function widthOf(text: string): number {
  let width = 0
  for (const char of stripVTControlCharacters(text).normalize()) {
    if (/\p{Mn}|\p{Me}/u.test(char)) continue
    width += WIDE.test(char) ? 2 : 1
  }
  return width
}

const WIDE =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Emoji_Presentation}|[\uff01-\uff60]/u

function withoutTrailingBlanks(text: string): string {
  return text.replace(/ +$/gm, '')
}
