import type { AlertJson } from '../core/alert-wire.ts'
import type { RoundState } from '../core/record.ts'
import type { LedRoundJson, RoundJson } from '../core/wire.ts'
import { GoneError } from '../errors.ts'
import { type AlertsOptions, alertsOn } from './alerts.ts'
import type { WorkerDefinition } from './define-worker.ts'
import { type Duration, durationMs, durationText } from './duration.ts'
import { type Expectations, expectationsOn } from './expectations.ts'
import { type Lead, type OnceEnd, type OnceOptions, runOnce } from './once.ts'
import { outcomeOf } from './outcome.ts'
import { type Schedules, schedulesOn } from './schedules.ts'
import { segmentOf } from './segment.ts'
import { askSlot, type ServerSlot } from './server-clock.ts'
import type { Times } from './slot.ts'
import {
  type AnyWorker,
  type DataOf,
  type ResultOf,
  type SubmitOptions,
  type Submitted,
  submissionBody,
} from './submit.ts'
import { checkToken, randomToken } from './token.ts'
import { type Call, type Fetch, type Reply, send, type TransportOptions } from './transport.ts'
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

export interface CallOptions {
  /** Ends the call; it then rejects with the signal's reason. */
  readonly signal?: AbortSignal
}

interface CandidateOptions extends CallOptions {
  /** In place of the client's token. */
  readonly candidate?: string
}

export interface ElectOptions extends CandidateOptions {
  /** How long the leader may be silent before another may take over, 1s to 1d. Without it nobody ever takes over. */
  readonly lease?: Duration
  /** How long after the election an unreported round turns red, 1s to 7d. */
  readonly deadline?: Duration
  /** How long a loser stands by for the lead or the end of the round, up to 60s. */
  readonly wait?: Duration
}

export interface ReportOptions extends CandidateOptions {
  /** The fence that the election answered: proves the leadership like the token does. */
  readonly fence?: number
}

export interface CompleteOptions extends ReportOptions {
  /** Any JSON, up to 4 KiB. It is kept with the round. */
  readonly result?: unknown
}

export interface FailOptions extends ReportOptions {
  /** Why, up to 1000 characters. */
  readonly reason?: string
}

export interface RenewOptions extends ReportOptions {
  /** The lease from now on; as it was if missing. */
  readonly lease?: Duration
}

export interface RoundOptions extends CallOptions {
  /** How long to wait for the end of the round, up to 60s. */
  readonly wait?: Duration
}

/** The answer to a candidate. A leader that asks again is told again that it leads, also when the round is finished. */
export type Election =
  | { readonly leads: true; readonly leader: string; readonly fence: number; readonly state: RoundState }
  | {
      readonly leads: false
      /** Who leads, as `ip:port`; missing where only the gate knows. */
      readonly leader?: string
      readonly fence?: number
      readonly state?: RoundState
    }

/** The answer to a report. `refused`: another has reported, or leads with a token of its own; `detail` says who. */
export type Reported =
  | { readonly kind: 'recorded'; readonly round: LedRoundJson }
  | { readonly kind: 'refused'; readonly detail: string }

/** The answer to a sign of life. Anything but `renewed` means: stop working. */
export type Renewal =
  | { readonly kind: 'renewed'; readonly round: LedRoundJson }
  | { readonly kind: 'superseded' | 'finished' | 'notLed'; readonly detail: string }

/**
 * One candidate. Every method rejects with GoneError: with the server's code where it answered, else with
 * `SERVER_UNREACHABLE`. What can be asked again is asked again, until `timeoutMs` is over.
 */
export interface GoneClient {
  /** Asks for the lead. At most one candidate a round and fence is told that it leads. */
  elect(system: string, round: string, options?: ElectOptions): Promise<Election>
  /** The round if somebody has led it. */
  elected(system: string, round: string, options?: CallOptions): Promise<LedRoundJson | undefined>
  /** Reports the work as done: the round's one completion. */
  complete(system: string, round: string, options?: CompleteOptions): Promise<Reported>
  /** The round if its work is done; undefined also if it failed. */
  completed(system: string, round: string, options?: CallOptions): Promise<LedRoundJson | undefined>
  /** Reports that the work was given up: the round ends failed. */
  fail(system: string, round: string, options?: FailOptions): Promise<Reported>
  /** A leader's sign of life: extends its lease. */
  renew(system: string, round: string, options?: RenewOptions): Promise<Renewal>
  /** The round as it is, or as it is at its end; undefined if nobody has led or submitted it. */
  round(system: string, round: string, options?: RoundOptions): Promise<RoundJson | undefined>
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
  /** What is wrong with rounds that were expected, and what was: newest first. */
  alerts(options?: AlertsOptions): Promise<readonly AlertJson[]>
  /** The slot that is now by the servers' clock. `slot` computes the same by the clock here, and asks nobody. */
  slot(times: Times, options?: CallOptions): Promise<ServerSlot>
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
  const client: GoneClient = {
    async elect(system, round, { lease, deadline, ...rest } = {}) {
      const query = { lease: durationText(lease), deadline: durationText(deadline) }
      return electionOf(await ask('elect', { system, round, query, ...rest }))
    },
    async elected(system, round, rest) {
      return led(await ask('elected', { system, round, ...rest }))
    },
    complete(system, round, { result, ...rest } = {}) {
      const body = result === undefined ? {} : { result }
      return reported(ask('complete', { system, round, body, ...rest }))
    },
    async completed(system, round, rest) {
      return led(await ask('completed', { system, round, ...rest }))
    },
    fail(system, round, { reason, ...rest } = {}) {
      const body = reason === undefined ? {} : { reason }
      return reported(ask('fail', { system, round, body, ...rest }))
    },
    renew(system, round, { lease, ...rest } = {}) {
      return renewed(ask('renew', { system, round, query: { lease: durationText(lease) }, ...rest }))
    },
    async round(system, round, rest) {
      const none = outcomeOf({ NOT_LED: () => ({ json: undefined }) })
      return roundOf(await ask('rounds', { system, round, ...rest }).catch(none))
    },
    async submit(system, round, options: SubmitOptions = {}) {
      const { signal } = options
      return submitted(
        await ask('submit', { system, round, body: submissionBody(options), ...(signal && { signal }) }),
      )
    },
    wait: (system, round, rest) => finished(client, system, round, rest),
    once: (system, round, work, rest = {}) => runOnce(client, { system, round }, work, rest),
    schedules: schedulesOn(transport),
    expectations: expectationsOn(transport),
    alerts: (rest) => alertsOn(transport, rest),
    slot: (times, rest) => askSlot(transport, times, rest),
  }
  return client
}

