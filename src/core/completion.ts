import { hasToken, type Reporter } from './candidate.ts'
import { provesLeadership } from './election.ts'
import type { Outcome, RoundRecord } from './record.ts'

/** What a report comes to. `refused` changes nothing: another has reported, or leads with a token of its own. */
export type CompletionVerdict = 'recorded' | 'alreadyRecorded' | 'refused'

/**
 * Whether a report is the round's completion. A round led with a token is completed with that token or its fence; a
 * round led without one by anybody, once. A round that nobody led is led and completed by its reporter in one step.
 */
export function judgeCompletion(
  record: RoundRecord | undefined,
  reporter: Reporter,
  outcome: Outcome,
): CompletionVerdict {
  if (record === undefined) return 'recorded'
  const proven = provesLeadership(record, reporter)
  if (record.completion) {
    const { identity } = record.completion
    const isSameReporter = identity === undefined ? proven : identity === reporter.identity
    return isSameReporter && record.completion.outcome === outcome ? 'alreadyRecorded' : 'refused'
  }
  const isAnybodys = !hasToken(record.identity) && reporter.fence === undefined
  return proven || isAnybodys ? 'recorded' : 'refused'
}
