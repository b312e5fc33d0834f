import { createHash } from 'node:crypto'
import { type RoundId, roundId } from './round.ts'

/** A handler's job that waits for a call: its worker, its round as `roundKey` has it, and the fence that it runs under. */
export interface CallLink {
  readonly worker: string
  readonly round: string
  readonly fence: number
}

/** What a submission says of itself that is a call. */
export interface CallTerms {
  /** How long after it was made it is given up where it has no end: then it is not started any more. */
  readonly giveUpMs: number
  /** How long its record is kept from when it was last written, in place of the store's usual time. */
  readonly keptMs: number
  /** The jobs that wait for it, the first one first; missing: no handler has made it. */
  readonly through?: readonly CallLink[]
  /** Where who has made it is told its end, as it is recorded. */
  readonly tell?: string
}

/** How long the record of a call is kept: whoever sends its token again meanwhile is given the same answer. */
export const CALL_KEPT_MS = 3_600_000
/**
 * The round that a call is: one for each token, however often and wherever it is sent.
 *
 * @throws GoneError `INVALID_IDENTIFIER`
 */
export function callRound(system: string, token: string): RoundId {
  return roundId(system, `call.${createHash('sha256').update(token).digest('base64url').slice(0, 22)}`)
}
