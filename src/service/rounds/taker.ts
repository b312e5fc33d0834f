import type { WorkTally } from '../../core/fleet/series-ports.ts'
import { type Candidate, hasToken } from '../../core/rounds/candidate.ts'
import { JOB_IDENTITY, ownerOf, type RunTerms, regionQueue, type UsualTerms } from '../../core/rounds/job.ts'
import type { RoundRecord } from '../../core/rounds/record.ts'
import { formatRound, type RoundId, roundKey } from '../../core/rounds/round.ts'
import type { Gate, Log, Records, RoundQueue, Sighting } from '../../core/rounds/round-ports.ts'
import { formatDuration } from '../../core/time/duration.ts'
import type { Tracer } from '../../core/tracing.ts'
import { GoneError } from '../../errors.ts'
import { pause } from '../../waiting.ts'
import { holdIn, holdText, type Out, outOf } from './job-hold.ts'
import { type AttemptEnd, HELD, JobRecord, whyNot } from './job-record.ts'
import { LookBack, type Noted } from './look-back.ts'
import { type TakenTrace, takenSpan, toldOfEnd, waitSpan } from './round-spans.ts'

/** A job as its queue has it. */
export interface QueuedJob {
  readonly id: RoundId
  readonly data: unknown
  /** The number of the attempt that is made now, from 1. */
  readonly number: number
  /** How many there are to be; missing: as the worker likes. */
  readonly attempts?: number
  /** How often its queue has handed it out. */
  readonly turn: number
  /** When the submission was made that it is of; missing where it does not say. */
  readonly madeForMs?: number
  /** How long it could have been started before it was. */
  readonly waitedMs: number
  readonly traceparent?: string
}

/** The workers' queues, for whoever takes a job and runs it elsewhere. A value proves in whose hand a job is. */
export interface JobTakes {
  /** The next job, in the hand of this value for half a minute; undefined: none waits. */
  next(queue: string, value: string): Promise<QueuedJob | undefined>
  /** The job, whoever has it. */
  find(queue: string, id: RoundId): Promise<QueuedJob | undefined>
  /** Keeps the job in this hand for so long from now. False: it is not in it any more. */
  hold(queue: string, id: RoundId, value: string, leaseMs: number): Promise<boolean>
  /**
   * Ends the attempt.
   *
   * @param usual what holds where the job says nothing else
   * @returns the job as it was until then; undefined: it is not in this hand any more
   */
  end(
    queue: string,
    id: RoundId,
    value: string,
    end: AttemptEnd,
    usual: UsualTerms,
  ): Promise<QueuedJob | undefined>
  /** Notes what is answered under this value, for as long as nothing else is heard of whoever took it, in place of what is noted. */
  note(value: string, queue: string, id: RoundId, ms: number): Promise<void>
  /** The same where nothing is noted; else what is. */
  noteFirst(value: string, queue: string, id: RoundId, ms: number): Promise<Noted | undefined>
  /** What is answered under each of these values. */
  noted(values: readonly string[]): Promise<readonly (Noted | undefined)[]>
  /**
   * Whether a job that is out under this fence may be answered again, or given back because its taker was not told: whichever is asked
   * first may, for as long as that can matter, and the other not.
   */
  may(what: 'answerAgain' | 'takeBack', id: RoundId, fence: number): Promise<boolean>
}

/** A job that was taken: it is led under this fence until its lease ends. */
export interface Taken {
  readonly id: RoundId
  readonly worker: string
  readonly data: unknown
  readonly attempt: number
  readonly leader: string
  readonly fence: number
  readonly leaseMs: number
  readonly timeoutMs?: number
  readonly traceparent?: string
}

