import { exactJson } from '../core/exact-json.ts'
import { MAX_REASON, MAX_RESULT_BYTES } from '../core/rounds/limits.ts'
import type { RoundState } from '../core/rounds/record.ts'
import { GoneError } from '../errors.ts'
import { callAfter, pause } from '../waiting.ts'
import { type Duration, durationMs } from './duration.ts'
import type { Election, Reported, RoundCalls } from './rounds.ts'
import { randomToken } from './token.ts'
import { timer } from './transport.ts'
import { ASK_AGAIN_MS, MAX_WAIT_MS } from './wait.ts'

export interface OnceOptions {
  /** How long this leader may be silent before another may take over, 1s to 1d. Default 30s; renewed every third of it. */
  readonly lease?: Duration
  /** How long to stand by for the lead or the end of the round. Default: a loser is told at once. */
  readonly wait?: Duration
  /** How long after the election an unreported round turns red, 1s to 7d. */
  readonly deadline?: Duration
  /**
   * The token that asks. Default: with each call another candidate, so that no two calls run. A process that names one goes
   * on with the round that it leads, which is meant for one that comes back after a crash.
   */
  readonly candidate?: string
  /** What this process calls itself, for people who look who leads. */
  readonly name?: string
  /** Ends the standing by, which rejects with the signal's reason; aborts the work where that has begun. */
  readonly signal?: AbortSignal
}

/** What the work is given. */
export interface Lead {
  /** Show it where the effect lands, and refuse lower ones there. */
  readonly fence: number
  /** Aborted when the lead is lost or may be, and when the caller's signal is: stop then. */
  readonly signal: AbortSignal
}

export type OnceEnd<Result> =
  | { readonly kind: 'ran'; readonly result: Result; readonly fence: number }
  /** Another leads, or the round is finished: `state` says which. */
  | { readonly kind: 'lost'; readonly leader?: string; readonly state?: RoundState }

export type OnceClient = Pick<RoundCalls, 'elect' | 'renew' | 'complete' | 'fail'>

interface Round {
  readonly system: string
  readonly round: string
}

const MAX_REPORTS = 10
const MAX_ELECTIONS_AGAIN = 5

/**
 * Runs `work` if this call is elected to, and reports how it ended.
 *
 * @throws what `work` threw, after the round was reported as failed; GoneError `LEASE_LOST` if the lead was lost, or
 * may have been, before the end was recorded: nothing is reported then, and another may run the round
 */
export async function runOnce<Result>(
  client: OnceClient,
  id: Round,
  work: (lead: Lead) => Promise<Result> | Result,
  options: OnceOptions,
): Promise<OnceEnd<Result>> {
  const leaseMs = durationMs('lease', options.lease ?? '30s')
  const candidate = options.candidate ?? randomToken()
  const standing = await stand(client, id, leaseMs, { ...options, candidate })
  if (standing.kind === 'lost') return standing
  const lead = new HeldLead(client, id, { candidate, fence: standing.fence, leaseMs }, standing.askedAtMs)
  const abort = () => lead.abort(options.signal?.reason)
  options.signal?.addEventListener('abort', abort)
  if (options.signal?.aborted) abort()
  try {
    return await execute(client, id, lead, work)
  } finally {
    options.signal?.removeEventListener('abort', abort)
    await lead.release()
  }
}

type Standing =
  | { readonly kind: 'leads'; readonly fence: number; readonly askedAtMs: number }
  | { readonly kind: 'lost'; readonly leader?: string; readonly state?: RoundState }

async function stand(
  client: OnceClient,
  { system, round }: Round,
  leaseMs: number,
  { wait = 0, deadline, candidate, name, signal }: OnceOptions & { readonly candidate: string },
): Promise<Standing> {
  const giveUpMs = performance.now() + durationMs('wait', wait)
  let leads = 0
  for (;;) {
    const askedAtMs = performance.now()
    const waitMs = Math.min(giveUpMs - askedAtMs, MAX_WAIT_MS)
    const election = await client.elect(system, round, {
      candidate,
      lease: leaseMs,
      ...(name !== undefined && { name }),
      ...(deadline !== undefined && { deadline }),
      ...(waitMs > 0 && { wait: waitMs }),
      ...(signal && { signal }),
    })
    if (election.leads) {
      leads += 1
      // The lease began somewhere in the wait. Asking again renews it, from a moment that is known.
      if (performance.now() - askedAtMs <= leaseMs / 3 || leads > MAX_ELECTIONS_AGAIN)
        return { kind: 'leads', fence: election.fence, askedAtMs }
      continue
    }
    const restMs = giveUpMs - performance.now()
    if (isOver(election) || restMs <= 0) return lost(election)
    const earlyMs = askedAtMs + Math.min(ASK_AGAIN_MS, waitMs) - performance.now()
    if (earlyMs > 0) await pause(earlyMs, signal)
    signal?.throwIfAborted()
  }
}

function isOver({ state }: Election): boolean {
  return state === 'completed' || state === 'failed'
}

