/** A column of a file: what it is called, and what it says of a row. */
export interface FileColumn<Row> {
  readonly title: string
  readonly of: (row: Row) => string | number | undefined
}

/** Spreadsheets take a cell that begins so for a formula. */
const FORMULA = /^[=+\-@\t\r]/

export function csvOf<Row>(columns: readonly FileColumn<Row>[], rows: readonly Row[]): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ of }) => cellOf(of(row)))),
  ]
  return `${lines.map((cells) => cells.map(quoted).join(',')).join('\r\n')}\r\n`
}

function cellOf(value: string | number | undefined): string {
  const text = String(value ?? '')
  return typeof value === 'string' && FORMULA.test(text) ? `'${text}` : text
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
