import { execFileSync } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { connect, disconnect } from '../src/redis/connections.ts'
import { RedisRecords } from '../src/store/records/redis-records.ts'
import { eachAtOnce, pause } from '../src/waiting.ts'
import { type Figure, median } from './figures.ts'
import { processorMs } from './idle.ts'
import type { GoneUnderTest, Processes } from './processes.ts'

const ROUNDS = 100_000
const SYSTEMS = 20
const SCHEDULES = 10_000
const INSTANCES = 1_000
const AT_ONCE = 64
const RETENTION_MS = 86_400_000
const TERMS = { deadlineMs: 3_600_000 }
const silent = { debug() {}, info() {}, warn() {}, error() {} }
const LOOKS = 5
const VIEWERS = 20
const WATCHED_MS = 15_000
/** As a page does: once when it hears of a change, and again when that has settled. */
const SETTLED_MS = 2_500

/** Each page, and what it asks before it has something to show. */
const PAGES: Readonly<Record<string, readonly string[]>> = {
  '/': ['alerts?state=open&limit=100', 'fleet', 'rounds/tally'],
  '/rounds': ['rounds?limit=50', 'rounds/tally'],
  '/rounds?system=s17': ['rounds?system=s17&limit=50', 'rounds/tally?system=s17'],
  '/rounds/s17/round-77777': ['rounds/s17/round-77777'],
  '/schedules': ['schedules?limit=1000', 'rounds?system=s17&limit=500'],
  '/schedules/s17/each-777': [
    'schedules/s17/each-777',
    'schedules/s17/each-777/next?n=5',
    'rounds?system=s17&q=each-777@&limit=30',
  ],
  '/alerts': ['alerts?limit=200', 'expectations?limit=200'],
  '/fleet': ['fleet', 'fleet/instances?limit=100', 'fleet/orders?limit=10'],
  '/fleet/instances/i777': ['fleet/instances/i777'],
  '/fleet/workers/w17': ['fleet/series?worker=w17', 'fleet/instances?worker=w17&limit=100'],
  '/keys': ['keys'],
}

/** The console's pages over many rounds, schedules and instances: how soon they have something to show, and what viewers cost. */
export async function measureConsole(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  execFileSync(process.execPath, [fileURLToPath(new URL('../src/console/assemble.mjs', import.meta.url))])
  const gone = await processes.startGone()
  try {
    say(`console: ${ROUNDS} rounds, ${SCHEDULES} schedules, ${INSTANCES} instances`)
    await fill(gone)
    const looks: { readonly page: string; readonly byteMs: number; readonly dataMs: number }[] = []
    for (const [page, asks] of Object.entries(PAGES)) {
      const runs = []
      for (let n = 0; n < LOOKS; n += 1) runs.push(await look(gone.url, page, asks))
      const [byteMs, dataMs] = [median(runs.map((run) => run.byteMs)), median(runs.map((run) => run.dataMs))]
      say(`console: ${page}: first byte ${byteMs.toFixed(1)} ms, data ${dataMs.toFixed(0)} ms`)
      looks.push({ page, byteMs, dataMs })
    }
    say(`console: ${VIEWERS} viewers of the fleet, ${WATCHED_MS / 1_000} s with and without`)
    const without = await spent(gone, 0)
    const withThem = await spent(gone, VIEWERS)
    return [
      { name: 'consoleByte', at: ROUNDS, ...spread(looks.map(({ byteMs }) => byteMs)) },
      { name: 'consoleData', at: ROUNDS, ...spread(looks.map(({ dataMs }) => dataMs)) },
      { name: 'consoleViewers', at: VIEWERS, percent: withThem - without },
    ]
  } finally {
    await processes.stop()
  }
}

/** The median of the pages, and the slowest of them. */
function spread(values: readonly number[]) {
  return { p50Ms: median([...values]), p99Ms: Math.max(...values) }
}

