import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineWorker, type WorkerJob } from '../../../src/index.ts'
import { monotonicMs } from '../../history.ts'
import type { Run } from '../stories.ts'

/** What a job of the load asks of it. */
export interface SteadyData {
  readonly sleepMs: number
  /** So many attempts fail. */
  readonly fails?: number
  /** From now on its process leaks so much a second. */
  readonly leaksMib?: number
  /** It prints without end for as long as it sleeps. */
  readonly prints?: true
}

const { CHAOS_RUNS: file = '', CHAOS_LOCK: lock = '15s' } = process.env
const LEAK_EVERY_MS = 250
const LINES = `${'x'.repeat(1_023)}\n`.repeat(64)
const leaked: Buffer[] = []

// Writes what it does past Redis, a line each. Unlike the probe it never reads that file: there are many thousand lines.
export default defineWorker(
  { concurrency: 20, attempts: 3, backoff: { type: 'fixed', delay: 50 }, lock: lock as '15s' },
  async ({ data }: WorkerJob<SteadyData>, { round, fence, attempt, signal }) => {
    const note = (phase: Run['phase']) => {
      const run: Run = { atMs: monotonicMs(), round, phase, fence, attempt, pid: process.pid }
      appendFileSync(file, `${JSON.stringify(run)}\n`)
    }
    note('start')
    try {
      if (data.leaksMib !== undefined) leak(data.leaksMib)
      if (data.prints) await print(data.sleepMs)
      else await sleep(data.sleepMs, undefined, { signal })
    } catch (error) {
      note('cut')
      throw error
    }
    if (attempt <= (data.fails ?? 0)) {
      note('fail')
      throw new Error('it fails as asked')
    }
    note('end')
    return { fence }
  },
)

function leak(mibPerSecond: number): void {
  const bytes = (mibPerSecond * 1_048_576 * LEAK_EVERY_MS) / 1_000
  setInterval(() => leaked.push(Buffer.alloc(bytes, 1)), LEAK_EVERY_MS)
}

async function print(ms: number): Promise<void> {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs) {
    if (!process.stdout.write(LINES)) await once(process.stdout, 'drain')
    await sleep(2)
  }
}
