import type { GoneClient } from '../../client/client.ts'
import { pause } from '../../waiting.ts'
import { JobLedger, jobFaultsOf, type LedgerJob } from './job-ledger.ts'
import { faultsOf, isOver, Ledger, type LedgerRound } from './ledger.ts'
import { JOB_SYSTEM, type JobTold, type RoundTold, SYSTEM } from './protocol.ts'

interface RefereeOptions {
  /** How many rounds are looked at. */
  readonly max: number
  readonly killReplica: (replica: number) => void
  readonly killWorker: (worker: number) => void
  /** Has a worker take no jobs. */
  readonly unregister: (worker: number) => void
  /** Has it take jobs again. */
  readonly register: (worker: number) => void
  /** There is a verdict on all of them, and on their jobs. */
  readonly onEnough: () => void
}

/** The leader dies in the second of every three rounds: soon enough for whoever looks on for ten seconds. */
const isDeadlyToLeader = (index: number) => index % 3 === 1
/** The worker dies in the third, because one death at a time is enough to follow. */
const isDeadlyToWorker = (index: number) => index % 3 === 2
/** After the first, whoever ran its job is unregistered until another has run the next. */
const isRestedAfter = (index: number) => index % 3 === 0
const KILL_AFTER_MS = 400
const OVER_WITHIN_MS = 20_000
const RECORDED_WITHIN_MS = 5_000
const SUCCEEDED_WITHIN_MS = 6_000
const LOOK_AGAIN_MS = 300

/** Hears what replicas and workers tell, kills some of them, and holds their word against the record. */
export class Referee {
  readonly rounds: Ledger
  readonly jobs: JobLedger
  private client: GoneClient | undefined
  private hasEnded = false
  private resting: number | undefined

  constructor(private readonly options: RefereeOptions) {
    this.rounds = new Ledger(options.max)
    this.jobs = new JobLedger(options.max)
  }

  /** @param client asks for the records */
  begin(client: GoneClient): void {
    this.client = client
  }

  /** From now on nothing is heard or judged. */
  end(): void {
    this.hasEnded = true
  }

  hear(number: number, told: RoundTold | JobTold): void {
    if (this.hasEnded) return
    switch (told.kind) {
      case 'submitted':
      case 'notSubmitted':
      case 'runs':
      case 'ran':
        this.hearOfJob(number, told)
        break
      default:
        this.hearOfRound(number, told)
    }
  }

  hearReplicaKilled(replica: number): void {
    for (const round of this.rounds.noteKilled(replica)) if (isOver(round)) void this.judge(round)
  }

  hearWorkerKilled(worker: number): void {
    this.jobs.noteKilled(worker)
  }

  /** Returns when another has the job that this worker died at, or does not take it. */
  async untilSucceeded(worker: number): Promise<void> {
    const endMs = performance.now() + SUCCEEDED_WITHIN_MS
    do await pause(LOOK_AGAIN_MS)
    while (this.jobs.awaitsSuccessor(worker) && performance.now() < endMs)
  }

  private hearOfRound(replica: number, told: RoundTold): void {
    const known = this.rounds.rounds.length
    const round = this.rounds.note(replica, told)
    if (round === undefined) return
    if (this.rounds.rounds.length > known) setTimeout(() => this.giveUp(round), OVER_WITHIN_MS).unref()
    if (told.kind === 'leads' && round.leaderships.length === 1) this.killLeaderSometimes(replica, round)
    if (isOver(round)) void this.judge(round)
  }

  private hearOfJob(number: number, told: JobTold): void {
    const known = this.jobs.jobs.length
    const job = this.jobs.note(number, told)
    if (job === undefined) return
    if (this.jobs.jobs.length > known) setTimeout(() => this.giveUpJob(job), OVER_WITHIN_MS).unref()
    if (told.kind === 'runs' && job.runs.length === 1) this.killWorkerSometimes(number, job)
    if (told.kind !== 'ran') return
    this.restSometimes(number, job)
    void this.judgeJob(job)
  }

  private killLeaderSometimes(replica: number, round: LedgerRound): void {
    if (!isDeadlyToLeader(this.rounds.rounds.indexOf(round))) return
    setTimeout(() => {
      if (round.completedBy.length === 0) this.options.killReplica(replica)
    }, KILL_AFTER_MS).unref()
  }

  private killWorkerSometimes(worker: number, job: LedgerJob): void {
    if (!isDeadlyToWorker(this.jobs.jobs.indexOf(job))) return
    setTimeout(() => {
      if (job.ranUnder.length === 0) this.options.killWorker(worker)
    }, KILL_AFTER_MS).unref()
  }

  private restSometimes(worker: number, job: LedgerJob): void {
    const index = this.jobs.jobs.indexOf(job)
    if (this.resting !== undefined) this.options.register(this.resting)
    // After the last nobody would see it come back.
    this.resting = isRestedAfter(index) && index + 1 < this.options.max ? worker : undefined
    if (this.resting !== undefined) this.options.unregister(this.resting)
  }

  private async judge(round: LedgerRound): Promise<void> {
    if (round.faults !== undefined) return
    const record = await this.client?.elected(SYSTEM, round.round).catch(() => undefined)
    this.close(round, faultsOf(round, record))
  }

  private giveUp(round: LedgerRound): void {
    this.close(round, [`not over within ${OVER_WITHIN_MS / 1_000} s`, ...faultsOf(round)])
  }

  /** The handler comes to its end a little before its round is recorded as completed. */
  private async judgeJob(job: LedgerJob): Promise<void> {
    const options = { wait: RECORDED_WITHIN_MS }
    const record = await this.client?.round(JOB_SYSTEM, job.round, options).catch(() => undefined)
    // Otherwise another run ends it.
    if (record?.state !== 'completed' && record?.state !== 'failed') return
    job.record = record
    this.close(job, jobFaultsOf(job, record))
  }

  private giveUpJob(job: LedgerJob): void {
    this.close(job, [`not over within ${OVER_WITHIN_MS / 1_000} s`, ...jobFaultsOf(job)])
  }

  private close(judged: LedgerRound | LedgerJob, faults: readonly string[]): void {
    if (this.hasEnded) return
    judged.faults ??= faults
    const over = Math.min(this.rounds.judged().length, this.jobs.judged().length)
    if (over >= this.options.max) this.options.onEnough()
  }
}
