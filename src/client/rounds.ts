import type { RoundState } from '../core/rounds/record.ts'
import type { LedRoundJson, RoundJson } from '../core/rounds/round-wire.ts'
import type { CallOptions } from './ask.ts'
import { type RoundAsker, roundOf } from './ask-round.ts'
import { type Duration, durationText } from './duration.ts'
import { outcomeOf } from './outcome.ts'
import type { Reply } from './transport.ts'

interface CandidateOptions extends CallOptions {
  /** In place of the client's token. */
  readonly candidate?: string
  /** The trace that it is part of (W3C), where no instrumented `fetch` says so. */
  readonly traceparent?: string
}

export interface ElectOptions extends CandidateOptions {
  /** How long the leader may be silent before another may take over, 1s to 1d. Without it nobody ever takes over. */
  readonly lease?: Duration
  /** How long after the election an unreported round turns red, 1s to 7d. */
  readonly deadline?: Duration
  /** What you call yourself, for people who look who leads: 1 to 100 visible ASCII characters and spaces. */
  readonly name?: string
  /** How long a loser stands by for the lead or the end of the round, up to 50s. */
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
  /** Of a job that was taken: no further attempt is to be made. */
  readonly final?: boolean
}

export interface RenewOptions extends ReportOptions {
  /** The lease from now on; as it was if missing. */
  readonly lease?: Duration
}

/** Of who cancels a round, or opens it again. */
export interface PurposeOptions extends CallOptions {
  /** Why, up to 1000 characters. */
  readonly reason?: string
}

export interface RoundOptions extends CallOptions {
  /** How long to wait for the end of the round, up to 50s. */
  readonly wait?: Duration
}

/** The answer to a candidate. A leader that asks again is told again that it leads, until the round is finished. */
export type Election =
  | {
      readonly leads: true
      readonly leader: string
      readonly fence: number
      readonly state: 'led' | 'overdue'
    }
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

/** The answer to whoever cancels. `finished`: it has an end of its own, `detail` says which; `notThere`: nobody has led or submitted it. */
export type Cancelled =
  | { readonly kind: 'cancelled'; readonly round: LedRoundJson }
  | { readonly kind: 'finished' | 'notThere'; readonly detail: string }

/**
 * The answer to whoever opens a round again. `finished`: it is completed; `running`: it has neither failed nor is it overdue; `jobGone`: what its job does is not known any more.
 */
export type Retried =
  | { readonly kind: 'opened'; readonly round: RoundJson }
  | { readonly kind: 'finished' | 'running' | 'jobGone' | 'notThere'; readonly detail: string }

/** What a candidate asks and reports, and what a reader asks, of one round. */
export interface RoundCalls {
  /**
   * Asks for the lead. At most one candidate a round and fence is told that it leads, and nobody once the round is finished: who
   * `leads` has work to do.
   */
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
  /** Ends the round as failed, whoever runs it: its handler is told within 4 s, and what it reports then is refused. */
  cancel(system: string, round: string, options?: PurposeOptions): Promise<Cancelled>
  /** Opens a round again that has failed or is overdue: its job is made anew, or whoever elects next leads it. */
  retry(system: string, round: string, options?: PurposeOptions): Promise<Retried>
  /** The round as it is, or as it is at its end; undefined if nobody has led or submitted it. */
  round(system: string, round: string, options?: RoundOptions): Promise<RoundJson | undefined>
}

export function roundCallsOn(ask: RoundAsker): RoundCalls {
  return {
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
    fail(system, round, { reason, final, ...rest } = {}) {
      const body = { ...(reason !== undefined && { reason }), ...(final !== undefined && { final }) }
      return reported(ask('fail', { system, round, body, ...rest }))
    },
    renew(system, round, { lease, ...rest } = {}) {
      return renewed(ask('renew', { system, round, query: { lease: durationText(lease) }, ...rest }))
    },
    cancel(system, round, { reason, ...rest } = {}) {
      const body = reason === undefined ? {} : { reason }
      return cancelled(ask('cancel', { system, round, body, ...rest }))
    },
    retry(system, round, { reason, ...rest } = {}) {
      const body = reason === undefined ? {} : { reason }
      return retried(ask('retry', { system, round, body, ...rest }))
    },
    async round(system, round, rest) {
      const none = outcomeOf({ NOT_LED: () => ({ json: undefined }) })
      return roundOf(await ask('rounds', { system, round, ...rest }).catch(none))
    },
  }
}

/** Only `rounds` shows what nobody has led yet. */
function led(reply: Reply): LedRoundJson | undefined {
  return roundOf(reply) as LedRoundJson | undefined
}

function electionOf(reply: Reply): Election {
  const round = led(reply)
  if (reply.status === 202 && round) {
    const { leader, fence, state } = round
    // An older server says it to the leader of a finished round, too.
    return state === 'led' || state === 'overdue'
      ? { leads: true, leader, fence, state }
      : { leads: false, leader, fence, state }
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
    outcomeOf({
      COMPLETION_REFUSED: (detail): Reported => ({ kind: 'refused', detail }),
      SUPERSEDED: (detail): Reported => ({ kind: 'refused', detail }),
    }),
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

function cancelled(reply: Promise<Reply>): Promise<Cancelled> {
  return reply.then(
    (done): Cancelled => ({ kind: 'cancelled', round: led(done) as LedRoundJson }),
    outcomeOf({
      ROUND_FINISHED: (detail): Cancelled => ({ kind: 'finished', detail }),
      NOT_LED: (detail): Cancelled => ({ kind: 'notThere', detail }),
    }),
  )
}

function retried(reply: Promise<Reply>): Promise<Retried> {
  return reply.then(
    (done): Retried => ({ kind: 'opened', round: roundOf(done) as RoundJson }),
    outcomeOf({
      ROUND_FINISHED: (detail): Retried => ({ kind: 'finished', detail }),
      ROUND_NOT_ENDED: (detail): Retried => ({ kind: 'running', detail }),
      JOB_GONE: (detail): Retried => ({ kind: 'jobGone', detail }),
      NOT_LED: (detail): Retried => ({ kind: 'notThere', detail }),
    }),
  )
}
