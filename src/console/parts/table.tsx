import { type ComponentChildren, h, type VNode } from '../lib/preact.js'

/** A column: what it is called, and what it shows of a row. */
export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => ComponentChildren
  /** Numbers stand to the right; what is `lasting` grows while one looks; `wide` may wrap; `minor` is left out on a narrow screen. */
  readonly kind?: 'number' | 'number lasting' | 'wide' | 'minor' | 'minor number' | 'main' | 'do'
}

interface TableProps<Row> {
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  readonly classOf?: (row: Row) => string
}

/** Rows keep their nodes while they change: what has the focus keeps it. On a narrow screen a row is a card. */
export function Table<Row>({ caption, columns, rows, keyOf, classOf }: TableProps<Row>): VNode {
  return (
    <div class="scroll">
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map(({ title, kind = '' }) => (
              <th scope="col" class={kind} key={title}>
                {title === '' ? <span class="unseen">What to do</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} class={classOf?.(row) ?? ''} data-key={keyOf(row)}>
              {columns.map(({ title, cell, kind = '' }) => (
                <td class={kind} key={title} data-title={title}>
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
