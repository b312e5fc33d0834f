import { appendFileSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineWorker, type WorkerJob } from '../../src/index.ts'
import { type Effect, monotonicMs } from '../history.ts'

/** What a scenario asks of the probe. */
export interface ProbeData {
  /** How long the handler takes; it does not listen to its signal, as handlers may not. */
  readonly sleepMs?: number
  /** The first start is killed here: before the effect, or after it and before its report. */
  readonly diesAt?: 'before' | 'after'
  /** Every attempt fails. */
  readonly fails?: true
}

const { CHAOS_EFFECTS: file = '', CHAOS_LOCK: lock = '1s' } = process.env

// A worker whose every effect is written to a file, past Redis, so that no fault of Redis can hide one.
export default defineWorker(
  { concurrency: 20, attempts: 3, backoff: { type: 'fixed', delay: 50 }, lock: lock as '1s' },
  async (job: WorkerJob<ProbeData | null>, { system, round, fence }) => {
    const note = (phase: Effect['phase']) => {
      const effect: Effect = {
        kind: 'effect',
        atMs: monotonicMs(),
        system,
        round,
        fence,
        phase,
        pid: process.pid,
      }
      appendFileSync(file, `${JSON.stringify(effect)}\n`)
    }
    const { sleepMs = 0, diesAt, fails } = job.data ?? {}
    const isFirst = !readFileSync(file, 'utf8').includes(`"round":"${round}"`)
    note('start')
    if (diesAt === 'before' && isFirst) process.kill(process.pid, 'SIGKILL')
    if (sleepMs > 0) await sleep(sleepMs)
    if (fails) throw new Error('it fails as asked')
    note('end')
    if (diesAt === 'after' && isFirst) process.kill(process.pid, 'SIGKILL')
    return { fence }
  },
)