function lost({ leader, state }: Election): Standing {
  return { kind: 'lost', ...(leader !== undefined && { leader }), ...(state !== undefined && { state }) }
}

async function execute<Result>(
  client: OnceClient,
  { system, round }: Round,
  lead: HeldLead,
  work: (lead: Lead) => Promise<Result> | Result,
): Promise<OnceEnd<Result>> {
  const { fence, signal, proof } = lead
  let result: Result
  try {
    result = await work({ fence, signal })
  } catch (error) {
    if (lead.lost) throw lead.lost
    const fail = () => client.fail(system, round, { ...proof, reason: reasonOf(error) })
    // If that cannot be recorded, the lease or the deadline ends the round; what the work threw says more.
    await reported(lead, fail).catch(() => undefined)
    throw error
  }
  if (lead.lost) throw lead.lost
  const said = keepable(result)
  const complete = () => client.complete(system, round, { ...proof, ...said })
  const answer = await reported(lead, complete).catch((error: unknown) => {
    // Too deep, say: what the server would not keep must not undo the work.
    if (!said || !(error instanceof GoneError) || error.code !== 'INVALID_BODY') throw error
    return reported(lead, () => client.complete(system, round, proof))
  })
  if (answer.kind === 'refused') throw leaseLost({ system, round }, fence, answer.detail)
  return { kind: 'ran', result, fence }
}

/** Reports while the lead is held: an end that is not recorded would be run again by another. */
async function reported(lead: HeldLead, report: () => Promise<Reported>): Promise<Reported> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await report()
    } catch (error) {
      const isWorthwhile = error instanceof GoneError && error.retryable && attempt < MAX_REPORTS
      if (!isWorthwhile || lead.lost) throw error
    }
  }
}

/** The result, where it can be kept with the round. */
function keepable(result: unknown): { result: unknown } | undefined {
  try {
    const json = exactJson(result)
    const isKept = json !== undefined && new TextEncoder().encode(json).length <= MAX_RESULT_BYTES
    return isKept ? { result } : undefined
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return (text || 'failed without a reason').slice(0, MAX_REASON)
}

function leaseLost({ system, round }: Round, fence: number, why: string): GoneError {
  return new GoneError('LEASE_LOST', `${system} ${round}: the lead under fence ${fence} is lost: ${why}`)
}

/** A lead that is renewed every third of its lease, and given up before the lease can have run out. */
class HeldLead implements Lead {
  readonly fence: number
  /** Why the lead is lost, if it is. */
  lost: GoneError | undefined
  private readonly ending = new AbortController()
  private readonly released = new AbortController()
  private readonly keeping: Promise<void>
  private callOffExpiry = () => {}

  /** @param askedAtMs a moment before the lease began */
  constructor(
    private readonly client: OnceClient,
    private readonly id: Round,
    private readonly terms: { readonly candidate: string; readonly fence: number; readonly leaseMs: number },
    askedAtMs: number,
  ) {
    this.fence = terms.fence
    this.extend(askedAtMs)
    this.keeping = this.keep()
  }

  get signal(): AbortSignal {
    return this.ending.signal
  }

  get proof(): { readonly candidate: string; readonly fence: number } {
    return { candidate: this.terms.candidate, fence: this.terms.fence }
  }

  abort(reason: unknown): void {
    this.ending.abort(reason)
  }

  /** Renews no more. The round keeps the lease that it has. */
  async release(): Promise<void> {
    this.released.abort()
    this.callOffExpiry()
    await this.keeping
  }

  private async keep(): Promise<void> {
    const thirdMs = this.terms.leaseMs / 3
    for (let pauseMs = thirdMs; ; ) {
      await pause(pauseMs, this.released.signal)
      if (this.lost || this.released.signal.aborted) return
      const isRenewed = await this.renew(thirdMs)
      pauseMs = isRenewed ? thirdMs : Math.min(ASK_AGAIN_MS, thirdMs / 3)
    }
  }

  /** Asks once; false where nobody answered, which leaves the time that is left. */
  private async renew(patienceMs: number): Promise<boolean> {
    const { system, round } = this.id
    const sentAtMs = performance.now()
    const patience = timer(patienceMs, this.released.signal)
    try {
      const renewal = await this.client.renew(system, round, { ...this.proof, signal: patience.signal })
      if (this.released.signal.aborted) return true
      if (renewal.kind === 'renewed') this.extend(sentAtMs)
      else this.lose(renewal.detail)
      return true
    } catch {
      return false
    } finally {
      patience.stop()
    }
  }

  private extend(sentAtMs: number): void {
    this.callOffExpiry()
    // A tenth of the lease is left for the work to stop in.
    const restMs = sentAtMs + this.terms.leaseMs * 0.9 - performance.now()
    this.callOffExpiry = callAfter(Math.max(0, restMs), () =>
      this.lose('no renewal got through before it could have run out'),
    )
  }

  private lose(why: string): void {
    if (this.lost || this.released.signal.aborted) return
    this.lost = leaseLost(this.id, this.terms.fence, why)
    this.ending.abort(this.lost)
  }
}
