import { csvOf, type FileColumn } from '../lib/csv.ts'
import { jsonText } from '../lib/json.ts'
import { h, type VNode } from '../lib/preact.js'
import { save } from '../lib/save.ts'

interface FilesProps<Row> {
  readonly name: string
  readonly columns: readonly FileColumn<Row>[]
  readonly rows: readonly Row[]
}

/** What is on the screen, as files. */
export function Files<Row>({ name, columns, rows }: FilesProps<Row>): VNode {
  return (
    <span class="files">
      <button type="button" onClick={() => save(`${name}.csv`, 'text/csv', csvOf(columns, rows))}>
        CSV
      </button>
      <button type="button" onClick={() => save(`${name}.json`, 'application/json', jsonText(rows, 2))}>
        JSON
      </button>
    </span>
  )
}
