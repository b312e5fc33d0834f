import { hasRoundJob, type Submission } from '../../core/rounds/job.ts'
import { MAX_DEADLINE_MS, type RoundRecord } from '../../core/rounds/record.ts'
import { formatRound, type RoundId, roundKey } from '../../core/rounds/round.ts'
import { stateIn } from '../../core/rounds/round-filter.ts'
import type { Gate, JobQueues, Log, Records, RetryRuling, Sighting } from '../../core/rounds/round-ports.ts'
import { GoneError } from '../../errors.ts'
import { orLater } from '../or-later.ts'
import type { Board } from './board.ts'
import type { DeadlineWatch } from './deadline-watch.ts'
import { queueJob } from './dispatcher.ts'
import { gateValueOf } from './job-hold.ts'
import type { RoundMemory } from './round-memory.ts'

/** A round may be submitted anew as often between our look and our step. */
const MAX_TRIES = 10

export interface RetrierParts {
  readonly records: Records
  readonly board: Pick<Board, 'tell'>
  readonly deadlines: Pick<DeadlineWatch, 'expect'>
  readonly jobs: JobQueues
  readonly memory: RoundMemory
  /** Present only where its nodes are independent of the record's Redis. */
  readonly gate?: Gate
  readonly log: Log
  /** Of a round that is led over HTTP, once it is open again. */
  readonly deadlineMs: number
  /** By when a worker has to start a round whose submission set no deadline; 0: ever. */
  readonly submissionDeadlineMs: number
}

interface RetryDemand {
  /** Who wants it, for display. */
  readonly by: string
  readonly reason?: string
  /** The caller's, who may send the call again, or one of this call: its command too may reach the store twice. */
  readonly identity: string
  /** Looks at the round before anything is done. @throws where it is not to be opened by whoever asks */
  readonly check?: (seen: Sighting) => void
  /** Asked before a job is made anew. @throws where who asks may have none */
  readonly claim?: (job: Pick<Submission, 'queue' | 'data' | 'runTerms'>) => Promise<void>
}

/** `none`: nobody has led or submitted the round. */
export type Retry = Exclude<RetryRuling, { readonly verdict: 'another' }> | { readonly verdict: 'none' }

/** Opens rounds again that have failed or are overdue. */
export class Retrier {
  constructor(private readonly parts: RetrierParts) {}

  /**
   * Opens the round again: a submitted one gets its job anew, with all its attempts; one that was led over HTTP is led by whoever asks
   * next. Twice is once: what is open is not opened again.
   *
   * @throws GoneError `STORE_UNAVAILABLE`
   */
  async retry(id: RoundId, { check, claim, ...order }: RetryDemand): Promise<Retry> {
    const { records, jobs, deadlineMs, submissionDeadlineMs } = this.parts
    let first: Sighting | undefined
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const seen = await records.read(id)
      first ??= seen
      const { record, submission } = seen
      if (record === undefined && submission === undefined) return { verdict: 'none' }
      check?.(seen)
      const job =
        submission && (submission.pending ?? (await records.kept(id)) ?? (await jobs.find(id, submission)))
      if (submission && job && isRetried(seen))
        await claim?.({ queue: submission.queue, data: job.data, runTerms: submission.runTerms })
      const terms = {
        ...order,
        ...(first.record && { fence: first.record.fence }),
        deadlineMs: submission ? submissionDeadlineMs || MAX_DEADLINE_MS : deadlineMs,
      }
      const ruling = await records.retry(id, terms, {
        ...(submission && { submittedAtMs: submission.submittedAtMs }),
        ...(job && { job }),
      })
      if (ruling.verdict === 'another') continue
      if (ruling.verdict === 'opened') await this.follow(id, ruling, record)
      return ruling
    }
    throw new GoneError('STORE_UNAVAILABLE', `${formatRound(id)}: it changes all the time; safe to retry`)
  }

  /** What fails here is done by the sweeper. */
  private async follow(id: RoundId, opened: Sighting, before: RoundRecord | undefined): Promise<void> {
    const { records, jobs, board, deadlines, memory, gate, log } = this.parts
    const about = { round: roundKey(id) }
    log.info(about, 'round opened again')
    memory.forget(id)
    const { record, submission } = opened
    // Of a leader who may be silent, but whom nobody is to wait for any more.
    const isOver = before?.fence !== record?.fence
    const value = before && gateValueOf(before)
    if (value !== undefined && isOver) await gate?.release(id, value)
    if (submission)
      await orLater(log, about, 'job not queued anew yet; the sweeper will', async () => {
        await queueJob(jobs, id, submission)
        records.acknowledge(id, 'submitted', opened)
      })
    if (record && hasRoundJob(opened)) {
      deadlines.expect(record.deadlineMs, id.system)
      await board.tell({ id, ...opened }, 'led')
    }
  }
}

/** Most probably: what opens it looks again. */
function isRetried(seen: Sighting): boolean {
  return ['failed', 'overdue'].includes(stateIn(seen, seen.nowMs))
}
