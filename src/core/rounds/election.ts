import type { Candidate, Reporter } from './candidate.ts'
import { isReplaceable, isVacant, type RoundRecord } from './record.ts'

/**
 * What a candidate's call for a round comes to. Everything but `lost` means that this candidate leads, and has work to do: a
 * finished round is lost for everybody, its own leader included.
 */
export type ElectionVerdict = 'elected' | 'alreadyLeader' | 'takenOver' | 'lost'

/** Who leads, given the record as it is now. `elected` and `takenOver` ask for a new record with a higher fence. */
export function judgeElection(
  record: RoundRecord | undefined,
  candidate: Candidate,
  nowMs: number,
): ElectionVerdict {
  if (record === undefined) return 'elected'
  if (record.completion) return 'lost'
  if (record.identity === candidate.identity) return 'alreadyLeader'
  if (isVacant(record)) return 'takenOver'
  return isReplaceable(record) && nowMs >= leaseEndMs(record) ? 'takenOver' : 'lost'
}

/** What a leader's sign of life comes to. */
export type RenewalVerdict = 'renewed' | 'superseded' | 'finished' | 'notLed'

export function judgeRenewal(record: RoundRecord | undefined, reporter: Reporter): RenewalVerdict {
  if (record === undefined) return 'notLed'
  if (!provesLeadership(record, reporter)) return 'superseded'
  return record.completion === undefined ? 'renewed' : 'finished'
}

/**
 * True if the reporter is the leader of this very leadership. A fence, where one is shown, decides alone: the same
 * token with an older fence is a late call.
 */
export function provesLeadership(record: RoundRecord, reporter: Reporter): boolean {
  if (isVacant(record)) return false
  if (reporter.fence !== undefined) return reporter.fence === record.fence
  return reporter.identity === record.identity
}

function leaseEndMs(record: RoundRecord): number {
  return record.lease?.expiresAtMs ?? Number.POSITIVE_INFINITY
}
