import { setMaxListeners } from 'node:events'
import type { Job, Worker } from 'bullmq'
import type { WorkTally } from '../core/fleet/series-ports.ts'
import { termsIn, type WorkerSettings } from '../core/fleet/worker-settings.ts'
import { failureOf } from '../core/rounds/handler-end.ts'
import { type Backoff, regionQueue } from '../core/rounds/job.ts'
import { type RoundId, roundKey } from '../core/rounds/round.ts'
import type { Log } from '../core/rounds/round-ports.ts'
import type { Tracer } from '../core/tracing.ts'
import { GoneError } from '../errors.ts'
import type { RedisClient } from '../redis/connections.ts'
import {
  type Attempt,
  type AttemptEnd,
  type Ending,
  PUT_OFF_MS,
  type Taken,
} from '../service/rounds/job-record.ts'
import { type JobRunner, type Run, WorkerStop } from '../service/rounds/job-runner.ts'
import { AttemptSpans } from '../service/rounds/round-spans.ts'
import { callAfter, within } from '../waiting.ts'
import { Along, type StepsAlong } from './along.ts'
import { AlongWorker, EndAlong, keyOfJob } from './along-worker.ts'
import { bullmq } from './bullmq.ts'
import { closeWorker } from './close-worker.ts'
import { type HandlerContext, JobContext } from './handler-context.ts'
import { failedAs, keptOf, roundOf, waitedMs } from './job-ends.ts'
import { JobLogs } from './job-log.ts'
import type { MadeFor } from './job-queues.ts'
import { prefixOf } from './queue-keys.ts'
import { takeTimeFromRedis } from './redis-time.ts'

/** What a worker says of itself where a submission does not. */
export interface WorkerTerms {
  readonly concurrency: number
  readonly attempts: number
  readonly backoff: Backoff
  readonly timeoutMs?: number
  /** How long a worker may be silent before BullMQ takes it for dead. */
  readonly lockMs: number
}

export interface JobWorkerParts {
  readonly queue: string
  /** Where it also takes jobs that are for that region; missing: only those that are for none. */
  readonly region?: string
  readonly terms: WorkerTerms
  /** Makes of the configuration what handlers are given; throws what is wrong with it. Missing: as it is. */
  readonly parseConfig?: (config: unknown) => unknown
  readonly handler: (data: unknown, context: HandlerContext) => Promise<unknown>
  readonly runner: JobRunner
  readonly tally: WorkTally
  /** Told of what is run; missing: nobody is. */
  readonly tracer?: Tracer
  /** A client that waits for Redis as long as it takes. */
  readonly client: RedisClient
  readonly log: Log
  /** For display: `mailer@host:4711`. */
  readonly address: string
  /** The id of the instance, by which jobs are known that it runs where their lock is gone. */
  readonly instance: string
  readonly jobRetentionMs: number
  readonly jobRetentionCount: number
  /** How many lines a job's log may have. */
  readonly jobLogLines: number
  /** Where BullMQ's steps take those of the record along; missing: each is a step of its own. */
  readonly steps?: StepsAlong
}

/** What a worker has done, and does. */
export interface WorkerCounts {
  readonly running: number
  readonly done: number
  /** Attempts. */
  readonly failed: number
  readonly lastTakenMs?: number
}

/** BullMQ gives a job up for dead so often before it fails it; the record bounds it better, with a reason. */
const MAX_STALLED = 1_000_000
/** However long a lock is: a timer of BullMQ's that is months long would fire at once. */
const MAX_STALLED_INTERVAL_MS = 60_000
/** How long what a worker exports as `config` may take. */
const CONFIGURED_WITHIN_MS = 30_000
/** Of the time between cutting off and the end, what handlers have to notice. */
const GRACE_SHARE = 0.8

/** Takes the jobs of a worker, runs each by the runner, and tells BullMQ how it ended. */
export class JobWorker {
  /** BullMQ's: of the queue of its name, and of that of its region where it has one. They share its slots. */
  private readonly consumers: readonly [Worker, ...Worker[]]
  /** Those that have brought a job for which there was no room. */
  private readonly held = new Set<Worker>()
  private readonly logs: JobLogs
  private readonly along: Along | undefined
  private lastTrouble: string | undefined
  private readonly stopping = new AbortController()
  private isResting = false
  /** What the file says, with what is set from one place before it. */
  private terms: WorkerTerms
  private config: unknown
  private readonly counted: { -readonly [K in keyof WorkerCounts]: WorkerCounts[K] } = {
    running: 0,
    done: 0,
    failed: 0,
  }
  /** The rounds whose handlers run now. */
  readonly running = new Set<string>()

