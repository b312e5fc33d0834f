import type { JobsOptions } from 'bullmq'
import type { Submission } from '../core/rounds/job.ts'

/** How BullMQ is told what a submission says of its job. */
export function jobOptions({
  queueTerms: { attempts, backoff, priority, traceparent },
  runTerms,
}: Pick<Submission, 'queueTerms' | 'runTerms'>): JobsOptions & { readonly traceparent?: string } {
  return {
    ...(attempts !== undefined && { attempts }),
    ...(backoff && { backoff: { type: backoff.type, delay: backoff.delayMs } }),
    ...(priority !== undefined && { priority }),
    ...(traceparent !== undefined && { traceparent }),
    // The record has its result. To keep it for a while would take from the queue what others have there for longer.
    ...(runTerms.call && { removeOnComplete: true, removeOnFail: true }),
  }
}
