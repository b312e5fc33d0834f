import type { RoundJson } from '../../core/rounds/round-wire.ts'
import { count } from './ledger.ts'
import type { JobTold } from './protocol.ts'

interface Run {
  readonly worker: number
  readonly fence: number
  wasKilled: boolean
}

/** One round's job as the replicas and the workers told of it. */
export interface LedgerJob {
  readonly round: string
  /** One for each submission that was answered: whether it was told that it made the job. */
  readonly wereFirst: boolean[]
  /** In the order they were told. */
  readonly runs: Run[]
  /** The fences of the runs that came to their end. */
  readonly ranUnder: number[]
  readonly troubles: string[]
  /** The record of its end. */
  record?: RoundJson | undefined
  /** What was not as promised; undefined while it is under way. */
  faults?: readonly string[]
}

/** Keeps what is told of jobs, and judges whether it is what gone promises. */
export class JobLedger {
  readonly jobs: LedgerJob[] = []

  /** @param max later jobs are not kept */
  constructor(private readonly max: number) {}

  /** Returns the job that was told of, if it is kept. */
  note(number: number, told: JobTold): LedgerJob | undefined {
    const job = this.jobs.find(({ round }) => round === told.round) ?? this.open(told.round)
    if (job === undefined) return undefined
    switch (told.kind) {
      case 'submitted':
        job.wereFirst.push(told.isFirst)
        break
      case 'notSubmitted':
        job.troubles.push(told.message)
        break
      case 'runs':
        job.runs.push({ worker: number, fence: told.fence, wasKilled: false })
        break
      case 'ran':
        job.ranUnder.push(told.fence)
    }
    // What comes after the verdict may change it: a job that has ended must not run again.
    if (job.faults) job.faults = jobFaultsOf(job, job.record)
    return job
  }

  noteKilled(worker: number): void {
    for (const { runs, ranUnder } of this.jobs) {
      const last = runs.at(-1)
      if (last?.worker === worker && !ranUnder.includes(last.fence)) last.wasKilled = true
    }
  }

  /** True while a job that this worker died at is not run by another. */
  awaitsSuccessor(worker: number): boolean {
    return this.jobs.some(({ runs, faults }) => {
      const last = runs.at(-1)
      return faults === undefined && last?.worker === worker && last.wasKilled
    })
  }

  /** True while it runs a job. */
  isAtWork(worker: number): boolean {
    return this.jobs.some(({ runs, ranUnder, faults }) => {
      const last = runs.at(-1)
      return faults === undefined && last?.worker === worker && !ranUnder.includes(last.fence)
    })
  }

  judged(): LedgerJob[] {
    return this.jobs.filter(({ faults }) => faults !== undefined)
  }

  private open(round: string): LedgerJob | undefined {
    if (this.jobs.length >= this.max) return undefined
    const opened = { round, wereFirst: [], runs: [], ranUnder: [], troubles: [] }
    this.jobs.push(opened)
    return opened
  }
}

/** What of the promises was broken, by everybody's word and by the record; nothing if all is well. */
export function jobFaultsOf(job: LedgerJob, record?: RoundJson): string[] {
  const { runs, ranUnder } = job
  const faults: string[] = []
  const firsts = job.wereFirst.filter(Boolean).length
  if (firsts > 1) faults.push(`${firsts} submissions were told that they made the job`)
  if (runs.length === 0) faults.push('no worker ran it')
  for (const [index, { fence, worker }] of runs.entries()) {
    const before = runs.slice(0, index)
    const twin = before.find((other) => other.fence === fence)
    if (twin) faults.push(`workers ${twin.worker} and ${worker} both ran it under fence ${fence}`)
    else if (before.some((other) => other.fence > fence))
      faults.push(`fence ${fence} came after a higher one`)
  }
  if (record?.state !== 'completed') return [...faults, `the record says it is ${record?.state ?? 'unknown'}`]
  const lastFence = runs.at(-1)?.fence
  if (record.fence !== lastFence) {
    faults.push(`the record says fence ${record.fence} completed it, the last run had ${lastFence ?? 'none'}`)
  }
  // A run that was thought dead may come to its end as well; the record refuses it.
  const completions = ranUnder.filter((fence) => fence === record.fence).length
  if (completions !== 1) faults.push(`completed ${count(completions, 'time')} under fence ${record.fence}`)
  return faults
}

/** How long it took from the first submission to the record of its end, in ms; undefined while that is missing. */
export function tookMs({ record }: LedgerJob): number | undefined {
  if (record?.job === undefined || record.completion === undefined) return
  return Date.parse(record.completion.at) - Date.parse(record.job.submittedAt)
}

/** What was seen, in a few lines; or else what was not as promised. */
export function jobSummaryOf(jobs: readonly LedgerJob[]): string {
  const faulty = jobs.filter(({ faults = [] }) => faults.length > 0)
  const submissions = jobs.flatMap(({ wereFirst }) => wereFirst).length
  const takeovers = jobs.filter(({ runs }) => runs.length > 1).length
  const lines = [
    faulty.length === 0
      ? `${count(jobs.length, 'job')} of ${count(submissions, 'submission')}: one run under each fence, each completed once.`
      : `NOT AS PROMISED in ${faulty.length} of ${count(jobs.length, 'job')}:`,
    ...faulty.map(({ round, faults = [] }) => `  ${round}: ${faults.join('; ')}`),
  ]
  if (takeovers > 0) {
    lines.push(
      `${count(takeovers, 'job')} taken over: its worker was silent, so it was run under a higher fence.`,
    )
  }
  return lines.join('\n')
}