/** What is asked on the wire: a candidate's word is a POST and shows its token, a reader's question is a GET. */
const VERBS = {
  elect: { method: 'POST', accepts: [202, 204] },
  complete: { method: 'POST', accepts: [200] },
  fail: { method: 'POST', accepts: [200] },
  renew: { method: 'POST', accepts: [200] },
  elected: { method: 'GET', accepts: [200, 204] },
  completed: { method: 'GET', accepts: [200, 204] },
  rounds: { method: 'GET', accepts: [200] },
  submit: { method: 'POST', accepts: [200, 202] },
} as const satisfies Record<string, Pick<Call, 'method' | 'accepts'>>

interface Question {
  readonly system: string
  readonly round: string
  readonly query?: Call['query']
  readonly body?: object
  readonly candidate?: string
  readonly fence?: number
  readonly wait?: Duration
  readonly signal?: AbortSignal
}

function askerOf(transport: TransportOptions, ownToken: string | null) {
  checkToken(ownToken)

  return async (verb: keyof typeof VERBS, question: Question): Promise<Reply> => {
    const { system, round, query, body, fence, wait, signal } = question
    // Readers are nobody, and of a submission it does not matter who makes it.
    const isNobodys = VERBS[verb].method === 'GET' || verb === 'submit'
    const token = isNobodys ? null : (question.candidate ?? ownToken)
    checkToken(token)
    return send(transport, {
      ...VERBS[verb],
      path: `/api/v1/${verb}/${segmentOf('system', system)}/${segmentOf('round', round)}`,
      isAnswer: isRound,
      query: query ?? {},
      headers: {
        accept: 'application/json',
        ...(body && { 'content-type': 'application/json' }),
        ...(token !== null && { 'gone-candidate': token }),
        ...(fence !== undefined && { 'gone-fence': String(fence) }),
      },
      isRepeatable: isNobodys || token !== null || fence !== undefined,
      ...(body && { body: JSON.stringify(body) }),
      ...(wait !== undefined && { waitMs: durationMs('wait', wait) }),
      ...(signal && { signal }),
    })
  }
}

function isRound(json: unknown): json is RoundJson {
  if (typeof json !== 'object' || json === null) return false
  const { system, round, state } = json as Partial<Record<keyof RoundJson, unknown>>
  return [system, round, state].every((member) => typeof member === 'string')
}

function roundOf({ json }: Pick<Reply, 'json'>): RoundJson | undefined {
  return json as RoundJson | undefined
}

/** Only `rounds` shows what nobody has led yet. */
function led(reply: Reply): LedRoundJson | undefined {
  return roundOf(reply) as LedRoundJson | undefined
}

function submitted(reply: Reply): Submitted {
  return {
    isFirst: reply.status === 202,
    isConflict: reply.headers.get('gone-conflict') === 'data',
    round: roundOf(reply) as RoundJson,
  }
}

function electionOf(reply: Reply): Election {
  const round = led(reply)
  if (reply.status === 202 && round) {
    const { leader, fence, state } = round
    return { leads: true, leader, fence, state }
  }
  const header = (name: string) => reply.headers.get(`gone-${name}`)
  const [leader, fence, state] = [header('leader'), header('fence'), header('state')]
  return {
    leads: false,
    ...(leader && { leader }),
    ...(fence && { fence: Number(fence) }),
    ...(state && { state: state as RoundState }),
  }
}

function reported(reply: Promise<Reply>): Promise<Reported> {
  return reply.then(
    (recorded): Reported => ({ kind: 'recorded', round: led(recorded) as LedRoundJson }),
    outcomeOf({ COMPLETION_REFUSED: (detail): Reported => ({ kind: 'refused', detail }) }),
  )
}

function renewed(reply: Promise<Reply>): Promise<Renewal> {
  return reply.then(
    (extended): Renewal => ({ kind: 'renewed', round: led(extended) as LedRoundJson }),
    outcomeOf({
      SUPERSEDED: (detail): Renewal => ({ kind: 'superseded', detail }),
      ROUND_FINISHED: (detail): Renewal => ({ kind: 'finished', detail }),
      NOT_LED: (detail): Renewal => ({ kind: 'notLed', detail }),
    }),
  )
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
