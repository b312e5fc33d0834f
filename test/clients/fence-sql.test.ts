import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blocksOf, ROOT } from '../support/snippets.ts'
import { type Database, type Done, type Session, startMariadb, startPostgres } from './databases.ts'

interface Kind {
  readonly name: string
  readonly start: () => Promise<Database>
  /** Which of the page's statements it is. */
  readonly block: number
  /** By what it says that the fence is let through. */
  readonly isLetThrough: (done: Done) => boolean
  /** How many sessions wait for a lock. */
  readonly waiting: string
  readonly stall: string
}

const EFFECTS = 'CREATE TABLE effects (id serial PRIMARY KEY, fence bigint NOT NULL)'
const SESSIONS = 8
const LED_BY_EACH = 25

const KINDS: readonly Kind[] = [
  {
    name: 'PostgreSQL',
    start: startPostgres,
    block: 0,
    isLetThrough: ({ rows }) => rows.length === 1,
    waiting: "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'",
    stall: 'SELECT pg_sleep(0.02)',
  },
  {
    name: 'MySQL, as MariaDB',
    start: startMariadb,
    block: 1,
    isLetThrough: ({ count }) => count === 1,
    waiting: "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
    stall: 'SELECT sleep(0.02)',
  },
]

describe.each(KINDS)('the statement of the page for $name', (kind) => {
  let database: Database
  let watching: Session
  let statement: string

  beforeAll(async () => {
    const blocks = blocksOf(await readFile(join(ROOT, 'docs/faq.md'), 'utf8'), 'sql')
    expect(blocks).toHaveLength(KINDS.length)
    const statements = (blocks[kind.block] ?? '').split(/(?<=;)\n/).filter((one) => one.trim() !== '')
    statement = statements.pop() ?? ''
    database = await kind.start()
    watching = database.open()
    for (const one of [...statements, EFFECTS]) await watching.run(one)
  })

  afterAll(() => database?.stop())

  /** True if the page's statement lets it through. */
  const claim = async (session: Session, fence: number) =>
    kind.isLetThrough(await session.run(statement.replaceAll('42', String(fence))))

  it('lets the highest fence through, again too, and no lower one', async () => {
    const session = database.open()
    const told: boolean[] = []
    for (const fence of [42, 41, 42, 50, 49]) told.push(await claim(session, fence))
    expect(told).toEqual([true, false, true, true, false])
  })

  it.each([
    { end: 'COMMIT', higherFence: 100, isLetThrough: false },
    { end: 'ROLLBACK', higherFence: 300, isLetThrough: true },
  ])('has a lower fence wait for a higher one, and its $end', async ({ end, higherFence, isLetThrough }) => {
    const [higher, lower] = [database.open(), database.open()]
    for (const session of [higher, lower]) await session.run('BEGIN')
    expect(await claim(higher, higherFence)).toBe(true)
    const waits = claim(lower, higherFence - 1)
    await expect.poll(async () => Number((await watching.run(kind.waiting)).rows[0]?.[0])).toBe(1)
    await higher.run(end)
    expect(await waits).toBe(isLetThrough)
    await lower.run('ROLLBACK')
  })

  it('lets effects of racing leaders in in the order of their fences', async () => {
    const first = 1_000
    let next = first
    const lead = async () => {
      const session = database.open()
      for (let led = 0; led < LED_BY_EACH; led += 1) {
        next += 1
        const fence = next
        await session.run('BEGIN')
        // Some stall between their fence and their effect, so that others come before them.
        if (led % 3 === 0) await session.run(kind.stall)
        const isLetThrough = await claim(session, fence)
        if (isLetThrough) await session.run(`INSERT INTO effects (fence) VALUES (${fence})`)
        await session.run(isLetThrough ? 'COMMIT' : 'ROLLBACK')
      }
    }
    await Promise.all(Array.from({ length: SESSIONS }, lead))
    const { rows } = await watching.run('SELECT fence FROM effects ORDER BY id')
    const fences = rows.map(([fence]) => Number(fence))
    expect(fences).toEqual([...new Set(fences)].sort((a, b) => a - b))
    expect(fences.at(-1)).toBe(next)
    // Others were refused, and left no effect.
    expect(fences.length).toBeLessThan(SESSIONS * LED_BY_EACH)
  })
})
