import type { Reporter } from '../core/candidate.ts'
import { JOB_IDENTITY, MAX_DEATHS, type RunTerms } from '../core/job.ts'
import { isJobFailed } from '../core/job-failed.ts'
import type { Gate, Log, Records, RoundQueue } from '../core/ports.ts'
import { type Completion, MAX_DEADLINE_MS, type RoundRecord } from '../core/record.ts'
import { formatRound, type RoundId, roundKey } from '../core/round.ts'
import { GoneError } from '../errors.ts'
import { GateHold } from './gate-hold.ts'
import { Limits } from './limits.ts'

/** One attempt at a round's job, as the queue hands it out. */
export interface Attempt {
  readonly id: RoundId
  /** The worker's address, for display: `mailer@host:4711`. */
  readonly address: string
  /** From 1; later ones follow a failure, not a death. */
  readonly number: number
  readonly isLast: boolean
  /** True if BullMQ has handed the job out for the first time. */
  readonly isFirst: boolean
  /** How long the handler may take, where the submission does not say; missing: as long as it likes. */
  readonly timeoutMs?: number
}

/** What the handler is given. */
export interface Run {
  readonly fence: number
  /** Aborted when the attempt must end: the gate was lost, the time is up, or the worker stops. */
  readonly signal: AbortSignal
}

/** How an attempt ended, where it did not fail. */
export type AttemptEnd =
  | { readonly kind: 'completed'; readonly result: unknown }
  /** There was nothing to do: the round is finished, or led by another. */
  | { readonly kind: 'skipped'; readonly why: string }
  /** Not now, and no attempt is spent. */
  | { readonly kind: 'putOff'; readonly ms: number; readonly why: string }

/** An attempt that failed for good: no further one is made. */
export class RoundFailed extends Error {}

export interface JobRunnerParts {
  readonly records: Records
  readonly rounds: RoundQueue
  readonly gate: Gate
  readonly log: Log
  readonly nowMs: () => number
  readonly gateTtlMs: number
}

const PUT_OFF_MS = 1_000
/** A result is kept with the record, which must stay small; the job keeps it whole. */
const MAX_RESULT_BYTES = 4_096

/** Runs rounds' jobs: completed already? -> gate -> start (a new fence) -> run -> complete. */
export class JobRunner {
  constructor(private readonly parts: JobRunnerParts) {}

  /**
   * Runs one attempt.
   *
   * @param stop aborted when the worker stops and cannot wait any longer: the attempt is put off
   * @throws RoundFailed after which the round is recorded as failed; anything else asks for another attempt
   */
  async run(
    attempt: Attempt,
    handler: (run: Run) => Promise<unknown>,
    stop: AbortSignal,
  ): Promise<AttemptEnd> {
    const { id } = attempt
    const { gate, gateTtlMs, nowMs } = this.parts
    // A first attempt finds out what the record says as it starts, in the same step; a later one had better look before
    // it waits for a gate that another has.
    const ended = attempt.isFirst ? undefined : whyNot((await this.parts.records.read(id)).record)
    if (ended) return ended

    const askedAtMs = nowMs()
    const pass = await gate.pass(id, gateTtlMs)
    if (pass.kind !== 'passed') {
      const why =
        pass.kind === 'held' ? 'another worker holds the gate' : `the gate has no majority: ${pass.detail}`
      return { kind: 'putOff', ms: PUT_OFF_MS, why }
    }
    const hold = new GateHold(this.parts, id, pass.value, askedAtMs)
    try {
      const end = await this.start(attempt, hold, handler, stop)
      // Nobody comes for the gate of a round that is done: it may end by itself, which costs no round trip.
      if (end.kind === 'completed') hold.letGo()
      else await hold.release()
      return end
    } catch (error) {
      await hold.release()
      throw error
    }
  }

  private async start(
    attempt: Attempt,
    hold: GateHold,
    handler: (run: Run) => Promise<unknown>,
    stop: AbortSignal,
  ): Promise<AttemptEnd> {
    const { id, address } = attempt
    const job = { address, identity: JOB_IDENTITY }
    // Failed attempts are counted by the queue; what is bounded here are starts that never came to an end.
    const maxStarts = attempt.number + MAX_DEATHS
    const ruling = await this.parts.records.start(id, job, { deadlineMs: MAX_DEADLINE_MS }, maxStarts)
    switch (ruling.verdict) {
      case 'finished':
      case 'lost':
        return whyNot(ruling.record) ?? { kind: 'skipped', why: 'led by another' }
      case 'spent': {
        const terms = ruling.submission?.runTerms ?? {}
        const isOnce = terms.ifExecutorDies === 'fail'
        const reason = isOnce
          ? 'its worker died or failed, and it may be started only once'
          : `its worker died ${MAX_DEATHS} times`
        await this.fail(id, { ...job, fence: ruling.record.fence }, terms, reason)
        throw new RoundFailed(reason)
      }
      case 'started': {
        const { fence, runTerms } = ruling
        const isLast = attempt.isLast || runTerms.ifExecutorDies === 'fail'
        return this.execute({ ...attempt, isLast }, runTerms, { ...job, fence }, hold, handler, stop)
      }
    }
  }

