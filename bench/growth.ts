import type { Figure } from './figures.ts'
import { median, quantile } from './figures.ts'
import { IDLE_JOBS, idleStarts, JOBS, ourWay, runAll, submitAll, type Way } from './jobs.ts'
import type { Processes } from './processes.ts'

const KEPT = 500_000
const FILL = 20_000
const RUNS = 7

/** What jobs cost with none and with 500,000 completed ones kept: each figure beside its own with none. */
export async function measureGrowth(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  const { redis } = await processes.startGone()
  const way = ourWay(redis, { GONE_JOB_RETENTION_COUNT: '10000000' })
  try {
    // What is compiled and opened at first is not to be counted for an empty Redis.
    let next = await fill(way, 0, FILL)
    say(`growth: ${RUNS} runs with ${next.toLocaleString('en')} jobs kept`)
    const before = await measure(way, next)
    next = before.next
    while (next < KEPT) {
      next = await fill(way, next, FILL)
      say(`growth: ${next.toLocaleString('en')} of ${KEPT.toLocaleString('en')} jobs`)
    }
    const after = await measure(way, next)
    return [
      figure('keptSubmissions', after.submissions, before.submissions),
      figure('keptJobs', after.jobs, before.jobs),
      { name: 'keptStart', at: 1, p50Ms: after.startMs, ofLimit: after.startMs / before.startMs },
    ]
  } finally {
    await way.stop()
    await processes.stop()
  }
}

async function fill(way: Way, from: number, count: number): Promise<number> {
  await submitAll(way, from, count)
  await runAll(way, count)
  return from + count
}

async function measure(way: Way, from: number) {
  const submissions: number[] = []
  const jobs: number[] = []
  const startsMs: number[] = []
  let next = from
  for (let run = 0; run < RUNS; run += 1) {
    submissions.push(await submitAll(way, next, JOBS))
    jobs.push(await runAll(way, JOBS))
    startsMs.push(...(await idleStarts(way, next + JOBS)))
    next += JOBS + IDLE_JOBS
  }
  const startMs = quantile(Float64Array.from(startsMs).sort(), 0.5)
  return { next, submissions: median(submissions), jobs: median(jobs), startMs }
}

/** Cost is the inverse of a rate. */
function figure(name: 'keptSubmissions' | 'keptJobs', after: number, before: number): Figure {
  return { name, at: 64, perSecond: after, ofLimit: before / after }
}
