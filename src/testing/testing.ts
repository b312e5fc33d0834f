/** `gone/testing`: a gone in memory, for tests of what elects and submits, with a time that the test sets. */

import { type ClientOptions, createClient, type GoneClient } from '../client/client.ts'
import type { AnyWorker, WorkerContext, WorkerHandler } from '../client/define-worker.ts'
import { type Duration, durationMs } from '../client/duration.ts'
import { failureOf, resultText } from '../core/rounds/handler-end.ts'
import { JOB_IDENTITY } from '../core/rounds/job.ts'
import { MAX_RESULT_BYTES } from '../core/rounds/limits.ts'
import { parseRoundKey, type RoundId, roundKey } from '../core/rounds/round.ts'
import { MAX_ATTEMPTS } from '../core/rounds/submission.ts'
import { GoneError } from '../errors.ts'
import { MemoryRecords } from '../store/records/memory-records.ts'
import { fetchOf } from './memory-fetch.ts'

export interface TestGone {
  /** A replica's client. Each that is made is another candidate, unless it says which. */
  client(options?: Pick<ClientOptions, 'candidate' | 'timeoutMs'>): GoneClient
  /** What the server's clock shows; it stands still until it is told. */
  now(): Date
  /** Leases lapse, deadlines pass, delayed jobs become due. */
  advance(time: Duration): void
  /**
   * Runs what has been submitted to this worker and is due, one job after another, each once: an attempt that throws ends its round
   * failed. How many it ran.
   */
  work(name: string, worker: AnyWorker): Promise<number>
}

const START = Date.parse('2026-01-01T00:00:00Z')
const DEADLINE_MS = 3_600_000

/**
 * @param start what the clock shows at first
 * @example
 * const gone = createTestGone()
 * const [one, two] = [gone.client(), gone.client()]
 * expect((await one.elect('report', '1', { lease: '30s' })).leads).toBe(true)
 * expect((await two.elect('report', '1')).leads).toBe(false)
 * gone.advance('31s')
 * expect((await two.elect('report', '1')).leads).toBe(true)
 */
export function createTestGone({ start = START }: { readonly start?: Date | number } = {}): TestGone {
  let nowMs = Number(start)
  const records = new MemoryRecords(() => nowMs)
  const submitted = new Map<string, string>()
  const onSubmitted = (id: RoundId, queue: string) => void submitted.set(roundKey(id), queue)
  const fetch = fetchOf({ records, onSubmitted, nowMs: () => nowMs })
  return {
    client: (options) => createClient({ url: 'http://gone.test', fetch, ...options }),
    now: () => new Date(nowMs),
    advance(time) {
      nowMs += durationMs('time', time) ?? 0
    },
    async work(name, worker) {
      let ran = 0
      const early: string[] = []
      for (const [key, queue] of submitted) {
        if (queue !== name) continue
        // Before it runs, so that another call of this leaves it alone meanwhile.
        submitted.delete(key)
        if (await runJob(records, parseRoundKey(key), name, worker)) ran += 1
        else early.push(key)
      }
      for (const key of early) submitted.set(key, name)
      return ran
    },
  }
}

/** False if it is not due. */
async function runJob(
  records: MemoryRecords,
  id: RoundId,
  name: string,
  worker: AnyWorker,
): Promise<boolean> {
  const { submission } = await records.read(id)
  const who = { address: `${name}@test`, identity: JOB_IDENTITY }
  const started = await records.start(id, who, { deadlineMs: DEADLINE_MS }, MAX_ATTEMPTS)
  if (started.verdict === 'early') return false
  // Its round has ended meanwhile: then nothing is to be run.
  if (started.verdict !== 'started' || submission === undefined) return true
  const handler = (typeof worker === 'function' ? worker : worker.handler) as WorkerHandler<unknown, unknown>
  const context = contextOf(id, started.fence)
  try {
    const job = { id: roundKey(id), data: submission.pending?.data ?? null }
    const text = resultText(await handler(job, context))
    const isKept = new TextEncoder().encode(text).length <= MAX_RESULT_BYTES
    const detail = isKept ? text : ''
    await records.finish(id, { ...who, fence: started.fence }, { outcome: 'completed', detail })
  } catch (error) {
    const { reason: detail } = failureOf(error)
    await records.finish(id, { ...who, fence: started.fence }, { outcome: 'failed', detail })
  }
  return true
}

function contextOf({ system, round }: RoundId, fence: number): WorkerContext {
  const call = async () => {
    throw new GoneError('NO_WORKER', 'gone/testing: a handler can call no other worker here')
  }
  return {
    system,
    round,
    fence,
    attempt: 1,
    config: undefined,
    signal: new AbortController().signal,
    log: async () => undefined,
    progress: async () => undefined,
    call,
    callOnce: call,
  }
}