  private async execute(
    attempt: Attempt,
    terms: RunTerms,
    reporter: Required<Reporter>,
    hold: GateHold,
    handler: (run: Run) => Promise<unknown>,
    stop: AbortSignal,
  ): Promise<AttemptEnd> {
    const { id, isLast } = attempt
    const limits = new Limits(terms.timeoutMs ?? attempt.timeoutMs)
    const onStop = () => limits.end(stop.reason)
    hold.onLost = (reason) => limits.end(reason)
    let wasEnded = false
    hold.onExtended = () =>
      void this.endedByOther(id).then((why) => {
        if (why === undefined) return
        wasEnded = true
        limits.end(why)
      })
    stop.addEventListener('abort', onStop)
    let result: unknown
    try {
      result = await limits.apply(handler(runOf(reporter.fence, limits)))
    } catch (error) {
      if (stop.aborted) return { kind: 'putOff', ms: 0, why: 'the worker stops' }
      // Whoever has the gate now runs the round; this attempt must not end it.
      if (hold.isLost) throw error
      if (wasEnded) throw new RoundFailed(reasonOf(error), { cause: error })
      const isFinal = isLast || isJobFailed(error)
      if (!isFinal) throw error
      const reason = reasonOf(error)
      await this.fail(id, reporter, terms, reason)
      throw new RoundFailed(reason, { cause: error })
    } finally {
      stop.removeEventListener('abort', onStop)
      limits.lift()
    }
    // What fails from here on is not the handler's failure.
    return this.complete(id, reporter, terms, result)
  }

  /** Why the round has ended while its handler runs: a schedule may cancel it. */
  private async endedByOther(id: RoundId): Promise<GoneError | undefined> {
    try {
      const { completion } = (await this.parts.records.read(id)).record ?? {}
      if (completion === undefined) return undefined
      const why = `${endedBy(completion)}${completion.detail && `: ${completion.detail}`}`
      return new GoneError('SUPERSEDED', `${formatRound(id)}: ${why}`)
    } catch {
      // Then the next look, or the completion, says so.
      return undefined
    }
  }

  private async complete(
    id: RoundId,
    reporter: Required<Reporter>,
    terms: RunTerms,
    result: unknown,
  ): Promise<AttemptEnd> {
    const detail = result === undefined ? '' : (JSON.stringify(result) ?? '')
    const isKept = Buffer.byteLength(detail) <= MAX_RESULT_BYTES
    const report = { outcome: 'completed', detail: isKept ? detail : '' } as const
    const ruling = await this.parts.records.finish(id, reporter, report)
    if (ruling.verdict === 'refused') {
      const why = `completion under fence ${reporter.fence} refused: ${late(ruling.record)}`
      this.parts.log.warn({ round: roundKey(id), fence: reporter.fence }, why)
      throw new GoneError('SUPERSEDED', `${formatRound(id)}: ${why}`)
    }
    await this.showEnd(id, terms)
    return { kind: 'completed', result }
  }

  private async fail(
    id: RoundId,
    reporter: Required<Reporter>,
    terms: RunTerms,
    reason: string,
  ): Promise<void> {
    const { verdict } = await this.parts.records.finish(id, reporter, { outcome: 'failed', detail: reason })
    this.parts.log.warn({ round: roundKey(id), fence: reporter.fence, verdict }, `round failed: ${reason}`)
    if (verdict !== 'refused') await this.showEnd(id, terms)
  }

  /** Ends the job that watches the deadline, if there is one. What fails here is done by the sweeper. */
  private async showEnd(id: RoundId, { deadlineMs }: RunTerms): Promise<void> {
    if (deadlineMs === undefined) return
    try {
      await this.parts.rounds.close(id)
      this.parts.records.acknowledge(id, 'finished')
    } catch (error) {
      this.parts.log.warn(
        { round: roundKey(id), cause: String(error) },
        'deadline still watched; the sweeper ends it',
      )
    }
  }
}

/**
 * Why the round is not to be run by its job; undefined if it is.
 *
 * @throws RoundFailed if it has failed, so that its job shows that
 */
function whyNot(record: RoundRecord | undefined): AttemptEnd | undefined {
  if (record === undefined) return undefined
  if (record.completion?.outcome === 'failed') {
    throw new RoundFailed(record.completion.detail || endedBy(record.completion))
  }
  if (record.completion) return { kind: 'skipped', why: endedBy(record.completion) }
  if (record.identity !== JOB_IDENTITY) return { kind: 'skipped', why: `led by ${record.leader}` }
  return undefined
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

function endedBy({ outcome, by }: Completion): string {
  return `${outcome} already by ${by}`
}

function late(record: RoundRecord): string {
  return record.completion ? endedBy(record.completion) : `led under fence ${record.fence} now`
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  return (text || 'failed without a reason').slice(0, 1_000)
}
