import { appendFileSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { defineWorker, type WorkerJob } from '../../src/index.ts'
import { ENDINGS } from '../endings.ts'
import { type Effect, monotonicMs } from '../history.ts'

/** What a scenario asks of the probe. */
export interface ProbeData {
  /** How long the handler takes; it does not listen to its signal, as handlers may not. */
  readonly sleepMs?: number
  /** The first start is killed here: before the effect, or after it and before its report. */
  readonly diesAt?: 'before' | 'after'
  /** It kills its process at so many starts. */
  readonly kills?: number
  /** Its process stands still for so long as it begins, each process once. */
  readonly blocksMs?: number
  /** Every attempt fails. */
  readonly fails?: true
  /** So many attempts fail, and the next does not. */
  readonly failsTimes?: number
  /** Every attempt ends in this way, see `endings.ts`. */
  readonly ends?: string
}

const { CHAOS_EFFECTS: file = '', CHAOS_LOCK: lock = '1s', CHAOS_TIMEOUT: timeout } = process.env

// A worker whose every effect is written to a file, past Redis, so that no fault of Redis can hide one.
export default defineWorker(
  {
    concurrency: 20,
    attempts: 3,
    backoff: { type: 'fixed', delay: 50 },
    lock: lock as '1s',
    ...(timeout && { timeout: timeout as '1s' }),
  },
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
    const { sleepMs = 0, diesAt, kills = 0, blocksMs, fails, failsTimes = 0, ends } = job.data ?? {}
    const earlier = readFileSync(file, 'utf8').split(`"round":"${round}"`).length - 1
    const isFirst = earlier === 0
    note('start')
    if (diesAt === 'before' && isFirst) process.kill(process.pid, 'SIGKILL')
    if (earlier < kills) process.kill(process.pid, 'SIGKILL')
    if (blocksMs !== undefined) blockOnce(round, blocksMs)
    if (sleepMs > 0) await sleep(sleepMs)
    if (ends !== undefined) return ENDINGS[ends]?.()
    if (fails || earlier < failsTimes) throw new Error('it fails as asked')
    note('end')
    if (diesAt === 'after' && isFirst) process.kill(process.pid, 'SIGKILL')
    return { fence }
  },
)

/** Of what has had this process stand still. */
const blocked = new Set<string>()

function blockOnce(round: string, ms: number): void {
  if (blocked.has(round)) return
  blocked.add(round)
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}