/** Rounds by the store's own steps, without their jobs on the board; what the pages read is the same. */
async function fill({ url, redis }: GoneUnderTest): Promise<void> {
  const client = connect({ path: redis }, 'waiting', 'bench', silent)
  const records = new RedisRecords(client, RETENTION_MS)
  await each(ROUNDS, async (n) => {
    const id = { system: `s${n % SYSTEMS}`, round: `round-${n}` }
    const who = { address: '10.0.0.7:41234', identity: `~${n}` }
    await records.decide(id, who, TERMS)
    if (n % 10 === 0 && n % 100 > 0) return
    const outcome = n % 100 === 0 ? 'failed' : 'completed'
    await records.complete(
      id,
      who,
      { outcome, detail: outcome === 'failed' ? 'no space' : '{"files":42}' },
      TERMS,
    )
    records.acknowledge(id, 'finished')
  })
  await records.flush()
  await disconnect(client)
  await each(SCHEDULES, (n) =>
    ask(url, `schedules/s${n % SYSTEMS}/each-${n}`, 'PUT', {
      cron: `${n % 60} ${n % 24} 1 1 *`,
      job: { worker: 'nobody', data: { n } },
    }),
  )
  await each(INSTANCES, (n) => pulse(url, n))
}

function pulse(url: string, n: number): Promise<void> {
  const worker = { name: `w${n % 20}`, slots: 4, running: n % 4, done: n, failed: n % 3 }
  return ask(url, 'fleet/pulse', 'POST', {
    id: `i${n}`,
    host: `h${n % 50}`,
    region: n % 2 ? 'eu' : 'us',
    release: String(40 + (n % 2)),
    pid: n + 1,
    workers: [worker],
    cpuPercent: n % 100,
    rssBytes: 100_000_000 + n,
    loopDelayMs: n % 20,
  })
}

async function each(count: number, act: (n: number) => Promise<void>): Promise<void> {
  await eachAtOnce(
    AT_ONCE,
    Array.from({ length: count }, (_, n) => n),
    act,
  )
}

async function ask(url: string, path: string, method: string, body?: object): Promise<void> {
  const answer = await fetch(`${url}/api/v1/${path}`, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  await answer.arrayBuffer()
  if (!answer.ok) throw new Error(`console: ${method} ${path} was answered ${answer.status}`)
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

async function seen(url: string, path: string): Promise<void> {
  const answer = await fetch(`${url}/console/api/${path}`)
  await answer.arrayBuffer()
  if (!answer.ok) throw new Error(`console: ${path} was answered ${answer.status}`)
}

/** How much of a core the server takes while instances go on telling of themselves, and so many look at the fleet. */
async function spent(
  { url, pid }: { readonly url: string; readonly pid: number },
  viewers: number,
): Promise<number> {
  const over = new AbortController()
  const watching = Array.from({ length: viewers }, () => watch(url, over.signal))
  const pulses = pulsing(url, over.signal)
  await pause(SETTLED_MS)
  const [spentMs, startedMs] = [await processorMs(pid), performance.now()]
  await pause(WATCHED_MS)
  const percent = (((await processorMs(pid)) - spentMs) * 100) / (performance.now() - startedMs)
  over.abort()
  await Promise.all([...watching, pulses])
  return percent
}

/** Some change each second, so that pages have something to hear of. */
async function pulsing(url: string, signal: AbortSignal): Promise<void> {
  for (let n = 0; !signal.aborted; n += 1) {
    for (let m = 0; m < 10; m += 1) await pulse(url, (n * 10 + m) % INSTANCES)
    await pause(1_000, signal)
  }
}

/** One open page of the fleet: its stream, and what it asks when it hears of a change. */
async function watch(url: string, signal: AbortSignal): Promise<void> {
  const asks = PAGES['/fleet'] ?? []
  const stream = await fetch(`${url}/console/stream`, { signal })
  if (stream.body === null) throw new Error('console: the stream has no body')
  let askedAtMs = 0
  try {
    for await (const chunk of stream.body.pipeThrough(new TextDecoderStream())) {
      if (!chunk.includes('"fleet"') || performance.now() - askedAtMs < SETTLED_MS) continue
      askedAtMs = performance.now()
      await Promise.all(asks.map((path) => seen(url, path)))
    }
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
