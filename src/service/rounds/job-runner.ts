import type { Reporter } from '../../core/rounds/candidate.ts'
import { failureOf, resultText } from '../../core/rounds/handler-end.ts'
import { JOB_IDENTITY, type RunTerms, SUSPECT_DEATHS } from '../../core/rounds/job.ts'
import { formatRound, type RoundId, roundKey } from '../../core/rounds/round.ts'
import type { FinishRuling, Gate, Log, Records, RoundQueue } from '../../core/rounds/round-ports.ts'
import { GoneError } from '../../errors.ts'
import { pause } from '../../waiting.ts'
import { GateHold } from './gate-hold.ts'
import {
  type Attempt,
  type AttemptEnd,
  type Ending,
  endNow,
  HELD,
  isPlainEnd,
  JobRecord,
  PUT_OFF_MS,
  type Started,
  type Taken,
  whyNot,
} from './job-record.ts'
import { Limits } from './limits.ts'
import { Stops } from './stops.ts'

/** What the handler is given. */
export interface Run {
  readonly fence: number
  /** Aborted when the attempt must end: the gate was lost, the time is up, or the worker stops. */
  readonly signal: AbortSignal
}

export interface JobRunnerParts {
  readonly records: Records
  readonly rounds: RoundQueue
  readonly gate: Gate
  readonly log: Log
  readonly nowMs: () => number
  readonly gateTtlMs: number
}

const SUSPECT_PUT_OFF_MS = 5_000

/** Why a worker aborts what it runs. */
export class WorkerStop extends Error {
  /**
   * @param graceMs how long handlers may take to notice
   * @param isBroken an error ends the process, so what its jobs have started counts as starts that came to no end
   */
  constructor(
    readonly graceMs: number,
    readonly isBroken = false,
  ) {
    super('the worker stops')
  }
}

/** Runs rounds' jobs: completed already? -> gate -> start (a new fence) -> run -> complete. */
export class JobRunner {
  /** The round that runs here although it may be what kills its workers. */
  private suspect: string | undefined

  private readonly record: JobRecord
  private readonly stops = new Stops()

  constructor(private readonly parts: JobRunnerParts) {
    this.record = new JobRecord(parts)
  }

  /**
   * Runs one attempt. What the handler throws or returns is data: it decides nothing but how this attempt ends.
   *
   * @param stop aborted, with a WorkerStop, when the worker stops and cannot wait any longer: the attempt is put off
   * @returns an `Ending` only of an attempt whose start was taken along
   * @throws GoneError `STORE_UNAVAILABLE`: it is not known how the attempt ended
   */
  async run(
    attempt: Attempt,
    handler: (run: Run) => Promise<unknown>,
    stop: AbortSignal,
  ): Promise<AttemptEnd | Ending> {
    const hold = await this.holdFor(attempt)
    if ('kind' in hold) return hold
    try {
      const end = await this.start(attempt, hold, handler, stop)
      if (end.kind === 'ending') return end
      // Nobody comes for the gate of a round that is done: it may end by itself, which costs no round trip.
      if (end.kind === 'completed') hold.letGo()
      else await hold.release()
      return end
    } catch (error) {
      await hold.release()
      throw error
    }
  }

  /** Gives a start back that was taken along with a job which is not to be run here now. */
  async handBack({ id, taken }: Pick<Attempt, 'id'> & { readonly taken: Taken }): Promise<void> {
    if (taken.ruling.verdict !== 'started') return
    await this.record.giveBack(id, taken.ruling.fence)
    await this.parts.gate.release(id, taken.lock.value)
  }

  /** Passes the gate, unless the step that starts the round does; or says how the attempt ends because another has. */
  private async holdFor({ id, isFirst, taken }: Attempt): Promise<GateHold | AttemptEnd> {
    const { gate, gateTtlMs, nowMs } = this.parts
    if (taken) return new GateHold(this.parts, id, taken.lock.value, taken.askedAtMs, taken.lock)
    const lock = gate.lock(id, gateTtlMs)
    if (lock) return new GateHold(this.parts, id, lock.value, nowMs(), lock)
    // A first attempt finds out what the record says as it starts, in the same step; a later one had better look before
    // it waits for a gate that another has.
    const ended = isFirst ? undefined : whyNot((await this.parts.records.read(id)).record)
    if (ended) return ended

    const askedAtMs = nowMs()
    const pass = await gate.pass(id, gateTtlMs)
    if (pass.kind === 'passed') return new GateHold(this.parts, id, pass.value, askedAtMs)
    if (pass.kind === 'held') return HELD
    return { kind: 'putOff', ms: PUT_OFF_MS, why: `the gate has no majority: ${pass.detail}` }
  }