export interface TakerParts {
  readonly records: Records
  readonly rounds: RoundQueue
  readonly takes: JobTakes
  readonly gate: Gate
  readonly tally: WorkTally
  /** What is set of a worker from one place, and of the instance that takes, where that is known. */
  readonly usual: (worker: string, instance?: string) => Promise<UsualTerms>
  readonly log: Log
  /** Told how long jobs waited and were out; missing: nobody is. */
  readonly tracer?: Tracer
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

/** A job in the hand of whoever takes it, of this queue of the worker. */
type OwnJob = QueuedJob & Pick<Noted, 'queue'> & { readonly worker: string }

export interface TakeTerms {
  readonly leaseMs: number
  readonly waitMs: number
  /** Jobs for this region are taken too, and first; missing: only those that are for none, or that nobody takes there. */
  readonly region?: string
  /** The id by which who takes sends its pulse; missing: only what is set of the worker holds. */
  readonly instance?: string
}

const TRY_EVERY_MS = 100
const MAX_WAITING = 10_000

/**
 * Hands jobs to executors that speak HTTP alone, by the rules by which a worker process runs them: gate, start under a new
 * fence, attempts, backoff. What is known of a job that is out is in Redis: any server takes its report.
 */
export class Taker {
  private readonly record: JobRecord
  private readonly draining = new AbortController()
  private waiting = 0
  /** When a queue was last found empty: those who wait for it look together. */
  private readonly emptyAtMs = new Map<string, number>()
  private readonly lookBack: LookBack

  constructor(private readonly parts: TakerParts) {
    this.record = new JobRecord(parts)
    this.lookBack = new LookBack((values) => parts.takes.noted(values), parts.nowMs)
  }

  /**
   * The next job of the worker, as soon as there is one. The same token again, while its job is out, is given the same job.
   *
   * @returns undefined: there was none in time
   * @throws GoneError `STORE_UNAVAILABLE`: a job that was taken all the same is followed once its lease has ended
   */
  async take(
    worker: string,
    who: Candidate,
    terms: TakeTerms,
    caller: AbortSignal,
  ): Promise<Taken | undefined> {
    if (this.waiting >= MAX_WAITING)
      throw new GoneError('TOO_MANY_STANDBYS', `${MAX_WAITING} requests wait here already; retry elsewhere`)
    this.waiting += 1
    const giveUpMs = this.parts.nowMs() + terms.waitMs
    const ends = AbortSignal.any([caller, this.draining.signal])
    const call = hasToken(who.identity) ? this.lookBack.enter(who.identity) : undefined
    try {
      let noted = call && (await this.parts.takes.noted([call.value]))[0]
      for (;;) {
        const again = noted && (await this.answerAgain(noted, worker, who, terms))
        const taken = again ?? (await this.tryTake(worker, who, terms))
        const restMs = giveUpMs - this.parts.nowMs()
        if (taken || restMs <= 0 || ends.aborted) return taken
        await pause(Math.min(restMs, TRY_EVERY_MS), ends)
        if (ends.aborted) return undefined
        noted = call && (await this.lookBack.found(call))
      }
    } finally {
      this.waiting -= 1
      if (call) this.lookBack.leave(call)
    }
  }

  /** Gives back a job whose taker was gone before it was told; not where its token has asked again meanwhile, and been told. */
  async takeBack({ id, fence }: Taken): Promise<void> {
    if (await this.parts.takes.may('takeBack', id, fence)) await this.giveBack(id, fence)
  }

  /** Answers those who wait that there is nothing, now. */
  drain(): void {
    this.draining.abort()
  }

  /**
   * Keeps a job that was taken for its lease from now on, or for this one.
   *
   * @param seen the round as it was seen under the fence of whoever asks
   * @throws GoneError `SUPERSEDED` if its lease has ended, or its time is up: then this attempt has failed
   */
  async renew(id: RoundId, seen: Sighting, leaseMs?: number): Promise<void> {
    const out = outOf(seen)
    if (out === undefined) return
    const { takes, gate } = this.parts
    const { queue, hold, record, runTerms } = out
    const { timeoutMs = hold.usual.timeoutMs } = runTerms
    if (timeoutMs !== undefined && seen.nowMs - record.electedAtMs >= timeoutMs) {
      const why = `it took longer than ${formatDuration(timeoutMs)}`
      if (!(await this.fail(id, seen, { reason: why, isFinal: false }))) {
        const reporter = { address: record.leader, identity: JOB_IDENTITY, fence: record.fence }
        await this.record.fail(id, reporter, runTerms, why)
        await this.end(id, out, { kind: 'failed', reason: why, isFinal: true })
      }
      throw new GoneError('SUPERSEDED', `${formatRound(id)}: ${why}`)
    }
    const forMs = leaseMs ?? hold.leaseMs
    if (!(await takes.hold(queue, id, hold.value, forMs)))
      throw new GoneError('SUPERSEDED', `${formatRound(id)}: its lease has ended, and another may take it`)
    await gate.extend(id, hold.value, forMs)
  }

