import type { Reporter } from '../../core/rounds/candidate.ts'
import { JOB_IDENTITY, MAX_DEATHS, type RunTerms } from '../../core/rounds/job.ts'
import { MAX_JOB_RESULT_BYTES, MAX_RESULT_BYTES } from '../../core/rounds/limits.ts'
import { type Completion, isVacant, MAX_DEADLINE_MS, type RoundRecord } from '../../core/rounds/record.ts'
import { type RoundId, roundKey } from '../../core/rounds/round.ts'
import type {
  FinishRuling,
  GateLock,
  Log,
  Records,
  RoundQueue,
  StartBehind,
  StartRuling,
} from '../../core/rounds/round-ports.ts'
import { orLater } from '../or-later.ts'

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
  /** When the submission was made that the job is of, by the store's clock; missing where the job does not say. */
  readonly madeForMs?: number
  /** How long the handler may take, where the submission does not say; missing: as long as it likes. */
  readonly timeoutMs?: number
  /** What came of its start, where the queue has taken that along; missing: it is still to be started. */
  readonly taken?: Taken
}

/** What the record said as the queue handed a job out, in the same step. */
export interface Taken {
  readonly ruling: StartRuling
  /** The gate's, behind which it was started. */
  readonly lock: GateLock
  /** A moment before that. */
  readonly askedAtMs: number
}

/** A handler has come to its end, which whoever tells the queue of it records in the same step. */
export interface Ending {
  readonly kind: 'ending'
  readonly result: string
  readonly fence: number
  /** The gate's, given up with it. */
  readonly lock: GateLock
  /** How the attempt has ended, by what the step answered. */
  readonly ended: (ruling: FinishRuling) => Promise<AttemptEnd>
  /** Records it in a step of its own, where it is not known what came of the other; as often as that takes. */
  readonly tellApart: () => Promise<AttemptEnd>
  /** Gives the gate up, where nobody can be told. */
  readonly release: () => Promise<void>
}

/** How an attempt ended. */
export type AttemptEnd =
  /** `result` is a JSON text, empty if there is none. */
  | { readonly kind: 'completed'; readonly result: string }
  /** `isFinal` if no further attempt is to be made. */
  | {
      readonly kind: 'failed'
      readonly reason: string
      readonly stack?: string
      readonly isFinal: boolean
      /** How long the next attempt should wait; missing: as long as is usual. */
      readonly afterMs?: number
    }
  /** There was nothing to do: the round is finished, or led by another. */
  | { readonly kind: 'skipped'; readonly why: string }
  /** Not now, and no attempt is spent. */
  | { readonly kind: 'putOff'; readonly ms: number; readonly why: string }

/** A start that was recorded. */
export type Started = StartRuling & { readonly verdict: 'started' }

/** How an attempt ends that was not begun. */
type NotStarted = AttemptEnd & { readonly verdict?: never }

export const PUT_OFF_MS = 1_000
export const HELD = { kind: 'putOff', ms: PUT_OFF_MS, why: 'another worker holds the gate' } as const

interface JobRecordParts {
  readonly records: Records
  readonly rounds: RoundQueue
  readonly log: Log
}

/** The record of a round as its job leads it, wherever that is run: here, or by whoever took it over HTTP. */
export class JobRecord {
  constructor(private readonly parts: JobRecordParts) {}

  /**
   * Makes the job leader, under a new fence; or says how the attempt ends because it may not be started.
   *
   * @param behind how it is held there, and the gate's lock, or by what that was passed
   */
  async start(
    attempt: Attempt,
    behind?: Pick<StartBehind, 'hold' | 'lock' | 'pass'>,
  ): Promise<Started | NotStarted> {
    const { id, address, number, madeForMs } = attempt
    const job = { address, identity: JOB_IDENTITY }
    // Failed attempts are counted by the queue; what is bounded here are starts that never came to an end.
    const maxStarts = number + MAX_DEATHS
    const terms = { deadlineMs: MAX_DEADLINE_MS }
    const ruling = await this.parts.records.start(id, job, terms, maxStarts, {
      ...behind,
      ...(madeForMs !== undefined && { madeForMs }),
    })
    return this.started(attempt, ruling)
  }

  /** The same where it has been asked already. */
  async started({ id, address }: Attempt, ruling: StartRuling): Promise<Started | NotStarted> {
    const job = { address, identity: JOB_IDENTITY }
    switch (ruling.verdict) {
      case 'started':
        return ruling
      case 'another':
        return {
          kind: 'failed',
          reason: 'the record of the submission that it was made of is gone',
          isFinal: true,
        }
      case 'held':
        return HELD
      case 'early':
        return { kind: 'putOff', ms: ruling.restMs, why: 'it is not to start yet, by the clock of Redis' }
      case 'late': {
        const reason = 'its time was over before a worker could start it'
        await this.fail(id, { ...job, fence: ruling.fence }, {}, reason)
        return { kind: 'failed', reason, isFinal: true }
      }
      case 'finished':
      case 'lost':
        return whyNot(ruling.record) ?? { kind: 'skipped', why: 'not run: led by another' }
      case 'spent': {
        const runTerms = ruling.submission?.runTerms ?? {}
        const isOnce = runTerms.ifExecutorDies === 'fail'
        const reason = isOnce
          ? 'its one start came to no end, and it may be started only once'
          : `${MAX_DEATHS} of its starts came to no end: each time its worker died or lost Redis`
        await this.fail(id, { ...job, fence: ruling.record.fence }, runTerms, reason)
        return { kind: 'failed', reason, isFinal: true }
      }
    }
  }