  private async start(
    attempt: Attempt,
    hold: GateHold,
    handler: (run: Run) => Promise<unknown>,
    stop: AbortSignal,
  ): Promise<AttemptEnd | Ending> {
    const { id, address, taken } = attempt
    if (!taken && !hold.isHeld())
      return { kind: 'putOff', ms: PUT_OFF_MS, why: 'the gate ended before it was started' }
    const { lock } = hold
    const started = taken
      ? await this.record.started(attempt, taken.ruling)
      : await this.startApart(attempt, hold, stop)
    if (started.verdict !== 'started') {
      if (lock) hold.letGo()
      return started
    }
    hold.taken()
    const { fence, nth } = started
    const runTerms = withinItsTime(started)
    const isSuspect = nth - attempt.number >= SUSPECT_DEATHS
    const why = this.whyNotNow(hold, isSuspect)
    if (why !== undefined) {
      await this.record.giveBack(id, fence)
      return { kind: 'putOff', ms: isSuspect ? SUSPECT_PUT_OFF_MS : PUT_OFF_MS, why }
    }
    const isLast = attempt.isLast || runTerms.ifExecutorDies === 'fail'
    const reporter = { address, identity: JOB_IDENTITY, fence }
    const run = () => this.execute({ ...attempt, isLast }, runTerms, reporter, hold, handler, stop)
    return isSuspect ? this.runSuspect(id, run) : run()
  }

  /**
   * Starts it in a step of its own. Sent again behind the same gate it answers as at first: else a start whose answer was lost would be
   * one that came to no end, and of a job that may be started only once the only one.
   */
  private async startApart(attempt: Attempt, hold: GateHold, stop: AbortSignal) {
    const behind = hold.lock ? { lock: hold.lock } : { pass: hold.value }
    const goesOn = () => hold.isHeld() && !stop.aborted
    return this.untilAnswered(attempt.id, () => this.record.start(attempt, behind), goesOn)
  }

