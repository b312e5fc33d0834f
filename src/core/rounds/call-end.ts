import { CANCEL_IDENTITY } from './completion.ts'
import type { SubmissionRecord } from './job.ts'
import type { Sighting } from './round-ports.ts'

/** How a call ended. */
export type CallEnd =
  /** `result` is a JSON text, empty if there is none. */
  | { readonly outcome: 'completed'; readonly result: string }
  /** `isGivenUp`: its time was over, or its caller has given it up; else its handler has failed. */
  | { readonly outcome: 'failed'; readonly reason: string; readonly isGivenUp: boolean }

/** How the call ended; undefined while it has not. */
export function callEndOf({ record, submission }: Sighting): CallEnd | undefined {
  const completion = record?.completion
  if (completion === undefined) return undefined
  const { outcome, detail, identity, atMs } = completion
  if (outcome === 'completed') return { outcome, result: detail }
  const isLate = submission !== undefined && atMs >= giveUpAtMs(submission)
  return {
    outcome,
    reason: detail || 'failed without a reason',
    isGivenUp: isLate || identity === CANCEL_IDENTITY || record?.identity === CANCEL_IDENTITY,
  }
}

/** When the call is given up, by the store's clock; never, if it is none. */
export function giveUpAtMs({ submittedAtMs, runTerms }: SubmissionRecord): number {
  return submittedAtMs + (runTerms.call?.giveUpMs ?? Number.POSITIVE_INFINITY)
}
