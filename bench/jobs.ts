import { performance } from 'node:perf_hooks'
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import pino from 'pino'
import { startWorkers } from '../src/app/workers.ts'
import { readConfig } from '../src/config.ts'
import { BullJobQueues } from '../src/queue/job-queues.ts'
import { QUEUE_PREFIX } from '../src/queue/queue-keys.ts'
import { Dispatcher } from '../src/service/rounds/dispatcher.ts'
import { RedisRecords, SUBMIT_LUA } from '../src/store/records/redis-records.ts'
import { eachAtOnce } from '../src/waiting.ts'
import { type Figure, median, quantile } from './figures.ts'
import type { Processes } from './processes.ts'

export const JOBS = 6_000
const RUNS = 5
export const IDLE_JOBS = 300
const CONCURRENCY = 64
const SUBMIT_AT_ONCE = 64

/** Either way of running jobs: how they are queued, and how a worker is told to run them. */
export interface Way {
  submit(n: number): Promise<void>
  /** Runs a worker until `stop`; `onStart` is called as each handler starts. */
  work(concurrency: number, onStart: () => void): Promise<{ stop(): Promise<void> }>
  stop(): Promise<void>
}

/** Jobs of ours, with gate and record, beside a bare BullMQ worker: jobs a second, and submission to start when idle. */
export async function measureJobs(processes: Processes, say: (line: string) => void): Promise<Figure[]> {
  const { redis } = await processes.startGone()
  const rates = { bare: [] as number[], ours: [] as number[] }
  const starts = { bare: [] as number[], ours: [] as number[] }
  const ways = { bare: bareWay(redis), ours: ourWay(redis) }
  let next = 0
  try {
    for (let run = 0; run < RUNS; run += 1) {
      for (const name of ['bare', 'ours'] as const) {
        say(`jobs: ${JOBS} no-op jobs, ${name}, run ${run + 1} of ${RUNS}`)
        const from = next
        next += JOBS + IDLE_JOBS
        rates[name].push(await throughput(ways[name], from))
        starts[name].push(...(await idleStarts(ways[name], from + JOBS)))
      }
    }
  } finally {
    await Promise.all(Object.values(ways).map((way) => way.stop()))
    await processes.stop()
  }
  const startOf = (values: number[]) => {
    const sorted = Float64Array.from(values).sort()
    return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) }
  }
  const ofBare = (mine: readonly number[], theirs: readonly number[]) => median(mine) / median(theirs)
  return [
    { name: 'jobs', at: CONCURRENCY, perSecond: median(rates.ours), ofLimit: ofBare(rates.ours, rates.bare) },
    { name: 'bareJobs', at: CONCURRENCY, perSecond: median(rates.bare) },
    { name: 'start', at: 1, ...startOf(starts.ours), ofLimit: ofBare(starts.ours, starts.bare) },
    { name: 'bareStart', at: 1, ...startOf(starts.bare) },
  ]
}

async function throughput(way: Way, from: number): Promise<number> {
  await submitAll(way, from, JOBS)
  return runAll(way, JOBS)
}

/** @returns submissions a second */
export async function submitAll(way: Way, from: number, count: number): Promise<number> {
  const startedMs = performance.now()
  const numbers = Array.from({ length: count }, (_, n) => from + n)
  await eachAtOnce(SUBMIT_AT_ONCE, numbers, (n) => way.submit(n))
  return (count * 1_000) / (performance.now() - startedMs)
}

/** @returns jobs a second, from the first start to the last */
export async function runAll(way: Way, count: number): Promise<number> {
  let started = 0
  let startedMs = 0
  const all = new Promise<number>((resolve) => {
    void way
      .work(CONCURRENCY, () => {
        started += 1
        if (started === 1) startedMs = performance.now()
        if (started === count) resolve(performance.now() - startedMs)
      })
      .then((worker) => {
        stop = () => worker.stop()
      })
  })
  let stop = async () => {}
  const elapsedMs = await all
  await stop()
  return (count * 1_000) / elapsedMs
}

export async function idleStarts(way: Way, from: number): Promise<number[]> {
  let onStart = () => {}
  const worker = await way.work(1, () => onStart())
  const startsMs: number[] = []
  for (let n = 0; n < IDLE_JOBS; n += 1) {
    const started = new Promise<void>((resolve) => {
      onStart = resolve
    })
    const sentMs = performance.now()
    await Promise.all([way.submit(from + n), started])
    startsMs.push(performance.now() - sentMs)
  }
  await worker.stop()
  return startsMs
}

function bareWay(path: string): Way {
  const client = new Redis({ path, maxRetriesPerRequest: null })
  const queue = new Queue('bare', { connection: client, prefix: QUEUE_PREFIX })
  return {
    async submit(n) {
      await queue.add('bench', null, { jobId: `bench~${n}` })
    },
    async work(concurrency, onStart) {
      const worker = new Worker('bare', async () => onStart(), {
        connection: client,
        prefix: QUEUE_PREFIX,
        concurrency,
      })
      await worker.waitUntilReady()
      return { stop: () => worker.close() }
    },
    async stop() {
      await queue.close()
      client.disconnect()
    },
  }
}

export function ourWay(path: string, env: Readonly<Record<string, string>> = {}): Way {
  const log = pino({ level: 'silent' })
  const config = readConfig({ REDIS_URL: path, ...env })
  const clients = [1, 2].map(() => new Redis({ path }))
  const [forRecords, forJobs] = clients as [Redis, Redis]
  const jobs = new BullJobQueues(forJobs, config.jobRetentionMs, SUBMIT_LUA)
  const records = new RedisRecords(forRecords, config.retentionMs, (...all) => jobs.addRecorded(...all))
  const dispatcher = new Dispatcher({
    submissionDeadlineMs: 0,
    records,
    jobs,
    deadlines: { expect() {} },
    log,
  })
  return {
    async submit(n) {
      const submission = { queue: 'ours', data: null, queueTerms: {}, runTerms: {} }
      await dispatcher.submit({ system: 'bench', round: String(n) }, submission)
    },
    work(concurrency, onStart) {
      const terms = {
        concurrency,
        attempts: 1,
        backoff: { type: 'fixed', delayMs: 0 },
        lockMs: 30_000,
      } as const
      const worker = { name: 'ours', terms, handler: async () => onStart() }
      return startWorkers(config, [worker], { log, say: () => {} })
    },
    async stop() {
      await records.flush()
      await jobs.stop()
      for (const client of clients) client.disconnect()
    },
  }
}