  /** Ends the job of a round whose completion was recorded. Where that fails its next taker finds it done. */
  async ended(id: RoundId, seen: Sighting): Promise<void> {
    const out = outOf(seen)
    const completion = seen.record?.completion
    if (out === undefined || completion === undefined) return
    const { detail } = completion
    await this.end(id, out, {
      ...(completion.outcome === 'completed'
        ? { kind: 'completed', result: detail }
        : { kind: 'failed', reason: detail || 'failed without a reason', isFinal: true }),
    })
  }

  /**
   * Ends an attempt that failed.
   *
   * @returns false if it was the last one, or the round is not out as a job: then its end is to be recorded
   * @throws GoneError `SUPERSEDED` if its lease has ended
   */
  async fail(
    id: RoundId,
    seen: Sighting,
    { reason, isFinal }: { readonly reason: string; readonly isFinal: boolean },
  ): Promise<boolean> {
    const out = outOf(seen)
    if (out === undefined || seen.record?.completion) return false
    if (isFinal || out.runTerms.ifExecutorDies === 'fail') return false
    if (!(await this.isHeld(id, out))) {
      if (has('failed', seen)) return true
      throw leaseEnded(id)
    }
    const job = await this.parts.takes.find(out.queue, id)
    if ((job?.number ?? 1) >= (job?.attempts ?? out.hold.usual.attempts ?? 1)) return false
    const why = reason || 'failed without a reason'
    if (seen.record) await this.record.noteFailure(id, seen.record.fence, why)
    await this.endHeld(id, out, { kind: 'failed', reason: why, isFinal: false })
    return true
  }

  /** Whether its taker still has it: what the queue says of a job that has left his hand is of the next attempt. */
  private isHeld(id: RoundId, { queue, hold }: Out): Promise<boolean> {
    return this.parts.takes.hold(queue, id, hold.value, hold.leaseMs)
  }

  /**
   * Returns a job unspent: no attempt was made. That of a round which has ended meanwhile ends as that has.
   *
   * @throws GoneError `SUPERSEDED` if it is not out under this fence
   */
  async giveBack(id: RoundId, fence: number): Promise<Sighting & { readonly record: RoundRecord }> {
    const seen = await this.seen(id, fence)
    const out = outOf(seen)
    if (out === undefined || seen.record === undefined)
      throw new GoneError(
        'SUPERSEDED',
        `${formatRound(id)}: it is not out as a job under fence ${fence}; see its state`,
      )
    if (seen.record.completion) await this.ended(id, seen)
    else await this.putBack(id, seen, out)
    return { ...seen, record: seen.record }
  }

  private async putBack(id: RoundId, seen: Sighting, out: Out): Promise<void> {
    await this.record.giveBack(id, out.record.fence)
    const end = { kind: 'putOff', ms: 0, why: 'its taker gave it back' } as const
    if (await this.end(id, out, end)) return
    if (!has('givenBack', seen)) throw leaseEnded(id)
  }

  /** The round as a job that is out under this fence; empty if it is none. */
  async seen(id: RoundId, fence: number): Promise<Sighting> {
    const seen = await this.parts.records.read(id)
    const isOut = seen.record?.fence === fence && outOf(seen) !== undefined
    return isOut ? seen : { nowMs: seen.nowMs }
  }

  private async answerAgain(
    noted: Noted,
    worker: string,
    who: Candidate,
    terms: TakeTerms,
  ): Promise<Taken | undefined> {
    const taken = await this.takenAs(noted, worker, who, terms)
    return taken && (await this.parts.takes.may('answerAgain', taken.id, taken.fence)) ? taken : undefined
  }

