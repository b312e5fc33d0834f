import type { CallJson, EndedCallJson } from '../core/rounds/call-wire.ts'
import { CALL_MS } from '../core/rounds/limits.ts'
import { type ErrorCode, GoneError } from '../errors.ts'
import { ask } from './ask.ts'
import type { Calls, WorkerCallOptions } from './define-worker.ts'
import { durationMs } from './duration.ts'
import { segmentOf } from './segment.ts'
import { checkToken, randomToken } from './token.ts'
import type { TransportOptions } from './transport.ts'
import { MAX_WAIT_MS } from './wait.ts'

/** A call as it is made, over HTTP or from within a worker. */
export interface CallRequest {
  readonly system: string
  readonly worker: string
  readonly token: string
  readonly data: unknown
  readonly timeoutMs: number
  readonly isOnce: boolean
  readonly isQueued: boolean
  readonly region?: string
  readonly signal?: AbortSignal
}

type CallOutcome = Pick<EndedCallJson, 'outcome' | 'result' | 'reason' | 'isGivenUp'>

/** Calls that are made by `run`, which comes back with their end. */
export function callsBy(run: (call: CallRequest) => Promise<CallOutcome>): Calls {
  const calling =
    (isOnce: boolean) =>
    async <Result>(worker: string, data: unknown, options: WorkerCallOptions = {}): Promise<Result> => {
      const { timeout = CALL_MS, system = worker, request = randomToken(), queue = false } = options
      const { region, signal } = options
      checkToken(request)
      const { outcome, result, reason, isGivenUp } = await run({
        system,
        worker,
        token: request,
        data,
        timeoutMs: durationMs('timeout', timeout),
        isOnce,
        isQueued: queue,
        ...(region !== undefined && { region }),
        ...(signal && { signal }),
      })
      if (outcome === 'completed') return result as Result
      throw new GoneError(isGivenUp ? 'CALL_GIVEN_UP' : 'CALL_FAILED', `${worker}: ${reason}`)
    }
  return { call: calling(false), callOnce: calling(true) }
}

/** Calls through the server that is reached by `transport`. */
export function callsOn(transport: TransportOptions): Calls {
  return callsBy((call) => callOver(transport, call))
}

/** To ask again at once would not be what whoever calls wants to know. */
const TOLD_AT_ONCE: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['NO_WORKER'])
/** Longer than the call may take: it is the server that says that its time is over. */
const MARGIN_MS = 1_000

async function callOver(transport: TransportOptions, call: CallRequest): Promise<CallOutcome> {
  const { system, worker, token, data, timeoutMs, isOnce, isQueued, region, signal } = call
  const question = {
    path: `/api/v1/call/${segmentOf('system', system)}/${segmentOf('name', worker)}`,
    query: { request: token },
    answers: 'worker',
  } as const
  const body = {
    data,
    timeout: `${timeoutMs}ms`,
    ...(isOnce && { once: true }),
    ...(isQueued && { queue: true }),
    ...(region !== undefined && { region }),
  }
  const endMs = performance.now() + timeoutMs
  try {
    for (;;) {
      const restMs = endMs - performance.now()
      const waitMs = Math.min(Math.max(0, restMs) + MARGIN_MS, MAX_WAIT_MS)
      const asked = { ...question, method: 'POST', body, accepts: [200, 202], waitMs, signal } as const
      const json = (await ask(transport, { ...asked, toldAtOnce: TOLD_AT_ONCE })).json as CallJson
      if ('outcome' in json) return json
      if (restMs < -transport.timeoutMs)
        throw new GoneError('CALL_GIVEN_UP', `${worker}: its time is over, and nobody says how it ended`)
    }
  } catch (error) {
    // Nobody waits for it. Where this does not arrive it is given up when its time is over.
    if (signal?.aborted)
      ask(transport, { ...question, method: 'DELETE', signal: undefined }).catch(() => undefined)
    throw error
  }
}