  constructor(private readonly parts: JobWorkerParts) {
    const { queue, terms, client } = parts
    this.terms = terms
    // Each running job listens; Node would warn from the eleventh on.
    setMaxListeners(0, this.stopping.signal)
    this.along = parts.steps && new Along(client, parts.steps, parts.address)
    takeTimeFromRedis(client)
    this.logs = new JobLogs(client, parts.jobLogLines)
    const names = [queue, ...(parts.region === undefined ? [] : [regionQueue(queue, parts.region)])]
    this.consumers = names.map((name) => this.consumerOf(name)) as [Worker, ...Worker[]]
  }

  private consumerOf(name: string): Worker {
    const { terms, client, instance, jobRetentionMs, jobRetentionCount } = this.parts
    const keep = { age: Math.ceil(jobRetentionMs / 1_000), count: jobRetentionCount }
    const consumer = new AlongWorker(name, (job, token) => this.run(consumer, job, token), {
      connection: client,
      prefix: prefixOf(name, client),
      name: instance,
      autorun: false,
      concurrency: terms.concurrency,
      lockDuration: terms.lockMs,
      stalledInterval: Math.min(Math.max(1_000, Math.floor(terms.lockMs / 2)), MAX_STALLED_INTERVAL_MS),
      maxStalledCount: MAX_STALLED,
      removeOnComplete: keep,
      removeOnFail: keep,
    })
    consumer.along = this.along
    consumer.on('error', ({ message }) => this.tell(message))
    return consumer
  }

  /** Changes only: BullMQ tells of each try again. Of a connection that is lost the client tells by itself. */
  private tell(cause: string): void {
    const { client, log, queue } = this.parts
    if (client.status !== 'ready' || cause === this.lastTrouble) return
    this.lastTrouble = cause
    log.warn({ queue, cause }, 'worker trouble')
  }

  start(): void {
    const { log, queue } = this.parts
    for (const consumer of this.consumers)
      consumer.run().catch((error) => log.error({ queue, cause: String(error) }, 'worker ended'))
  }

  /**
   * Takes no more jobs, waits `drainMs` for those that run, then aborts them and returns them to the queue by `endMs`.
   *
   * @param isBroken an error ends the process
   */
  async stop(drainMs: number, endMs: number, isBroken: boolean): Promise<void> {
    // Those who have not noticed by then are given back all the same, while there is time for that.
    const reason = new WorkerStop((endMs - drainMs) * GRACE_SHARE, isBroken)
    const callOff = callAfter(drainMs, () => this.stopping.abort(reason))
    await Promise.all(this.consumers.map((consumer) => closeWorker(consumer, this.parts.client, endMs)))
    callOff()
  }

