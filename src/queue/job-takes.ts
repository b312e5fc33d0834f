import type { Job, JobJson, Queue } from 'bullmq'
import type { LeftJobs } from '../core/fleet/fleet-ports.ts'
import type { Backoff, UsualTerms } from '../core/rounds/job.ts'
import { parseRoundKey, type RoundId, roundKey } from '../core/rounds/round.ts'
import { attempt } from '../redis/attempt.ts'
import type { RedisClient } from '../redis/connections.ts'
import type { AttemptEnd } from '../service/rounds/job-record.ts'
import type { Noted } from '../service/rounds/look-back.ts'
import type { JobTakes, QueuedJob } from '../service/rounds/taker.ts'
import { bullmq } from './bullmq.ts'
import { failedAs, keptOf, roundOf, waitedMs } from './job-ends.ts'
import { JobLogs } from './job-log.ts'
import type { MadeFor } from './job-queues.ts'
import { OpenQueues } from './open-queues.ts'
import { prefixOf } from './queue-keys.ts'
import { takeTimeFromRedis } from './redis-time.ts'

export interface JobTakesParts {
  /** One of its own with a command timeout: BullMQ's scripts take the time from Redis on it. */
  readonly client: RedisClient
  readonly jobRetentionMs: number
  readonly jobRetentionCount: number
  /** How many lines a job's log may have. */
  readonly jobLogLines: number
  /** Told of each queue that is asked for jobs. */
  readonly serve: (queue: string) => Promise<void>
}

/** How long a job is held before its taker's lease is known. */
const LOCK_MS = 30_000
/** Longer than any call between the start of a job and its answer. */
const TOLD_MS = 60_000
/** How often it is looked for jobs whose lease has ended; such a job is handed on at the second look. */
const STALLED_EVERY_MS = 1_000
const MAX_STALLED = 1_000_000
const USUAL_BACKOFF: Backoff = { type: 'exponential', delayMs: 1_000 }
/** A queue that was not asked for longest is opened anew: it has no connection of its own. */
const MAX_QUEUES = 1_000
/** BullMQ's answers that a job is not in this hand: gone, without a lock, not active, locked by another. */
const NOT_OURS: readonly unknown[] = [-1, -2, -3, -6]

/** Jobs of BullMQ's queues, taken by hand: as its worker does it, without one. */
export class BullJobTakes implements JobTakes, LeftJobs {
  private readonly queues = new OpenQueues(MAX_QUEUES, (name) => this.openOne(name))
  private readonly logs: JobLogs

  constructor(private readonly parts: JobTakesParts) {
    takeTimeFromRedis(parts.client)
    this.logs = new JobLogs(parts.client, parts.jobLogLines)
  }

  async next(queue: string, value: string): Promise<QueuedJob | undefined> {
    return attempt(`take a job of ${queue}`, async () => {
      await this.parts.serve(queue)
      const taken = this.queues.open(queue)
      await taken.getBackend().moveStalledJobsToWait()
      for (;;) {
        const [json, id] = await taken.getBackend().moveToActive(value)
        if (!json) return undefined
        const job = bullmq.Job.fromJSON(taken, json as JobJson, String(id))
        if (roundOf(job)) return queuedOf(job)
        const reason = `its id is no round's: expected "system~round", both escaped, got ${JSON.stringify(job.id)}`
        await endJob(job, value, { kind: 'failed', reason, isFinal: true }, this.logs)
      }
    })
  }

  async handOn(queue: string): Promise<void> {
    await attempt(`look for jobs of ${queue} that nobody holds`, async () => {
      await this.queues.open(queue).getBackend().moveStalledJobsToWait()
    })
  }

  async find(queue: string, id: RoundId): Promise<QueuedJob | undefined> {
    return attempt(`read a job of ${queue}`, async () => {
      const job = await this.job(queue, id)
      return job && queuedOf(job)
    })
  }

  async hold(queue: string, id: RoundId, value: string, leaseMs: number): Promise<boolean> {
    return attempt(`hold a job of ${queue}`, async () => {
      const held = await this.queues.open(queue).getBackend().extendLock(roundKey(id), value, leaseMs)
      return held === 1
    })
  }

