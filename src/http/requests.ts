import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Candidate, type Reporter, tokenIdentity } from '../core/rounds/candidate.ts'
import { isWorkerName } from '../core/rounds/job.ts'
import { checkIdentifier, formatRound, type RoundId, roundId } from '../core/rounds/round.ts'
import { GoneError } from '../errors.ts'
import type { Taker } from '../service/rounds/taker.ts'

/** The round that a path names. @throws GoneError `INVALID_IDENTIFIER` */
export function roundOf({ system = '', round = '' }: Readonly<Record<string, string>>): RoundId {
  return roundId(system, round)
}

/** @throws GoneError `INVALID_IDENTIFIER` */
export function workerName(name: string): string {
  if (isWorkerName(name)) return name
  throw new GoneError(
    'INVALID_IDENTIFIER',
    `worker: expected a name of letters, digits, "_", "-" or ".", got ${JSON.stringify(name.slice(0, 64))}`,
  )
}

/** What a path names that calls a worker. @throws GoneError `INVALID_IDENTIFIER` */
export function systemAndWorkerOf({ system = '', worker = '' }: Readonly<Record<string, string>>) {
  checkIdentifier('system', system)
  return { system, worker: workerName(worker) }
}

/**
 * Who asks. The address is for display; the token, or else this one call, is the identity.
 *
 * @param callIdentity makes the identity of a call without a token
 */
export function candidateOf(
  request: FastifyRequest,
  { candidate: token, name }: { readonly candidate?: string; readonly name?: string },
  callIdentity: () => string,
): Candidate {
  return {
    address: request.server.access.callers.address(request),
    identity: token === undefined ? callIdentity() : tokenIdentity(token),
    ...(name !== undefined && { name }),
  }
}

/** Who calls, where no token is asked for. */
export function callerOf(request: FastifyRequest, callIdentity: () => string): Candidate {
  return { address: request.server.access.callers.address(request), identity: callIdentity() }
}

/** Who gives an order, for those who look later: the id of the key that was let in, or the address where none was needed. */
export function actorOf(request: FastifyRequest): string {
  return request.keyId ?? request.server.access.callers.address(request)
}

/** Who reports: a candidate that may show its fence. */
export function reporterOf(
  request: FastifyRequest,
  query: { readonly candidate?: string; readonly fence?: number },
  callIdentity: () => string,
): Reporter {
  const { fence } = query
  return { ...candidateOf(request, query, callIdentity), ...(fence !== undefined && { fence }) }
}

/** @throws GoneError `FORBIDDEN` where the key permits work alone, and this is no job that it took under this fence */
export async function onlyOfTaken(
  taker: Taker,
  request: FastifyRequest,
  id: RoundId,
  fence: number | undefined,
): Promise<void> {
  const refused = request.server.access.forbidden(request, 'elect', { system: id.system })
  if (refused === undefined) return
  const seen = fence === undefined ? undefined : await taker.seen(id, fence)
  if (seen?.submission) return request.server.access.checkWorker(request, seen.submission.queue, 'work for')
  throw new GoneError(
    'FORBIDDEN',
    `the key ${request.keyId} permits work alone, and ${formatRound(id)} is not out as a job under the fence that was shown`,
  )
}

export function wantsJson(request: FastifyRequest): boolean {
  return request.headers.accept?.includes('application/json') ?? false
}

/** True if nothing written from now on reaches the caller: the connection is closed, or its other end is. */
export function isGone({ raw }: FastifyReply): boolean {
  return raw.destroyed || raw.socket?.destroyed === true || raw.socket?.writableEnded === true
}

/** Aborted when the caller has gone before it was answered, also where it had gone before this was asked. */
export function callerSignal(reply: FastifyReply): AbortSignal {
  const gone = new AbortController()
  // What has closed says so no more.
  if (isGone(reply)) gone.abort()
  else reply.raw.once('close', () => gone.abort())
  return gone.signal
}
