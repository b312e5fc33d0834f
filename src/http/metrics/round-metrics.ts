import { Counter, Gauge } from 'prom-client'
import type { ElectionVerdict } from '../../core/rounds/election.ts'
import { ROUNDS_QUEUE } from '../../core/rounds/job.ts'
import type { Outcome } from '../../core/rounds/record.ts'
import type { JobQueues, Records, RoundQueue } from '../../core/rounds/round-ports.ts'
import type { Board } from '../../service/rounds/board.ts'
import type { Sweeper } from '../../service/rounds/sweeper.ts'
import { withinLabels } from './queue-labels.ts'
import type { Registries } from './registries.ts'
import { lastKnown, withinScrape } from './scrape.ts'

export interface RoundMetricsParts {
  readonly records: Records
  readonly queue: RoundQueue
  readonly jobs: JobQueues
  readonly sweeper: Sweeper
  readonly board: Pick<Board, 'backlog'>
}

/** What this process has answered about rounds, and how they stand in Redis. */
export class RoundMetrics {
  private readonly elections: Record<ElectionVerdict | 'error', number> = {
    elected: 0,
    alreadyLeader: 0,
    takenOver: 0,
    lost: 0,
    error: 0,
  }
  private readonly completions: Counter<'outcome' | 'verdict'>
  private readonly submissions: Counter<'outcome'>

  constructor({ own, shared }: Registries, parts: RoundMetricsParts) {
    const { elections } = this
    // Counted in plain numbers, because a loser's answer is too quick for more. From zero, so that the first error is a rise.
    new Counter({
      name: 'gone_elections_total',
      help: 'Answers to candidates by outcome; error means that it could not be decided.',
      labelNames: ['outcome'],
      registers: [own],
      collect() {
        this.reset()
        for (const [outcome, count] of Object.entries(elections)) this.inc({ outcome }, count)
      },
    })
    this.completions = new Counter({
      name: 'gone_completions_total',
      help: 'Reports by outcome (completed, failed) and verdict (recorded, alreadyRecorded, refused).',
      labelNames: ['outcome', 'verdict'],
      registers: [own],
    })
    this.submissions = new Counter({
      name: 'gone_submissions_total',
      help: 'Submissions by outcome: first for those that made a job, duplicate for all others.',
      labelNames: ['outcome'],
      registers: [own],
    })
    collectShared({ own, shared }, parts)
  }

  countElection(outcome: ElectionVerdict | 'error'): void {
    this.elections[outcome] += 1
  }

  countCompletion(outcome: Outcome, verdict: string): void {
    this.completions.inc({ outcome, verdict })
  }

  countSubmission(outcome: 'first' | 'duplicate'): void {
    this.submissions.inc({ outcome })
  }
}

function collectShared(
  { own, shared }: Registries,
  { records, queue, jobs, sweeper, board }: RoundMetricsParts,
): void {
  const overdueCount = lastKnown(() => records.overdueCount())
  new Gauge({
    name: 'gone_overdue_rounds',
    help: 'Rounds whose deadline has passed without a report. Missing while Redis cannot answer.',
    registers: [shared],
    async collect() {
      this.reset()
      const count = await overdueCount()
      if (count === undefined) this.remove()
      else this.set(count)
    },
  })
  new Gauge({
    name: 'gone_queue_jobs',
    help: 'Jobs by queue and BullMQ state; of more than 200 queues those with the fewest jobs are other. Missing while Redis cannot answer.',
    labelNames: ['queue', 'state'],
    registers: [shared],
    async collect() {
      this.reset()
      const both = Promise.all([queue.counts(), jobs.counts()])
      const [rounds, others] = (await withinScrape(both)) ?? [undefined, {}]
      for (const [name, counts] of Object.entries({
        ...withinLabels(others),
        ...(rounds && { [ROUNDS_QUEUE]: rounds }),
      })) {
        for (const [state, count] of Object.entries(counts)) this.set({ queue: name, state }, count)
      }
    },
  })
  new Counter({
    name: 'gone_redelivered_total',
    help: 'Rounds that the sweeper of this process delivered to the queue for one that could not.',
    registers: [own],
    collect() {
      this.reset()
      this.inc(sweeper.redelivered)
    },
  })
  new Gauge({
    name: 'gone_board_backlog',
    help: 'Rounds that this process has still to show on the board as they have ended. At 10000 reports wait for it.',
    registers: [own],
    collect() {
      this.set(board.backlog)
    },
  })
}