  /** What the lock of each job begins with that it runs, by queue. */
  get locks(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.consumers.map(({ name, id }) => [name, `${id}:`]))
  }

  /** How many jobs it runs at once. */
  get slots(): number {
    return this.consumers[0].concurrency
  }

  set slots(slots: number) {
    for (const consumer of this.consumers) consumer.concurrency = slots
    this.letGo()
  }

  /**
   * Takes these settings from now on: running jobs keep those they began with.
   *
   * @returns why it has not taken them, and goes on as before; undefined: it has
   */
  async configure(settings: WorkerSettings): Promise<string | undefined> {
    const { terms, parseConfig } = this.parts
    const { config } = settings
    const late = () => new Error(`its config has not said so within ${CONFIGURED_WITHIN_MS / 1_000} s`)
    try {
      this.config =
        config === undefined || !parseConfig
          ? config
          : await within(CONFIGURED_WITHIN_MS, Promise.resolve(config).then(parseConfig), late)
    } catch (error) {
      return failureOf(error).reason
    }
    this.terms = { ...terms, ...termsIn(settings) }
    this.slots = this.terms.concurrency
    return undefined
  }

  /** What it has done since it started; times by the clock of `performance.now`. */
  get counts(): WorkerCounts {
    return this.counted
  }

  /** Takes no more jobs from now on; those that run go on. */
  async rest(): Promise<void> {
    this.isResting = true
    // It does not wait: BullMQ still hands out what it has asked for, up to 5 s later. That is given back, see `run`.
    await Promise.all(this.consumers.map((consumer) => consumer.pause(true)))
  }

  /** Takes jobs again. */
  async take(): Promise<void> {
    this.isResting = false
    this.held.clear()
    await Promise.all(this.consumers.map((consumer) => consumer.resume()))
  }

  private async run(consumer: Worker, job: Job, token: string | undefined): Promise<unknown> {
    const id = roundOf(job)
    const taken = id && this.along?.taken(keyOfJob(job), id)
    if (this.isResting || this.counted.running >= this.slots) {
      if (taken) await this.parts.runner.handBack({ id, taken })
      return this.isResting ? giveBack(job, token) : this.giveBackHeld(consumer, job, token)
    }
    this.counted.running += 1
    this.counted.lastTakenMs = performance.now()
    this.lastTrouble = undefined
    try {
      return await this.runTaken(job, token, id, taken)
    } finally {
      this.counted.running -= 1
      this.letGo()
    }
  }

  /** The other queue's jobs have all the slots: this one asks for no more until one is free. */
  private async giveBackHeld(consumer: Worker, job: Job, token: string | undefined): Promise<never> {
    this.held.add(consumer)
    await consumer.pause(true)
    // One may have become free meanwhile.
    if (this.counted.running < this.slots) this.letGo()
    return giveBack(job, token)
  }

  private letGo(): void {
    if (this.isResting || this.counted.running >= this.slots) return
    for (const consumer of this.held) void consumer.resume()
    this.held.clear()
  }

  private async runTaken(
    job: Job,
    token: string | undefined,
    id: RoundId | undefined,
    taken: Taken | undefined,
  ): Promise<unknown> {
    if (id === undefined) {
      const reason = `its id is no round's: expected "system~round", both escaped, got ${JSON.stringify(job.id)}`
      return this.conclude(job, token, { kind: 'failed', reason, isFinal: true })
    }
    // A submission without terms of its own leaves them to the worker; BullMQ reads them here when an attempt ends.
    const attempts = job.opts.attempts || this.terms.attempts
    const { type, delayMs } = this.terms.backoff
    job.opts.attempts = attempts
    job.opts.backoff ??= { type, delay: delayMs }
    const number = job.attemptsMade + 1
    const { submittedAt } = job.opts as MadeFor
    const attempt = {
      id,
      address: this.parts.address,
      number,
      isLast: number >= attempts,
      isFirst: job.attemptsStarted <= 1,
      ...(typeof submittedAt === 'number' && { madeForMs: submittedAt }),
      ...(taken && { taken }),
    }
    const { timeoutMs } = this.terms

    const { end, tell, ranMs } = await this.attempt(
      { ...attempt, ...(timeoutMs !== undefined && { timeoutMs }) },
      job,
    )
    if (end.kind !== 'ending') {
      tell(end)
      return this.conclude(job, token, end, ranMs)
    }
    const completion = { id, fence: end.fence, result: end.result, lock: end.lock.value }
    return new EndAlong(keptOf(end.result), completion, async (ruling) => {
      const how = ruling instanceof Error ? await toldApart(end) : await end.ended(ruling)
      tell(how)
      return this.conclude(job, token, how, ranMs)
    })
  }

  /** How it ended, what tells of that, and how long its handler ran, if it was begun. */
  private async attempt(attempt: Attempt, job: Job): Promise<Attempted> {
    const { runner, log, queue } = this.parts
    const startedMs = performance.now()
    let fence: number | undefined
    const ran: { begunMs?: number; endedMs?: number } = {}
    const spans = this.spansOf(job, attempt)
    try {
      const handler = async (run: Run) => {
        fence = run.fence
        ran.begunMs = performance.now()
        if (job.attemptsMade === 0) this.parts.tally.waited(queue, waitedMs(job))
        try {
          return await this.handle(job, attempt, run, spans?.began(run.fence))
        } finally {
          ran.endedMs = performance.now()
          spans?.handled()
        }
      }
      const end = await runner.run(attempt, handler, this.stopping.signal)
      const tell = (how: AttemptEnd) => {
        spans?.ended(how)
        const about = { round: roundKey(attempt.id), worker: queue, attempt: attempt.number }
        const ms = Math.round(performance.now() - startedMs)
        // What was never begun is no news; it comes again.
        const level = fence === undefined && how.kind === 'putOff' ? 'debug' : 'info'
        log[level]({ ...about, ...(fence !== undefined && { fence }), ms }, endText(how))
      }
      if (ran.begunMs === undefined) return { end, tell }
      // One whose time was up may run on.
      return { end, tell, ranMs: (ran.endedMs ?? performance.now()) - ran.begunMs }
    } catch (error) {
      // A store that cannot answer must not spend an attempt: after the last one nobody would end the round.
      const isKnown = error instanceof GoneError
      if (!isKnown) log.error({ round: job.id, cause: String(error) }, 'an attempt ended by a defect of ours')
      const why = isKnown ? error.message : String(error)
      return { end: { kind: 'putOff', ms: PUT_OFF_MS, why }, tell: (how) => spans?.ended(how) }
    }
  }

  private spansOf(job: Job, { id, number: attempt }: Attempt): AttemptSpans | undefined {
    const { tracer, queue: worker } = this.parts
    if (tracer === undefined) return undefined
    const { traceparent: parent } = job.opts as MadeFor
    const about = { id, worker, attempt, waitedMs: waitedMs(job), ...(parent !== undefined && { parent }) }
    return new AttemptSpans(tracer, about)
  }

  /** @param traced the trace that what it begins is part of, where that is not the submission's */
  private async handle(job: Job, { id, number }: Attempt, run: Run, traced?: string): Promise<unknown> {
    const key = roundKey(id)
    this.running.add(key)
    try {
      const { logs, config } = this
      const context = new JobContext({
        job,
        id,
        attempt: number,
        run,
        config,
        logs,
        log: this.parts.log,
        traced,
      })
      return await this.parts.handler(job.data, context)
    } finally {
      this.running.delete(key)
    }
  }

  private async conclude(
    job: Job,
    token: string | undefined,
    end: AttemptEnd,
    ranMs?: number,
  ): Promise<unknown> {
    const { tally, queue } = this.parts
    switch (end.kind) {
      case 'completed':
        this.counted.done += 1
        tally.ended(queue, 'done', ranMs)
        return keptOf(end.result)
      case 'failed':
        this.counted.failed += 1
        tally.ended(queue, 'failed', ranMs)
        // BullMQ reads it here, for this once.
        if (end.afterMs !== undefined) job.opts.backoff = { type: 'fixed', delay: end.afterMs }
        throw failedAs(end)
      case 'skipped':
        await this.logs.note(job, end.why)
        return { skipped: end.why }
      case 'putOff':
        await this.logs.note(job, `put off: ${end.why}`)
        return end.ms === 0 ? giveBack(job, token) : putOff(job, token, end.ms)
    }
  }
}

interface Attempted {
  readonly end: AttemptEnd | Ending
  readonly tell: (how: AttemptEnd) => void
  readonly ranMs?: number
}

/** A store that cannot answer must not spend an attempt. */
async function toldApart({ tellApart, release }: Ending): Promise<AttemptEnd> {
  try {
    return await tellApart()
  } catch (error) {
    await release()
    return { kind: 'putOff', ms: PUT_OFF_MS, why: error instanceof GoneError ? error.message : String(error) }
  }
}

/** How an attempt ended, without what the handler returned. */
function endText(end: AttemptEnd): string {
  switch (end.kind) {
    case 'completed':
      return 'completed'
    case 'failed':
      return `${end.isFinal ? 'failed' : 'attempt failed, to be tried again'}: ${end.reason}`
    case 'skipped':
      return end.why
    case 'putOff':
      return `put off: ${end.why}`
  }
}

async function putOff(job: Job, token: string | undefined, ms: number): Promise<never> {
  await job.moveToDelayed(Date.now() + ms, token)
  throw new bullmq.DelayedError()
}

async function giveBack(job: Job, token: string | undefined): Promise<never> {
  await job.moveToWait(token)
  throw new bullmq.WaitingError()
}