  async end(
    queue: string,
    id: RoundId,
    value: string,
    end: AttemptEnd,
    usual: UsualTerms,
  ): Promise<QueuedJob | undefined> {
    return attempt(`end a job of ${queue}`, async () => {
      const job = await this.job(queue, id)
      if (job === undefined) return undefined
      const before = queuedOf(job)
      try {
        await endJob(job, value, end, this.logs, usual)
        return before
      } catch (error) {
        if (NOT_OURS.includes((error as { readonly code?: unknown }).code)) return undefined
        throw error
      }
    })
  }

  async noteFirst(value: string, queue: string, id: RoundId, ms: number): Promise<Noted | undefined> {
    return attempt('note who took a job', async () => {
      const isFirst = await this.parts.client.set(keyOf(value), `${queue} ${roundKey(id)}`, 'PX', ms, 'NX')
      return isFirst === 'OK' ? undefined : (await this.noted([value]))[0]
    })
  }

  async note(value: string, queue: string, id: RoundId, ms: number): Promise<void> {
    await attempt('note who took a job', () =>
      this.parts.client.set(keyOf(value), `${queue} ${roundKey(id)}`, 'PX', ms),
    )
  }

  async noted(values: readonly string[]): Promise<readonly (Noted | undefined)[]> {
    return attempt('look who took a job', async () => {
      const noted = await this.parts.client.mget(values.map(keyOf))
      return noted.map((text) => {
        const [queue, key] = text?.split(' ') ?? []
        return queue === undefined || key === undefined ? undefined : { queue, id: parseRoundKey(key) }
      })
    })
  }

  async may(what: 'answerAgain' | 'takeBack', id: RoundId, fence: number): Promise<boolean> {
    return attempt('look who was told of a job', async () => {
      const { client } = this.parts
      const key = keyOf(`${roundKey(id)}~${fence}`)
      const isFirst = await client.set(key, what, 'PX', TOLD_MS, 'NX')
      return isFirst === 'OK' || (await client.get(key)) === what
    })
  }

  private async job(queue: string, id: RoundId): Promise<Job | undefined> {
    return bullmq.Job.fromId(this.queues.open(queue), roundKey(id))
  }

  private openOne(name: string): Queue {
    const { client, jobRetentionMs, jobRetentionCount } = this.parts
    const keep = { age: Math.ceil(jobRetentionMs / 1_000), count: jobRetentionCount }
    // What a worker would say of its queue: the scripts read it there.
    const asWorker = {
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_EVERY_MS,
      maxStalledCount: MAX_STALLED,
      removeOnComplete: keep,
      removeOnFail: keep,
    }
    const queue = new bullmq.Queue(name, {
      connection: client,
      prefix: prefixOf(name, client),
      skipWaitingForReady: true,
      skipVersionCheck: true,
      // To ask whether there is a job is not to make a queue.
      skipMetasUpdate: true,
      ...asWorker,
    })
    // Connection trouble is the client's to log; without a listener it would end the process.
    queue.on('error', () => undefined)
    return queue
  }
}

function keyOf(value: string): string {
  return `gone:{~takes}:${value}`
}

function queuedOf(job: Job): QueuedJob {
  const { attempts } = job.opts
  const { submittedAt, traceparent } = job.opts as MadeFor
  return {
    id: parseRoundKey(job.id ?? ''),
    data: job.data,
    number: job.attemptsMade + 1,
    turn: job.attemptsStarted,
    waitedMs: waitedMs(job),
    ...(attempts !== undefined && attempts > 0 && { attempts }),
    ...(typeof submittedAt === 'number' && { madeForMs: submittedAt }),
    ...(traceparent !== undefined && { traceparent }),
  }
}

/** What BullMQ's worker does where its handler returns or throws. */
async function endJob(
  job: Job,
  value: string,
  end: AttemptEnd,
  logs: JobLogs,
  { attempts = 1, backoff = USUAL_BACKOFF }: UsualTerms = {},
): Promise<void> {
  switch (end.kind) {
    case 'completed':
      await job.moveToCompleted(keptOf(end.result), value, false)
      return
    case 'failed':
      // A submission without terms of its own leaves them to the worker; BullMQ reads them here.
      job.opts.attempts ||= attempts
      job.opts.backoff ??= { type: backoff.type, delay: backoff.delayMs }
      await job.moveToFailed(failedAs(end), value, false)
      return
    case 'skipped':
      await logs.note(job, end.why)
      await job.moveToCompleted({ skipped: end.why }, value, false)
      return
    case 'putOff':
      await logs.note(job, `put off: ${end.why}`)
      if (end.ms === 0) await job.moveToWait(value)
      else await job.moveToDelayed(Date.now() + end.ms, value)
  }
}
