import type { CallEnd } from './call-end.ts'
import { submissionStateOf } from './job.ts'
import type { RoundState } from './record.ts'
import { stateOf } from './record.ts'
import type { RoundId } from './round.ts'
import type { Sighting } from './round-ports.ts'
import { linkOf } from './round-wire.ts'

interface AnyCallJson {
  readonly system: string
  readonly worker: string
  /** The round that the call is. */
  readonly round: string
  readonly link: string
}

/** A call that has ended. */
export interface EndedCallJson extends AnyCallJson {
  readonly outcome: 'completed' | 'failed'
  /** What its handler returned; missing where it failed, or returned nothing. */
  readonly result?: unknown
  readonly reason?: string
  /** It failed because its time was over, or because it was given up. */
  readonly isGivenUp?: true
}

/** A call that goes on. */
export interface OpenCallJson extends AnyCallJson {
  readonly state: RoundState
}

export type CallJson = EndedCallJson | OpenCallJson

/** @param end missing: it goes on */
export function callJson(
  id: RoundId,
  worker: string,
  { record, submission, nowMs }: Sighting,
  end?: CallEnd,
): CallJson {
  const call = { ...id, worker, link: linkOf(id) }
  if (end === undefined) {
    const waiting = submission ? submissionStateOf(submission, nowMs) : 'submitted'
    return { ...call, state: record ? stateOf(record, nowMs) : waiting }
  }
  const { outcome } = end
  if (outcome === 'completed')
    return { ...call, outcome, ...(end.result !== '' && { result: JSON.parse(end.result) as unknown }) }
  return { ...call, outcome, reason: end.reason, ...(end.isGivenUp && { isGivenUp: true }) }
}
