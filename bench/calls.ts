import pino from 'pino'
import { startWorkers } from '../src/app/workers.ts'
import { readConfig } from '../src/config.ts'
import { createClient } from '../src/index.ts'
import { eachAtOnce } from '../src/waiting.ts'
import { type Figure, median, perSecond, quantile } from './figures.ts'
import { load } from './load.ts'
import type { GoneUnderTest, Processes } from './processes.ts'

const RUNS = 5
const RUN_MS = 2_000
const AT_ONCE = 50
const GIVEN_UP = 1_000

/** Calls of a worker of another process, over HTTP: one at a time and many at once; and whether one that was given up is started. */
export async function measureCalls(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  const gone = await processes.startGone()
  try {
    await processes.startWorker(gone, 'bench/workers')
    await callFor(gone, 1, RUN_MS)
    const figures: Figure[] = []
    for (const at of [1, AT_ONCE]) {
      say(`calls: ${at} at once, ${RUNS} runs of ${RUN_MS / 1_000} s`)
      figures.push(await rateAt(gone, at))
    }
    say(`calls: ${GIVEN_UP} that are given up before a worker is there`)
    return [...figures, { name: 'givenUpStarted', count: await startedAfterwards(gone) }]
  } finally {
    await processes.stop()
  }
}

async function rateAt(gone: GoneUnderTest, at: number): Promise<Figure> {
  const runs: Awaited<ReturnType<typeof callFor>>[] = []
  for (let run = 0; run < RUNS; run += 1) runs.push(await callFor(gone, at, RUN_MS))
  const at99 = runs.map(({ latenciesMs }) => quantile(latenciesMs, 0.99))
  const at50 = runs.map(({ latenciesMs }) => quantile(latenciesMs, 0.5))
  return {
    name: 'calls',
    at,
    perSecond: median(runs.map(perSecond)),
    p50Ms: median(at50),
    p99Ms: median(at99),
  }
}

function callFor({ url }: GoneUnderTest, connections: number, durationMs: number) {
  const nextPath = () => '/api/v1/call/bench/echo'
  return load({ url, connections, method: 'POST', nextPath, status: 200, durationMs })
}

/** How many handlers are started of calls that were given up. */
async function startedAfterwards({ url, redis }: GoneUnderTest): Promise<number> {
  const client = createClient({ url })
  const worker = 'late'
  const terms = {
    concurrency: 64,
    attempts: 1,
    backoff: { type: 'fixed', delayMs: 0 },
    lockMs: 30_000,
  } as const
  const all = Array.from({ length: GIVEN_UP }, (_, n) => n)
  await eachAtOnce(100, all, (n) =>
    client.call(worker, n, { queue: true, timeout: '200ms' }).catch(() => undefined),
  )
  let started = 0
  const handler = async () => {
    started += 1
  }
  const log = pino({ level: 'silent' })
  const config = readConfig({ REDIS_URL: redis })
  const workers = await startWorkers(config, [{ name: worker, terms, handler }], { log, say: () => {} })
  // It is behind all of them in the queue.
  await client.call(worker, 'last', { queue: true, timeout: '1m' })
  await workers.stop()
  return started - 1
}