  /**
   * Asks the record again and again while it cannot answer, and this goes on. Only who ran a handler knows how it ended: were that given
   * up, it would be run again, or be taken to have come to no end. Whoever has started it since has another fence, and a report is refused.
   */
  private async untilAnswered<T>(id: RoundId, ask: () => Promise<T>, goesOn: () => boolean): Promise<T> {
    let isTold = false
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof GoneError && error.code === 'STORE_UNAVAILABLE') || !goesOn()) throw error
        if (!isTold)
          this.parts.log.warn(
            { round: roundKey(id), cause: error.message },
            'asked again until it is recorded',
          )
        isTold = true
        await pause(ASK_AGAIN_MS * (0.5 + Math.random()))
      }
    }
  }

  /** Looked at in the moment in which the handler would begin. */
  private whyNotNow(hold: GateHold, isSuspect: boolean): string | undefined {
    if (!hold.isHeld()) return 'the gate ended before its handler began'
    if (isSuspect && this.suspect !== undefined)
      return `${this.suspect} runs here, and of rounds that came to no end often only one runs at a time`
    return undefined
  }

  private async runSuspect<End>(id: RoundId, run: () => Promise<End>): Promise<End> {
    this.suspect = roundKey(id)
    try {
      return await run()
    } finally {
      this.suspect = undefined
    }
  }

  /** Ends an attempt that was cut off, by no fault of the handler: it is not spent. */
  private async cutOff(
    { id }: Attempt,
    terms: RunTerms,
    reporter: Required<Reporter>,
    end: AttemptEnd & { readonly kind: 'putOff' },
    isBroken: boolean,
  ): Promise<AttemptEnd> {
    if (terms.ifExecutorDies === 'fail') {
      const reason = `${end.why}, and it may be started only once`
      await this.record.fail(id, reporter, terms, reason)
      return { kind: 'failed', reason, isFinal: true }
    }
    if (!isBroken) await this.record.giveBack(id, reporter.fence)
    return end
  }

  private async execute(
    attempt: Attempt,
    terms: RunTerms,
    reporter: Required<Reporter>,
    hold: GateHold,
    handler: (run: Run) => Promise<unknown>,
    stop: AbortSignal,
  ): Promise<AttemptEnd | Ending> {
    const { id } = attempt
    const limits = new Limits(terms.timeoutMs ?? attempt.timeoutMs)
    const onStop = () => limits.end(stop.reason, stopOf(stop)?.graceMs)
    hold.onLost = (reason) => limits.end(reason)
    let endedByOther: AttemptEnd | undefined
    hold.onExtended = () =>
      void this.endOf(id).then((end) => {
        if (end === undefined) return
        endedByOther ??= end
        limits.end(new GoneError('SUPERSEDED', `${formatRound(id)}: ${whyOf(end)}`))
      })
    const callOff = this.stops.on(stop, onStop)
    let result: string
    try {
      result = await limits.apply(runHandler(handler, runOf(reporter.fence, limits)))
    } catch (error) {
      if (stop.aborted) {
        const end = { kind: 'putOff', ms: 0, why: 'its worker stopped while it ran' } as const
        return await this.cutOff(attempt, terms, reporter, end, stopOf(stop)?.isBroken ?? false)
      }
      // Whoever has the gate now runs the round; this attempt must not end it.
      if (hold.isLost) {
        const end = { kind: 'putOff', ms: PUT_OFF_MS, why: failureOf(error).reason } as const
        return await this.cutOff(attempt, terms, reporter, end, false)
      }
      if (endedByOther) return endedByOther
      return await this.failed(attempt, reporter, terms, hold, error, stop)
    } finally {
      callOff()
      limits.lift()
    }
    // What fails from here on is not the handler's failure.
    const { lock } = hold
    if (lock) await hold.rest()
    const tellApart = async () => {
      const tell = () => this.record.complete(id, reporter, terms, result, lock)
      const end = await this.untilAnswered(id, tell, () => !stop.aborted)
      if (lock) hold.letGo()
      return end
    }
    if (!(lock && attempt.taken && isPlainEnd(terms, result))) return tellApart()
    const { fence } = reporter
    const ended = (ruling: FinishRuling) => {
      hold.letGo()
      return this.record.completed(id, { fence }, terms, result, ruling)
    }
    return { kind: 'ending', result, fence, lock, ended, tellApart, release: () => hold.release() }
  }

  /** How the round has ended while its handler runs: a schedule may cancel it. */
  private async endOf(id: RoundId): Promise<AttemptEnd | undefined> {
    try {
      return endNow((await this.parts.records.read(id)).record)
    } catch {
      // Then the next look, or the completion, says so.
      return undefined
    }
  }

  private async failed(
    { id, isLast }: Attempt,
    reporter: Required<Reporter>,
    terms: RunTerms,
    hold: GateHold,
    thrown: unknown,
    stop: AbortSignal,
  ): Promise<AttemptEnd> {
    const failure = failureOf(thrown)
    const isFinal = isLast || failure.isFinal
    if (isFinal) {
      if (hold.lock) await hold.rest()
      const tell = () => this.record.fail(id, reporter, terms, failure.reason, hold.lock)
      await this.untilAnswered(id, tell, () => !stop.aborted)
      if (hold.lock) hold.letGo()
    } else {
      // Nobody waits for it: the lock that the queue looks at may be about to end.
      void this.record.noteFailure(id, reporter.fence, failure.reason)
    }
    return { kind: 'failed', ...failure, isFinal }
  }
}

const ASK_AGAIN_MS = 250

/** A call's handler is told to end a moment after its time is over: whoever waits for it says so first. */
const CALL_GRACE_MS = 250

function withinItsTime({ runTerms, giveUpInMs }: Started): RunTerms {
  if (giveUpInMs === undefined) return runTerms
  const timeoutMs = Math.min(runTerms.timeoutMs ?? Number.POSITIVE_INFINITY, giveUpInMs + CALL_GRACE_MS)
  return { ...runTerms, timeoutMs }
}

function stopOf(stop: AbortSignal): WorkerStop | undefined {
  return stop.reason instanceof WorkerStop ? stop.reason : undefined
}

/** The signal is made when the handler asks for it, which most do not. */
function runOf(fence: number, limits: Limits): Run {
  return {
    fence,
    get signal() {
      return limits.signal
    },
  }
}

function whyOf(end: AttemptEnd): string {
  if (end.kind === 'completed') return end.kind
  return end.kind === 'failed' ? `failed already: ${end.reason}` : end.why
}

/** What the handler comes to: also where it throws before it returns a promise, or what it returns is not JSON. */
async function runHandler(handler: (run: Run) => Promise<unknown>, run: Run): Promise<string> {
  return resultText(await handler(run))
}