  /** What fails here makes a start count as a death that was none. */
  giveBack(id: RoundId, fence: number): Promise<void> {
    const about = { round: roundKey(id), fence }
    return orLater(this.parts.log, about, 'start not given back: it counts as one that came to no end', () =>
      this.parts.records.giveBack(id, fence),
    )
  }

  /** What fails here is a line of the log alone: the attempt has failed all the same. */
  noteFailure(id: RoundId, fence: number, reason: string): Promise<void> {
    const about = { round: roundKey(id), fence }
    return orLater(this.parts.log, about, 'failure of an attempt not noted', () =>
      this.parts.records.noteFailure(id, fence, reason),
    )
  }

  /** @param lock the gate's, given up with it */
  async complete(
    id: RoundId,
    reporter: Required<Reporter>,
    terms: RunTerms,
    result: string,
    lock?: GateLock,
  ): Promise<AttemptEnd> {
    const bytes = Buffer.byteLength(result)
    if (terms.call && bytes > mostOf(terms)) {
      const reason = `its result is ${bytes} bytes of JSON, and a call answers at most ${mostOf(terms)}`
      await this.fail(id, reporter, terms, reason)
      return { kind: 'failed', reason, isFinal: true }
    }
    const report = { outcome: 'completed', detail: bytes <= mostOf(terms) ? result : '' } as const
    const ruling = await this.parts.records.finish(id, reporter, report, lock)
    return this.completed(id, reporter, terms, result, ruling)
  }

  /** The same where it has been asked already. */
  async completed(
    id: RoundId,
    { fence }: Pick<Required<Reporter>, 'fence'>,
    terms: RunTerms,
    result: string,
    ruling: FinishRuling,
  ): Promise<AttemptEnd> {
    if (ruling.verdict === 'refused') {
      const why = `completion under fence ${fence} refused: ${late(ruling.record)}`
      this.parts.log.warn({ round: roundKey(id), fence }, why)
      const end = endNow(ruling.record) ?? { kind: 'putOff', ms: PUT_OFF_MS, why }
      return end.kind === 'skipped' ? { ...end, why } : end
    }
    await this.showEnd(id, terms)
    return { kind: 'completed', result }
  }

  /** @param lock the gate's, given up with it */
  async fail(
    id: RoundId,
    reporter: Required<Reporter>,
    terms: RunTerms,
    reason: string,
    lock?: GateLock,
  ): Promise<void> {
    const report = { outcome: 'failed', detail: reason } as const
    const { verdict } = await this.parts.records.finish(id, reporter, report, lock)
    this.parts.log.warn({ round: roundKey(id), fence: reporter.fence, verdict }, `round failed: ${reason}`)
    if (verdict !== 'refused') await this.showEnd(id, terms)
  }

  /** Shows the end of a round that has a deadline. What fails here is done by the sweeper. */
  private async showEnd(id: RoundId, { deadlineMs }: RunTerms): Promise<void> {
    if (deadlineMs === undefined) return
    const { rounds, records, log } = this.parts
    await orLater(
      log,
      { round: roundKey(id) },
      'end not shown on the board yet; the sweeper will',
      async () => {
        const seen = await records.read(id)
        const [isShown] = await rounds.show([{ id, ...seen }])
        if (isShown) records.acknowledge(id, 'finished', seen)
      },
    )
  }
}

/** True of a completion that leaves nothing to be done but to be told to the queue, and so may be told with it. */
export function isPlainEnd(terms: RunTerms, result: string): boolean {
  return terms.deadlineMs === undefined && Buffer.byteLength(result) <= mostOf(terms)
}

/** How long a result the record keeps. A call is kept for a short time, and its result nowhere else. */
function mostOf(terms: RunTerms): number {
  return terms.call ? MAX_JOB_RESULT_BYTES : MAX_RESULT_BYTES
}

/** Why the round is not to be run by its job, as its job shows it; undefined if it is. */
export function whyNot(record: RoundRecord | undefined): AttemptEnd | undefined {
  if (record === undefined) return undefined
  if (record.completion?.outcome === 'failed') {
    return { kind: 'failed', reason: record.completion.detail || endedBy(record.completion), isFinal: true }
  }
  if (record.completion) return { kind: 'skipped', why: `not run: ${endedBy(record.completion)}` }
  if (isVacant(record)) return undefined
  if (record.identity !== JOB_IDENTITY) return { kind: 'skipped', why: `not run: led by ${record.leader}` }
  return undefined
}

/** The same of one that is run: then it may also have been opened again, which gives it another job. */
export function endNow(record: RoundRecord | undefined): AttemptEnd | undefined {
  if (record && isVacant(record)) return { kind: 'skipped', why: 'not run to its end: it was opened again' }
  return whyNot(record)
}

function endedBy({ outcome, by }: Completion): string {
  return `${outcome} already by ${by}`
}

function late(record: RoundRecord): string {
  if (isVacant(record)) return 'it was opened again'
  return record.completion ? endedBy(record.completion) : `led under fence ${record.fence} now`
}
