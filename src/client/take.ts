import type { TakenJson } from '../core/rounds/taken.ts'
import { ask, type CallOptions } from './ask.ts'
import { type Duration, durationMs, durationText } from './duration.ts'
import { outcomeOf } from './outcome.ts'
import type { Renewal, Reported, RoundCalls } from './rounds.ts'
import { segmentOf } from './segment.ts'
import { checkToken, randomToken } from './token.ts'
import type { Reply, TransportOptions } from './transport.ts'

export interface TakeOptions extends CallOptions {
  /** How long the job may be kept without being renewed, 1s to 1d. Default 30s. */
  readonly lease?: Duration
  /** How long to wait for a job, up to 50s. */
  readonly wait?: Duration
  /** Jobs for this region too, and first. Where the pulse says `regional` they are kept for those who take so. */
  readonly region?: string
  /** The id that the pulse says: what is set of this instance holds for the job too. */
  readonly instance?: string
  /** A token for this one job: the same again is given the same job. Default: a random one. */
  readonly token?: string
}

/** A job that was taken: it is to be renewed within its lease, and reported on by one of these. */
export interface TakenJob extends TakenJson {
  /** Anything but `renewed` means: stop working. */
  renew(lease?: Duration): Promise<Renewal>
  complete(result?: unknown): Promise<Reported>
  /** This attempt has failed: where there are more it is tried again, unless it is `final`. */
  fail(reason?: string, options?: { readonly final?: boolean }): Promise<Reported>
  /** Returns it unspent. False: it was not ours any more. */
  giveBack(): Promise<boolean>
}

export interface TakeCalls {
  /** The next job of this worker, for whoever runs it here and not in `gone work`; undefined: there was none. */
  take(worker: string, options?: TakeOptions): Promise<TakenJob | undefined>
}

/** The jobs of the server that is reached by `transport`. */
export function takeCallsOn(transport: TransportOptions, rounds: RoundCalls): TakeCalls {
  return {
    async take(worker, { lease, wait, token = randomToken(), region, instance, signal } = {}) {
      checkToken(token)
      const { status, json } = await ask(transport, {
        method: 'POST',
        path: `/api/v1/take/${segmentOf('name', worker)}`,
        query: { candidate: token, lease: durationText(lease), region, instance },
        accepts: [200, 204],
        answers: 'fence',
        signal,
        ...(wait !== undefined && { waitMs: durationMs('wait', wait) }),
      })
      return status === 204 ? undefined : takenOn(transport, rounds, json as TakenJson)
    },
  }
}

function takenOn(transport: TransportOptions, rounds: RoundCalls, job: TakenJson): TakenJob {
  const { system, round, fence, traceparent } = job
  const shown = { fence, ...(traceparent !== undefined && { traceparent }) }
  return {
    ...job,
    renew: (lease) => rounds.renew(system, round, { fence, ...(lease !== undefined && { lease }) }),
    complete: (result) =>
      rounds.complete(system, round, { ...shown, ...(result !== undefined && { result }) }),
    fail: (reason, options = {}) =>
      rounds.fail(system, round, { ...shown, ...(reason !== undefined && { reason }), ...options }),
    async giveBack() {
      const path = `/api/v1/give-back/${segmentOf('system', system)}/${segmentOf('round', round)}`
      const query = { fence: String(fence) }
      const question = { method: 'POST', path, query, answers: 'fence', signal: undefined } as const
      const notOurs = outcomeOf<Pick<Reply, 'status'>>({ SUPERSEDED: () => ({ status: 409 }) })
      return (await ask(transport, question).catch(notOurs)).status === 200
    },
  }
}
