import type { AlertJson } from '../core/alerts/alert-wire.ts'
import type { QueueJson } from '../core/rounds/queue-wire.ts'
import type { RoundJson, TallyJson } from '../core/rounds/round-wire.ts'
import type { StatusJson } from '../core/status-wire.ts'
import { GoneError } from '../errors.ts'
import { type AlertsOptions, alertsOn } from './alerts.ts'
import type { CallOptions } from './ask.ts'
import { askerOf, roundOf } from './ask-round.ts'
import { callsOn } from './call.ts'
import type { AnyWorker, Calls, DataOf, ResultOf, WorkerDefinition } from './define-worker.ts'
import { type Expectations, expectationsOn } from './expectations.ts'
import { type FleetCalls, fleetOn } from './fleet.ts'
import { listRounds, type RoundsOptions, type TallyOptions, tallyRounds } from './list-rounds.ts'
import { type Lead, type OnceEnd, type OnceOptions, runOnce } from './once.ts'
import { queuesOn } from './queues.ts'
import { type RoundCalls, roundCallsOn } from './rounds.ts'
import { type Schedules, schedulesOn } from './schedules.ts'
import { askSlot, type SlotCalls } from './server-clock.ts'
import { statusOn } from './status.ts'
import { type SubmitOptions, type Submitted, submissionBody } from './submit.ts'
import { type TakeCalls, takeCallsOn } from './take.ts'
import { randomToken } from './token.ts'
import type { Fetch, Reply, TransportOptions } from './transport.ts'
import { type FinishedRound, finished, type WaitOptions } from './wait.ts'

export interface ClientOptions {
  /** Where the server is, such as `http://127.0.0.1:8080`; may have a path. */
  readonly url: string
  /**
   * The token that makes this client one candidate, whatever connection it asks on: 1 to 128 visible ASCII characters
   * without a comma. Default: a random one. `null` shows none: then whoever asks to may complete the round, and a call
   * whose answer got lost is an error, because asking again would be another candidate.
   */
  readonly candidate?: string | null
  /** The API key, `gone_...`, where the server wants one. */
  readonly key?: string
  /** How long a call may take, retries included, beyond its `wait`. Default 10 s. */
  readonly timeoutMs?: number
  /** In place of the global one. */
  readonly fetch?: Fetch
}

/**
 * One candidate. Every method rejects with GoneError: with the server's code where it answered, else with
 * `SERVER_UNREACHABLE`. What can be asked again is asked again, until `timeoutMs` is over.
 */
export interface GoneClient extends RoundCalls, SlotCalls, TakeCalls, Calls {
  /**
   * Lets one worker run the round, however many submit it. Who needs its data and result typed names the worker:
   * `submit<typeof worker>`.
   */
  submit<Worker extends AnyWorker = WorkerDefinition>(
    system: string,
    round: string,
    ...rest: undefined extends DataOf<Worker>
      ? [options?: SubmitOptions<DataOf<Worker>>]
      : [options: SubmitOptions<DataOf<Worker>>]
  ): Promise<Submitted>
  /** The round at its end, whoever runs it and also if nobody has begun; undefined if the time is up before. */
  wait<Worker extends AnyWorker = WorkerDefinition>(
    system: string,
    round: string,
    options?: WaitOptions,
  ): Promise<FinishedRound<ResultOf<Worker>> | undefined>
  /**
   * Runs `work` if this call is elected to, renews the lease meanwhile and reports how it ended: with its result, where
   * that is JSON of up to 4 KiB, or with the message of what it threw.
   *
   * @throws what `work` threw; GoneError `LEASE_LOST` if the lead was lost before the end was recorded
   */
  once<Result>(
    system: string,
    round: string,
    work: (lead: Lead) => Promise<Result> | Result,
    options?: OnceOptions,
  ): Promise<OnceEnd<Result>>
  /** What makes rounds come by themselves. */
  readonly schedules: Schedules
  /** What rounds should come of systems that are elected from outside. */
  readonly expectations: Expectations
  /** What runs workers, and what it is told. */
  readonly fleet: FleetCalls
  /** Rounds that have come, newest first. */
  rounds(options?: RoundsOptions): Promise<readonly RoundJson[]>
  /** How many rounds are in which state, of the newest 2,000. */
  tally(options?: TallyOptions): Promise<TallyJson>
  /** The queues of workers, by name, and how many jobs of each are in which state. */
  queues(options?: CallOptions): Promise<readonly QueueJson[]>
  /** Which servers there are, how Redis is, and how many rounds are overdue. */
  status(options?: CallOptions): Promise<StatusJson>
  /** What is wrong with rounds that were expected, and what was: newest first. */
  alerts(options?: AlertsOptions): Promise<readonly AlertJson[]>
}

const TIMEOUT_MS = 10_000

/**
 * A client of a gone server. Needs nothing but `fetch`, so it runs in Node, Deno, Bun and browsers.
 *
 * @throws GoneError `CONFIG` if `url` is not one of http or https, or `key` is none; `INVALID_PARAMETER` if `candidate` is no token
 */
export function createClient(options: ClientOptions): GoneClient {
  const transport: TransportOptions = {
    baseUrl: baseUrlOf(options.url),
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    headers: authorizationOf(options.key),
  }
  const ask = askerOf(transport, options.candidate === undefined ? randomToken() : options.candidate)
  const rounds = roundCallsOn(ask)
  return {
    ...rounds,
    ...takeCallsOn(transport, rounds),
    ...callsOn(transport),
    async submit(system, round, options: SubmitOptions = {}) {
      const { signal, traceparent } = options
      return submitted(
        await ask('submit', {
          system,
          round,
          body: submissionBody(options),
          ...(traceparent !== undefined && { traceparent }),
          ...(signal && { signal }),
        }),
      )
    },
    wait: (system, round, rest) => finished(rounds, system, round, rest),
    once: (system, round, work, rest = {}) => runOnce(rounds, { system, round }, work, rest),
    schedules: schedulesOn(transport),
    expectations: expectationsOn(transport),
    fleet: fleetOn(transport),
    rounds: (rest) => listRounds(transport, rest),
    tally: (rest) => tallyRounds(transport, rest),
    queues: (rest) => queuesOn(transport, rest),
    status: (rest) => statusOn(transport, rest),
    alerts: (rest) => alertsOn(transport, rest),
    slot: (times, rest) => askSlot(transport, times, rest),
  }
}

function submitted(reply: Reply): Submitted {
  return {
    isFirst: reply.status === 202,
    isConflict: reply.headers.get('gone-conflict') === 'data',
    ...(reply.headers.get('gone-warning') === 'no-worker' && { warning: 'no-worker' as const }),
    round: roundOf(reply) as RoundJson,
  }
}

/** The key itself is not shown: errors are logged. */
function authorizationOf(key: string | undefined): Readonly<Record<string, string>> {
  if (key === undefined) return {}
  if (/^gone_[\w-]+$/.test(key)) return { authorization: `Bearer ${key}` }
  throw new GoneError('CONFIG', 'key: expected an API key, gone_... of letters, digits, "_" and "-"')
}

function baseUrlOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const isHttp = parsed?.protocol === 'http:' || parsed?.protocol === 'https:'
  // fetch refuses a password in the address, and would say so with the password.
  if (parsed && isHttp && !parsed.username && !parsed.password) {
    return `${parsed.origin}${parsed.pathname.replace(/\/+$/, '')}`
  }
  const shown = url.replace(/\/\/[^/]*@/, '//***@')
  throw new GoneError('CONFIG', `url: expected http://host or https://host without a user, got "${shown}"`)
}
