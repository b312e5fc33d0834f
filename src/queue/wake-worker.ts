import type { Job } from 'bullmq'
import { WAKES_QUEUE } from '../core/rounds/job.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import { parseScheduleKey } from '../core/schedules/schedule.ts'
import { GoneError } from '../errors.ts'
import type { RedisClient } from '../redis/connections.ts'
import type { Calm } from '../service/calm.ts'
import type { Work } from '../service/loop.ts'
import type { Ticker } from '../service/schedules/ticker.ts'
import { pause } from '../waiting.ts'
import { bullmq } from './bullmq.ts'
import { closeWorker } from './close-worker.ts'
import { HeardWorker } from './heard-worker.ts'
import { prefixOf } from './queue-keys.ts'
import type { WakeQueue } from './wake-queue.ts'

export interface WakeWorkerParts {
  /** A client that waits for Redis as long as it takes. */
  readonly client: RedisClient
  readonly wakes: WakeQueue
  readonly ticker: Ticker
  readonly log: Log
}

const CONCURRENCY = 64
/** A process that dies in a tick keeps its wake from ringing so long; the watchdog is as quick. */
const LOCK_MS = 10_000
/** A wake that is early by the store's clock waits for it so long, and then is set again. */
const WAIT_MS = 1_000
const RETRY_MS = 1_000
const STOP_WITHIN_MS = 1_500

/** Ticks a schedule when its wake rings. */
export class WakeWorker implements Work {
  private readonly worker: HeardWorker
  private readonly stopping = new AbortController()

  constructor(private readonly parts: WakeWorkerParts) {
    this.worker = new HeardWorker(WAKES_QUEUE, (job, token) => this.ring(job, token), {
      connection: parts.client,
      prefix: prefixOf(WAKES_QUEUE, parts.client),
      autorun: false,
      concurrency: CONCURRENCY,
      lockDuration: LOCK_MS,
      stalledInterval: LOCK_MS / 2,
      maxStalledCount: 1_000_000,
      removeOnComplete: { count: 0 },
      removeOnFail: { count: 0 },
      // Without a look at Redis' version BullMQ would wait in whole seconds, and so ring up to one late.
      skipVersionCheck: false,
      // Before it hands a job out BullMQ asks when the next one comes. That is known only once this one was ticked.
      settings: { repeatStrategy: () => undefined },
    })
    this.worker.on('error', (error) => parts.log.debug({ cause: String(error) }, 'wake worker'))
    this.worker.on('failed', (job, error) => parts.log.error({ wake: job?.id, err: error }, 'wake failed'))
  }

  start(calm?: Calm): void {
    const ended = (error: unknown) => this.parts.log.error({ cause: String(error) }, 'wake worker ended')
    this.worker.runUnless(calm).catch(ended)
  }

  /** Ends what is being ticked. Where Redis does not answer it is cut off: another process ticks it again. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await closeWorker(this.worker, this.parts.client, STOP_WITHIN_MS)
  }

  private async ring(job: Job, token: string | undefined): Promise<void> {
    const id = parseScheduleKey(job.name)
    const { ticker, wakes, log } = this.parts
    try {
      let { nowMs, wakeMs, isIdle } = await ticker.settle(id)
      if (isIdle && wakeMs !== undefined) {
        // It rang early by the store's clock. Where it is much too early, other processes may find it so again and again.
        await pause(Math.min(wakeMs - nowMs, WAIT_MS), this.stopping.signal)
        ;({ nowMs, wakeMs, isIdle } = await ticker.settle(id))
      }
      if (wakeMs === undefined) return await wakes.remove(id)
      const isSet = await wakes.ring(id, wakeMs, nowMs)
      if (!isSet) await putOff(job, token, Math.max(1, wakeMs - nowMs))
    } catch (error) {
      if (!(error instanceof GoneError) || !error.retryable) throw error
      // A store that cannot answer must not end the wake.
      log.debug({ wake: job.id, cause: error.message }, 'tick put off')
      return putOff(job, token, RETRY_MS)
    }
  }
}

async function putOff(job: Job, token: string | undefined, ms: number): Promise<never> {
  await job.moveToDelayed(Date.now() + ms, token)
  throw new bullmq.DelayedError()
}
