import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Candidate, type Reporter, tokenIdentity } from '../core/candidate.ts'
import { type RoundId, roundId } from '../core/round.ts'
import { candidate as candidateParameter, fence as fenceParameter, headerOr } from './parameters.ts'

/** The round that the path names. @throws GoneError `INVALID_IDENTIFIER` */
export function roundOf(request: FastifyRequest): RoundId {
  const { system, round } = request.params as { system: string; round: string }
  return roundId(system, round)
}

/**
 * Who asks. The address is for display; the token, or else this one call, is the identity.
 *
 * @param callIdentity makes the identity of a call without a token
 */
export function candidateOf(
  request: FastifyRequest,
  query: { readonly candidate?: string },
  callIdentity: () => string,
): Candidate {
  const token = headerOr(request, 'gone-candidate', candidateParameter, query.candidate)
  return {
    address: request.server.access.callers.address(request),
    identity: token === undefined ? callIdentity() : tokenIdentity(token),
  }
}

/** Who calls, where no token is asked for. */
export function callerOf(request: FastifyRequest, callIdentity: () => string): Candidate {
  return { address: request.server.access.callers.address(request), identity: callIdentity() }
}

/** Who reports: a candidate that may show its fence. */
export function reporterOf(
  request: FastifyRequest,
  query: { readonly candidate?: string; readonly fence?: number },
  callIdentity: () => string,
): Reporter {
  const fence = headerOr(request, 'gone-fence', fenceParameter, query.fence)
  return { ...candidateOf(request, query, callIdentity), ...(fence !== undefined && { fence }) }
}

export function wantsJson(request: FastifyRequest): boolean {
  return request.headers.accept?.includes('application/json') ?? false
}

/** Aborted when the caller has gone before it was answered. */
export function callerSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return gone.signal
}
