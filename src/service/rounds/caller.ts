import { CALL_KEPT_MS, type CallLink, callRound } from '../../core/rounds/call.ts'
import { type CallEnd, callEndOf, giveUpAtMs } from '../../core/rounds/call-end.ts'
import type { Submission } from '../../core/rounds/job.ts'
import { MAX_CALL_DEPTH } from '../../core/rounds/limits.ts'
import { formatRound, parseRoundKey, type RoundId, roundKey } from '../../core/rounds/round.ts'
import type { CallWait, CallWaits, Log, Records, Sighting } from '../../core/rounds/round-ports.ts'
import { formatDuration } from '../../core/time/duration.ts'
import { GoneError } from '../../errors.ts'
import { pause } from '../../waiting.ts'
import { orLater } from '../or-later.ts'
import type { CallEar } from './call-ear.ts'
import type { Canceller, CancelOrder } from './canceller.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { RoundWatch } from './round-watch.ts'

export interface CallerParts {
  readonly records: Pick<Records, 'read'>
  readonly dispatcher: Pick<Dispatcher, 'admit' | 'claim' | 'submit'>
  readonly canceller: Pick<Canceller, 'cancel'>
  /** Waits for the end of a round. */
  readonly watch: Pick<RoundWatch, 'finish' | 'ear'>
  readonly served: {
    serves(worker: string): Promise<boolean>
    slots(worker: string): Promise<number | undefined>
  }
  readonly waits: CallWaits
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** What is asked of a worker, and answered. */
export interface CallOrder {
  readonly system: string
  readonly worker: string
  /** One token is one call, however often it is sent. */
  readonly token: string
  readonly data: unknown
  readonly timeoutMs: number
  /** It is started once, ever. */
  readonly isOnce: boolean
  /** It waits for a worker where none is there. */
  readonly isQueued: boolean
  /** Where it is run as long as somebody takes jobs there. */
  readonly region?: string
  /** The trace that it is part of, as W3C writes it. */
  readonly traceparent?: string
  /** The job whose handler calls. */
  readonly parent?: { readonly id: RoundId; readonly fence: number }
  /** Before anything is recorded. @throws where the caller may not */
  readonly claim?: (id: RoundId, submission: Submission) => Promise<void>
}

/** A call as it was seen last; without an end it goes on. */
export interface CallAnswer {
  readonly id: RoundId
  readonly seen: Sighting
  readonly end?: CallEnd
}

const PAUSE_MS = 250

/** Calls: a round for each token, submitted to a worker, whose end is the answer. */
export class Caller {
  constructor(private readonly parts: CallerParts) {}

  /**
   * The end of the call, or where it stands after `waitMs`. The same token again goes on waiting for the same call. What has no
   * end in its time is given up: not started yet, it never is; a handler that runs is told, and what it reports is refused.
   *
   * @param caller aborted when nobody waits for this answer any more; the call itself goes on
   * @throws GoneError `NO_WORKER`, `CALL_CONFLICT`, `CALL_TOO_DEEP`, `CALL_DEADLOCK`, `SUPERSEDED` if the parent does not run any
   *   more, `STORE_UNAVAILABLE`, `TOO_MANY_STANDBYS`, `SHUTTING_DOWN`
   */
  async call(order: CallOrder, waitMs: number, caller: AbortSignal): Promise<CallAnswer> {
    const id = callRound(order.system, order.token)
    const through = order.parent ? await this.throughOf(order.parent) : []
    if (!order.isQueued) await this.checkServed(id, order)
    const leave = await this.enter(id, order, through)
    const ear = this.parts.watch.ear(id)
    try {
      const made = await this.submit(id, order, through, ear?.name)
      return await this.follow(id, made, ear, waitMs, caller)
    } finally {
      ear?.leave()
      await leave()
    }
  }

  /**
   * The end of a call that a handler makes, while its own attempt goes on.
   *
   * @param signal gives the call up
   * @throws its reason; GoneError as `call` does, `STORE_UNAVAILABLE` only once the call's time is over
   */
  async outcome(order: CallOrder, signal: AbortSignal): Promise<Required<CallAnswer>> {
    const endMs = this.parts.nowMs() + order.timeoutMs
    for (;;) {
      signal.throwIfAborted()
      try {
        const { end, ...answer } = await this.call(order, order.timeoutMs, signal)
        if (end) return { ...answer, end }
        const reason = 'given up: whoever called has ended'
        if (signal.aborted) await this.giveUp(answer.id, { by: 'gone', reason })
      } catch (error) {
        const isOutage = error instanceof GoneError && error.code === 'STORE_UNAVAILABLE'
        if (!isOutage || this.parts.nowMs() >= endMs) throw error
      }
      await pause(PAUSE_MS, signal)
    }
  }

  /** Gives the call up; where it has ended meanwhile that is its end. Undefined: there is no such call. */
  async giveUp(id: RoundId, order: CancelOrder): Promise<CallAnswer | undefined> {
    const ruling = await this.parts.canceller.cancel(id, order)
    return ruling.verdict === 'none' ? undefined : answerOf(id, ruling)
  }

