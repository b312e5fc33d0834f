import { createHash } from 'node:crypto'

/** Whoever asks to lead a round. */
export interface Candidate {
  /** Where the request came from, `ip:port`: for display only. Two replicas behind one proxy share it. */
  readonly address: string
  /** What tells candidates apart: made of the token a caller chose, or of this one call. */
  readonly identity: string
  /** What it calls itself, for display only. */
  readonly name?: string
}

/** Whoever reports on a round: a candidate that may also show the fence it was given. */
export interface Reporter extends Omit<Candidate, 'name'> {
  readonly fence?: number
}

/** Marks an identity that stands for one call. Not in the alphabet of token identities. */
const CALL_MARK = '~'

/**
 * The identity behind a token that the caller chose: 22 characters whatever the token's length, so the record stays
 * small and whoever reads Redis cannot complete a round with what is stored there.
 */
export function tokenIdentity(token: string): string {
  return createHash('sha256').update(token).digest('base64url').slice(0, 22)
}

/** The identity of one call without a token. `callId` is unique to the call; a resent command is recognised by it. */
export function callIdentity(callId: string): string {
  return CALL_MARK + callId
}

/** True if the caller chose a token, and so can prove in a later call that it is the same candidate. */
export function hasToken(identity: string): boolean {
  return !identity.startsWith(CALL_MARK)
}
