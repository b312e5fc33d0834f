import { hasToken, type Reporter } from './candidate.ts'
import { provesLeadership } from './election.ts'
import { isVacant, type Outcome, type RoundRecord } from './record.ts'

/** What a report comes to. `refused` changes nothing: another has reported, or leads with a token of its own. */
export type CompletionVerdict = 'recorded' | 'alreadyRecorded' | 'refused'

/** The identity of whoever ends a round as cancelled, whoever that is. No token's digest looks like this. */
export const CANCEL_IDENTITY = '#cancel'

/** What a cancellation comes to. `ended` changes nothing: the round has an end of its own. */
export type CancelVerdict = 'cancelled' | 'alreadyCancelled' | 'ended'

export function judgeCancellation(record: RoundRecord | undefined): CancelVerdict {
  if (record?.completion === undefined) return 'cancelled'
  return record.completion.identity === CANCEL_IDENTITY ? 'alreadyCancelled' : 'ended'
}

/**
 * Whether a report is the round's completion. A round led with a token is completed with that token or its fence; a
 * round led without one by anybody, once. A round that nobody led is led and completed by its reporter in one step. Where it was
 * opened again, whoever led it before is none of either.
 */
export function judgeCompletion(
  record: RoundRecord | undefined,
  reporter: Reporter,
  outcome: Outcome,
): CompletionVerdict {
  if (record === undefined) return 'recorded'
  if (isVacant(record)) return isFromBefore(record, reporter) ? 'refused' : 'recorded'
  const proven = provesLeadership(record, reporter)
  if (record.completion) {
    const { identity } = record.completion
    const isSameReporter = identity === undefined ? proven : identity === reporter.identity
    return isSameReporter && record.completion.outcome === outcome ? 'alreadyRecorded' : 'refused'
  }
  const isAnybodys = !hasToken(record.identity) && reporter.fence === undefined
  return proven || (isAnybodys && !isFromBefore(record, reporter)) ? 'recorded' : 'refused'
}

/** True if the report comes from before the round was opened again. */
function isFromBefore({ reopened }: RoundRecord, { fence, identity }: Reporter): boolean {
  if (reopened === undefined) return false
  return fence === undefined ? reopened.former.includes(identity) : fence <= reopened.fence
}

/**
 * What it comes to that a round is to be opened again. `running`: it has neither failed nor is it overdue; `jobGone`: nobody knows
 * any more what its job does.
 */
export type RetryVerdict = 'opened' | 'completed' | 'running' | 'jobGone'