  private async throughOf({ id, fence }: NonNullable<CallOrder['parent']>): Promise<readonly CallLink[]> {
    const { record, submission } = await this.parts.records.read(id)
    if (submission === undefined || record?.fence !== fence || record.completion)
      throw new GoneError('SUPERSEDED', `${formatRound(id)}: it is not run any more under fence ${fence}`)
    const through = [
      ...(submission.runTerms.call?.through ?? []),
      { worker: submission.queue, round: roundKey(id), fence },
    ]
    if (through.length <= MAX_CALL_DEPTH) return through
    const path = through.map(({ worker }) => worker).join(' > ')
    throw new GoneError(
      'CALL_TOO_DEEP',
      `${through.length} calls wait one for the other, and ${MAX_CALL_DEPTH} may: ${path}`,
    )
  }

  private async checkServed(id: RoundId, { worker }: CallOrder): Promise<void> {
    if (await this.parts.served.serves(worker)) return
    // It may have been made, and even ended, while somebody was there.
    if ((await this.parts.records.read(id)).submission) return
    throw new GoneError(
      'NO_WORKER',
      `${worker}: no worker takes its jobs now; start one, or let the call wait for it`,
    )
  }

  /**
   * Refuses a call that could never begin, because all that could begin it waits for it.
   *
   * @returns what says that nobody waits any more
   */
  private async enter(
    id: RoundId,
    { worker, timeoutMs }: CallOrder,
    through: readonly CallLink[],
  ): Promise<() => Promise<void>> {
    const { waits, served, log } = this.parts
    const call = roundKey(id)
    const own = through.flatMap(({ worker: of, ...job }) => (of === worker ? [{ job, call }] : []))
    const slots = own.length > 0 ? await served.slots(worker) : undefined
    if (slots === undefined) return async () => undefined
    for (const isAgain of [false, true]) {
      const noted = await waits.enter(worker, own, slots, timeoutMs)
      if (noted === undefined) break
      const over = isAgain ? [] : await this.over(noted)
      if (over.length === 0) throw deadlock(worker, slots)
      await waits.leave(worker, over)
    }
    return () =>
      orLater(log, { call }, 'end of a wait not noted; it ends by itself', () => waits.leave(worker, own))
  }

  /** Those whose job is not run any more as it was noted: its worker has died. */
  private async over(waits: readonly CallWait[]): Promise<readonly CallWait[]> {
    const judged = await Promise.all(
      waits.map(async (wait) => {
        const { record } = await this.parts.records.read(parseRoundKey(wait.job.round))
        return record?.fence !== wait.job.fence || record.completion !== undefined
      }),
    )
    return waits.filter((_, index) => judged[index])
  }

  private async submit(
    id: RoundId,
    order: CallOrder,
    through: readonly CallLink[],
    tell: string | undefined,
  ): Promise<Sighting> {
    const { dispatcher } = this.parts
    const submission = submissionOf(order, through, tell)
    const { claim } = order
    if (claim) await dispatcher.claim(id, () => claim(id, submission))
    await dispatcher.admit(submission)
    const dispatch = await dispatcher.submit(id, submission)
    if (!dispatch.isConflict && dispatch.submission) return dispatch
    throw new GoneError(
      'CALL_CONFLICT',
      `${formatRound(id)}: this token was sent before with other data, or to another worker; each call takes a new one`,
    )
  }

  private async follow(
    id: RoundId,
    made: Sighting,
    ear: CallEar | undefined,
    waitMs: number,
    caller: AbortSignal,
  ): Promise<CallAnswer> {
    const { submission } = made
    if (submission === undefined || callEndOf(made)) return answerOf(id, made)
    const restMs = Math.max(0, giveUpAtMs(submission) - made.nowMs)
    // Who asks again, or through another server, may not be who is told.
    const isTold = ear && submission.runTerms.call?.tell === ear.name
    const call = isTold ? { seen: made, ear } : undefined
    const seen = await this.parts.watch.finish(id, Math.min(waitMs, restMs), caller, call)
    const answer = answerOf(id, seen)
    if (answer.end || waitMs < restMs || caller.aborted) return answer
    const within = formatDuration(submission.runTerms.call?.giveUpMs ?? 0)
    const reason = `given up: it had no end within ${within}`
    return (await this.giveUp(id, { by: 'gone', reason })) ?? answer
  }
}

function deadlock(worker: string, slots: number): GoneError {
  return new GoneError(
    'CALL_DEADLOCK',
    `${worker}: every job that it runs, ${slots} at once, waits for a call to ${worker}, so this one would never begin; ` +
      'let it run more jobs at once, or call another worker',
  )
}

function answerOf(id: RoundId, seen: Sighting): CallAnswer {
  const end = callEndOf(seen)
  return { id, seen, ...(end && { end }) }
}

function submissionOf(
  { worker, data, timeoutMs, isOnce, region, traceparent }: CallOrder,
  through: readonly CallLink[],
  tell: string | undefined,
): Submission {
  return {
    queue: worker,
    data,
    // A failed handler is an answer; whoever calls may call again.
    queueTerms: { attempts: 1, ...(traceparent !== undefined && { traceparent }) },
    runTerms: {
      timeoutMs,
      ...(isOnce && { ifExecutorDies: 'fail' }),
      ...(region !== undefined && { region }),
      call: {
        giveUpMs: timeoutMs,
        keptMs: CALL_KEPT_MS,
        ...(through.length > 0 && { through }),
        ...(tell !== undefined && { tell }),
      },
    },
  }
}
