import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { blocksOf, ROOT } from '../support/snippets.ts'

/** Runs statements one after another, by SQLite, which takes what the page has for other databases. */
const PROGRAM = `import json, sqlite3, sys
db = sqlite3.connect(":memory:", isolation_level=None)
cursors = ((cursor.fetchall(), cursor.rowcount) for cursor in map(db.execute, json.loads(sys.argv[1])))
print(json.dumps([{"rows": rows, "count": count} for rows, count in cursors]))
`

async function ran(...statements: readonly string[]): Promise<{ rows: unknown[][]; count: number }[]> {
  const { stdout } = await promisify(execFile)('python3', ['-c', PROGRAM, JSON.stringify(statements)])
  return JSON.parse(stdout)
}

it('lets the effect of the highest fence through, and no lower one, by the SQL of the page', async () => {
  const [postgres = '', mysql = ''] = blocksOf(await readFile(join(ROOT, 'docs/faq.md'), 'utf8'), 'sql')
  const [table = '', upsert = ''] = postgres.split(/(?<=;)\n/)
  const under = (statement: string, fence: number) => statement.replaceAll('42', String(fence))
  const [, ...told] = await ran(table, ...[42, 41, 42, 50, 49].map((fence) => under(upsert, fence)))
  expect(told.map(({ rows }) => rows)).toEqual([[[42]], [], [[42]], [[50]], []])

  const [, , ...matched] = await ran(
    'CREATE TABLE fences (system_name varchar(128) PRIMARY KEY, fence bigint NOT NULL)',
    "INSERT INTO fences VALUES ('report', 0)",
    ...[42, 41, 42, 50, 49].map((fence) => under(mysql, fence)),
  )
  expect(matched.map(({ count }) => count)).toEqual([1, 0, 1, 1, 0])
})
