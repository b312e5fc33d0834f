import { execFileSync } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { measureSearch } from './console-search.ts'
import { FLEET, measureViewers, seen } from './console-viewers.ts'
import { fillOthers, fillRounds, INSTANCES, SCHEDULES } from './console-world.ts'
import { type Figure, median } from './figures.ts'
import type { GoneUnderTest, Processes } from './processes.ts'

const [FEW_ROUNDS, ROUNDS] = [100, 100_000]
const LOOKS = 5
/** Redis' commands that took longer are counted. */
const SLOW_MICROS = 2_000

/** Each page, and what it asks before it has something to show; `middle` is where half of the rounds are newer. */
function pagesOf(rounds: number, middle: string): Readonly<Record<string, readonly string[]>> {
  // Of s17, whatever of the two the number is.
  const round = `round-${rounds - 23}`
  return {
    '/': ['alerts?state=open&limit=100', 'fleet', 'rounds/tally'],
    '/rounds': ['rounds?limit=50', 'rounds/tally'],
    '/rounds?before=': [`rounds?limit=50&cursor=${middle}`, 'rounds/tally'],
    '/rounds?system=s17': ['rounds?system=s17&limit=50', 'rounds/tally?system=s17'],
    [`/rounds/s17/${round}`]: [`rounds/s17/${round}`],
    '/schedules': ['schedules?limit=1000', 'rounds?system=s17&limit=500'],
    '/schedules/s17/each-777': [
      'schedules/s17/each-777',
      'schedules/s17/each-777/next?n=5',
      'rounds?system=s17&q=each-777@&limit=30',
    ],
    '/alerts': ['alerts?limit=200', 'expectations?limit=200'],
    '/fleet': FLEET,
    '/fleet/instances/i777': ['fleet/instances/i777'],
    '/fleet/workers/w17': ['fleet/series?worker=w17', 'fleet/instances?worker=w17&limit=100'],
    '/keys': ['keys'],
  }
}

/**
 * The console's pages over many rounds, schedules and instances: how soon they have something to show, also beside the same over few
 * rounds; how long a search takes and what it costs elections; and what viewers cost.
 */
export async function measureConsole(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  execFileSync(process.execPath, [fileURLToPath(new URL('../src/console/assemble.mjs', import.meta.url))])
  const gone = await processes.startGone()
  const redis = new Redis(gone.redis)
  try {
    say(`console: ${ROUNDS} rounds, ${SCHEDULES} schedules, ${INSTANCES} instances`)
    await fillOthers(gone)
    const few = await looksAt(gone, FEW_ROUNDS, 0, say)
    const many = await looksAt(gone, ROUNDS, FEW_ROUNDS, say)
    await redis.config('SET', 'slowlog-log-slower-than', String(SLOW_MICROS))
    await redis.slowlog('RESET')
    const search = await measureSearch(gone, ROUNDS, say)
    await looksAt(gone, ROUNDS, ROUNDS, say)
    const slow = Number(await redis.slowlog('LEN'))
    const viewers = await measureViewers(gone, say)
    const bytes = spread(many.map(({ byteMs }) => byteMs))
    const data = spread(many.map(({ dataMs }) => dataMs))
    return [
      { name: 'consoleByte', at: ROUNDS, ...bytes, ofLimit: ratioOf(many, few, 'byteMs') },
      { name: 'consoleData', at: ROUNDS, ...data, ofLimit: ratioOf(many, few, 'dataMs') },
      ...search,
      { name: 'consoleSlow', at: ROUNDS, count: slow },
      ...viewers,
    ]
  } finally {
    redis.disconnect()
    await processes.stop()
  }
}

interface Look {
  readonly page: string
  readonly byteMs: number
  readonly dataMs: number
}

/** Looks at each page over so many rounds, of which some are there. */
async function looksAt(
  gone: GoneUnderTest,
  rounds: number,
  there: number,
  say: (line: string) => void,
): Promise<readonly Look[]> {
  const half = Math.max(there, Math.floor(rounds / 2))
  await fillRounds(gone, there, half)
  const middle = Buffer.from(`${Date.now()}-0 s0`).toString('base64url')
  await fillRounds(gone, half, rounds)
  const looks: Look[] = []
  for (const [page, asks] of Object.entries(pagesOf(rounds, middle))) {
    const runs = []
    for (let n = 0; n < LOOKS; n += 1) runs.push(await look(gone.url, page, asks))
    const [byteMs, dataMs] = [median(runs.map((run) => run.byteMs)), median(runs.map((run) => run.dataMs))]
    say(
      `console: ${rounds} rounds, ${page}: first byte ${byteMs.toFixed(1)} ms, data ${dataMs.toFixed(0)} ms`,
    )
    looks.push({ page, byteMs, dataMs })
  }
  return looks
}

/** How many times as long the pages take, the median of them: what one takes alone is noise. */
function ratioOf(many: readonly Look[], few: readonly Look[], what: 'byteMs' | 'dataMs'): number {
  return median(many.map((one, index) => one[what] / (few[index]?.[what] ?? Number.NaN)))
}

/** The median of the pages, and the slowest of them. */
function spread(values: readonly number[]) {
  return { p50Ms: median([...values]), p99Ms: Math.max(...values) }
}

async function look(url: string, page: string, asks: readonly string[]) {
  const startedMs = performance.now()
  const document = await fetch(url + page, { headers: { accept: 'text/html' } })
  const byteMs = performance.now() - startedMs
  await document.arrayBuffer()
  if (document.status !== 200) throw new Error(`console: ${page} was answered ${document.status}`)
  await Promise.all(asks.map((path) => seen(url, path)))
  return { byteMs, dataMs: performance.now() - startedMs }
}
