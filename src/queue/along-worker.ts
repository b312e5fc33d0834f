import type { Job } from 'bullmq'
import type { FinishRuling } from '../core/rounds/round-ports.ts'
import type { Along, Completion } from './along.ts'
import { bullmq } from './bullmq.ts'
import { isEndOfAttempt } from './job-ends.ts'
import { PunctualWorker } from './redis-time.ts'

/** What a processor returns where its job ends with the completion of its round, in one step. */
export class EndAlong {
  /**
   * @param kept what the job keeps of the result
   * @param conclude told what came of the completion, or why that is not known: what the job keeps then, or throws how it ends
   */
  constructor(
    readonly kept: unknown,
    readonly completion: Completion,
    readonly conclude: (ruling: FinishRuling | Error) => Promise<unknown>,
  ) {}
}

/** The key of a job in Redis. */
export function keyOfJob({ queueQualifiedName, id }: Pick<Job, 'queueQualifiedName' | 'id'>): string {
  return `${queueQualifiedName}:${id}`
}

/** How many ends of jobs, and for how long, nothing is removed that is kept too long or is too much. */
const TRIM_EACH = 32
const TRIM_EVERY_MS = 100
const KEEP_ALL = { count: -1 } as const

/** A worker whose jobs may end with the completion of their rounds. */
export class AlongWorker extends PunctualWorker {
  along: Along | undefined
  private untrimmed = 0
  private trimmedAtMs = Number.NEGATIVE_INFINITY

  // Its parameters are BullMQ's, which this file does not decide over.
  protected override async handleCompleted(
    ...[result, job, token, ...rest]: Parameters<PunctualWorker['handleCompleted']>
  ): ReturnType<PunctualWorker['handleCompleted']> {
    const { along } = this
    if (!(along && result instanceof EndAlong)) return super.handleCompleted(result, job, token, ...rest)
    const { kept, completion, conclude } = result
    if (!this.isToTrim()) job.opts.removeOnComplete ??= KEEP_ALL
    const told = await settled(() =>
      along.complete(keyOfJob(job), completion, () => super.handleCompleted(kept, job, token, ...rest)),
    )
    const { ruling } = completion
    if (ruling && ruling.verdict !== 'refused') {
      await conclude(ruling)
      return outcomeOf(told)
    }
    // BullMQ asks again once it is connected, or is closed and has told nothing.
    if (!ruling && (told.error === undefined || !bullmq.isNotConnectionError(told.error)))
      return outcomeOf(told)
    const otherwise = await settled(() => conclude(ruling ?? (told.error as Error)))
    if (otherwise.error !== undefined) return this.handleFailed(otherwise.error, job, token, ...rest)
    return super.handleCompleted(otherwise.value, job, token, ...rest)
  }

  /**
   * What is no end of an attempt is trouble of Redis or of BullMQ, which would fail the job by it: it is left to be found without a lock,
   * and run again.
   */
  protected override async handleFailed(
    ...[error, job, ...rest]: Parameters<PunctualWorker['handleFailed']>
  ): ReturnType<PunctualWorker['handleFailed']> {
    if (isEndOfAttempt(error)) return super.handleFailed(error, job, ...rest)
    this.emit('error', error)
    return super.handleFailed(new bullmq.DelayedError(), job, ...rest)
  }

  /** Whether what the queue has too much of is removed with this end, which takes Redis as long as a tenth of the end itself. */
  private isToTrim(): boolean {
    if (typeof this.opts.removeOnComplete !== 'object') return true
    const nowMs = performance.now()
    this.untrimmed += 1
    if (this.untrimmed < TRIM_EACH && nowMs - this.trimmedAtMs < TRIM_EVERY_MS) return false
    this.untrimmed = 0
    this.trimmedAtMs = nowMs
    return true
  }
}

type Settled<T> = { readonly value: T; readonly error?: never } | { readonly error: Error }

async function settled<T>(run: () => Promise<T>): Promise<Settled<T>> {
  try {
    return { value: await run() }
  } catch (error) {
    return { error: error as Error }
  }
}

function outcomeOf<T>(outcome: Settled<T>): T {
  if (outcome.error !== undefined) throw outcome.error
  return outcome.value
}