  /** The job that the token was given, where it has it still. */
  private async takenAs(
    { queue, id }: Noted,
    worker: string,
    who: Candidate,
    terms: TakeTerms,
  ): Promise<Taken | undefined> {
    const { takes, records } = this.parts
    if (ownerOf(queue).worker !== worker) return undefined
    const seen = await records.read(id)
    const { record, submission } = seen
    if (record?.completion || (await this.isBack(seen, { queue, id }))) return undefined
    if (!(await takes.hold(queue, id, who.identity, terms.leaseMs))) return undefined
    const job = await takes.find(queue, id)
    if (job === undefined) return undefined
    const hold = record && holdIn(record)
    // Who was about to start it is at it, or dead. Started twice it is started once.
    if (record === undefined || hold?.value !== who.identity || (hold.turn ?? job.turn) !== job.turn)
      return this.start({ ...job, queue, worker }, who, terms)
    const led = { ...record, worker, runTerms: submission?.runTerms ?? {}, usual: hold.usual }
    return takenOf(this.traced(job, { worker, fence: record.fence, value: hold.value }), led, terms)
  }

  /** Whether the start that is recorded was given back, and no other has begun: a job that is still out waits again once its lease has ended. */
  private async isBack(seen: Sighting, { queue, id }: Noted): Promise<boolean> {
    if (!has('givenBack', seen)) return false
    const hold = seen.record && holdIn(seen.record)
    if (hold === undefined) return false
    return hold.turn === undefined || hold.turn === (await this.parts.takes.find(queue, id))?.turn
  }

  private async tryTake(worker: string, who: Candidate, terms: TakeTerms): Promise<Taken | undefined> {
    const { region } = terms
    for (const queue of region === undefined ? [worker] : [regionQueue(worker, region), worker]) {
      const taken = await this.tryTakeOf(queue, worker, who, terms)
      if (taken) return taken
    }
    return undefined
  }

  private async tryTakeOf(
    queue: string,
    worker: string,
    who: Candidate,
    terms: TakeTerms,
  ): Promise<Taken | undefined> {
    const nowMs = this.parts.nowMs()
    if (nowMs - (this.emptyAtMs.get(queue) ?? Number.NEGATIVE_INFINITY) < TRY_EVERY_MS) return undefined
    for (;;) {
      const job = await this.parts.takes.next(queue, who.identity)
      if (job === undefined) {
        this.noteEmpty(queue)
        return undefined
      }
      const mine = { ...job, queue, worker }
      const taken = (await this.givenMeanwhile(mine, who, terms)) ?? (await this.start(mine, who, terms))
      if (taken) return taken
    }
  }

  /**
   * What another call of the token was given, for which this job is put back. Noted before the job is started: were it noted after that, a
   * server that died between the two would leave a start that nobody runs, of a job that may be started only once the only one.
   */
  private async givenMeanwhile(job: OwnJob, who: Candidate, terms: TakeTerms): Promise<Taken | undefined> {
    const { takes } = this.parts
    const { queue, id, worker } = job
    const { identity: value } = who
    if (!hasToken(value)) return undefined
    const noted = await takes.noteFirst(value, queue, id, terms.leaseMs)
    if (noted === undefined) return undefined
    const isThis = noted.queue === queue && roundKey(noted.id) === roundKey(id)
    const other = isThis ? undefined : await this.answerAgain(noted, worker, who, terms)
    if (other === undefined) {
      await takes.note(value, queue, id, terms.leaseMs)
      return undefined
    }
    const why = 'another call of its taker was given a job'
    await takes.end(queue, id, value, { kind: 'putOff', ms: 0, why }, {})
    return other
  }

  private noteEmpty(queue: string): void {
    if (this.emptyAtMs.size > MAX_WAITING) this.emptyAtMs.clear()
    this.emptyAtMs.set(queue, this.parts.nowMs())
  }

  /** Undefined where the job is not to be started now. */
  private async start(
    job: OwnJob,
    { address, identity: value }: Candidate,
    terms: TakeTerms,
  ): Promise<Taken | undefined> {
    const { takes, gate, records } = this.parts
    const { id, number, queue, worker, turn } = job
    const usual = await this.parts.usual(worker, terms.instance)
    const endAs = async (end: AttemptEnd) => {
      await takes.end(queue, id, value, end, usual)
      return undefined
    }
    const isFirst = turn <= 1
    const ended = isFirst ? undefined : whyNot((await records.read(id)).record)
    if (ended) return endAs(ended)
    if (!(await gate.extend(id, value, terms.leaseMs))) {
      await gate.release(id, value)
      return endAs(HELD)
    }
    const leader = `${worker}@${address}`
    const isLast = number >= (job.attempts ?? usual.attempts ?? 1)
    const attempt = { ...job, address: leader, isLast, isFirst }
    const { region } = ownerOf(queue)
    const started = await this.record.start(attempt, {
      hold: holdText({ value, leaseMs: terms.leaseMs, usual, turn, ...(region !== undefined && { region }) }),
    })
    if (started.verdict !== 'started') {
      await gate.release(id, value)
      return endAs(started)
    }
    const { fence, runTerms } = started
    // Whoever took it since, because all this took too long, has a higher fence.
    if (!(await takes.hold(queue, id, value, terms.leaseMs))) return undefined
    this.noteWait(worker, job)
    return takenOf(
      this.traced(job, { worker, fence, value }),
      { worker, leader, fence, runTerms, usual },
      terms,
    )
  }

  /** The job as its taker is told of it: what begins there is part of its run. */
  private traced(job: QueuedJob, out: Pick<TakenTrace, 'worker' | 'fence' | 'value'>): QueuedJob {
    const { tracer } = this.parts
    return tracer === undefined
      ? job
      : { ...job, traceparent: takenSpan(tracer, traceOf(job, out)).traceparent }
  }

  private noteWait(worker: string, { id, number, waitedMs, traceparent: parent }: QueuedJob): void {
    const { tally, tracer } = this.parts
    if (number === 1) tally.waited(worker, waitedMs)
    const about = { id, worker, attempt: number, waitedMs, ...(parent !== undefined && { parent }) }
    if (tracer) waitSpan(tracer, about)
  }

  /** @throws GoneError `SUPERSEDED` if the job is in another hand */
  private async endHeld(id: RoundId, out: Out, end: AttemptEnd): Promise<void> {
    if (await this.end(id, out, end)) return
    throw leaseEnded(id)
  }

  private async end(
    id: RoundId,
    { queue, worker, hold, record, ranMs }: Out,
    end: AttemptEnd,
  ): Promise<boolean> {
    const { gate, takes, tally, tracer } = this.parts
    // First: whoever is handed the job next must not find the gate held.
    await gate.release(id, hold.value)
    const job = await takes.end(queue, id, hold.value, end, hold.usual)
    if (job === undefined) return false
    const about = { worker, fence: record.fence, value: hold.value }
    if (tracer) takenSpan(tracer, traceOf(job, about), ranMs).end(toldOfEnd(end))
    if (end.kind === 'completed') tally.ended(worker, 'done', ranMs)
    if (end.kind === 'failed') tally.ended(worker, 'failed', ranMs)
    return true
  }
}

/** The attempt under this fence has failed, or was given back, before: whoever says so has not heard the answer. */
function has(what: 'failed' | 'givenBack', { record, events = [] }: Sighting): boolean {
  return events.some(({ kind, fence }) => kind === what && fence === record?.fence)
}

function leaseEnded(id: RoundId): GoneError {
  return new GoneError('SUPERSEDED', `${formatRound(id)}: its lease has ended, and another may have taken it`)
}

function traceOf(
  { id, number: attempt, traceparent: parent }: QueuedJob,
  out: Pick<TakenTrace, 'worker' | 'fence' | 'value'>,
): TakenTrace {
  return { id, attempt, ...out, ...(parent !== undefined && { parent }) }
}

function takenOf(
  { id, data, number, traceparent }: QueuedJob,
  led: Pick<Taken, 'worker' | 'leader' | 'fence'> & {
    readonly runTerms: RunTerms
    readonly usual: UsualTerms
  },
  { leaseMs }: TakeTerms,
): Taken {
  const { worker, leader, fence, runTerms, usual } = led
  const { timeoutMs = usual.timeoutMs } = runTerms
  const timeout = timeoutMs === undefined ? {} : { timeoutMs }
  const trace = traceparent === undefined ? {} : { traceparent }
  return { id, worker, data, attempt: number, leader, fence, leaseMs, ...timeout, ...trace }
}
