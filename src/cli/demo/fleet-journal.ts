import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { GoneClient } from '../../client/client.ts'
import { endsWithin, pause } from '../../waiting.ts'
import { POOL_WORKER } from './protocol.ts'

/** A job as its runs have written of themselves, and as the server has it. */
export interface FleetJob {
  readonly round: string
  /** How often it was begun, and by which process last. */
  starts: number
  lastPid: number
  /** By which processes it came to its end. */
  readonly endedBy: number[]
  state: 'under way' | 'completed' | 'failed'
  tookMs?: number
  endedMs?: number
}

export interface FleetSums {
  readonly submitted: number
  readonly completed: number
  readonly underWay: number
  readonly failed: number
  /** Done to the end more than once by processes that lived on. */
  readonly twice: number
  /** Begun again elsewhere, because who ran them did not live on. */
  readonly again: number
  readonly slowestMs: number
}

const SYSTEM = 'demo-fleet'
const SUBMIT_EVERY_MS = 250
const WAITED_MS = 60_000
/** What ended so long ago is counted, and forgotten. */
const SETTLED_MS = 60_000
const NONE: FleetSums = {
  submitted: 0,
  completed: 0,
  underWay: 0,
  failed: 0,
  twice: 0,
  again: 0,
  slowestMs: 0,
}

/** Submits jobs all the time, and holds what became of each against what its runs have written. */
export class FleetJournal {
  private readonly jobs = new Map<string, FleetJob>()
  private readonly killed = new Set<number>()
  private settled = NONE
  private readonly stopping = new AbortController()
  private readonly waiting = new Set<Promise<void>>()
  private running: Promise<void> | undefined
  private readBytes = 0
  private rest = ''

  constructor(
    private readonly client: GoneClient,
    private readonly path: string,
  ) {}

  start(): void {
    this.running ??= this.run()
  }

  /** No more jobs; returns when those that there are have ended, or after `ms`. */
  async stop(ms: number): Promise<void> {
    this.stopping.abort()
    await this.running
    await endsWithin(ms, Promise.all(this.waiting))
  }

  /** Submits one that leaks memory in whoever takes it. */
  leak(name: string): Promise<FleetJob> {
    return this.submit(`leak-${name}`, { leaks: true })
  }

  /** The jobs that this process has begun and not ended. */
  inHandOf(pid: number): readonly FleetJob[] {
    this.read()
    return [...this.jobs.values()].filter(
      ({ lastPid, endedBy, state }) => lastPid === pid && endedBy.length === 0 && state === 'under way',
    )
  }

  /** What it had done in its last moment, it may not have reported. */
  noteKilled(pid: number): void {
    this.killed.add(pid)
  }

  sums(): FleetSums {
    this.read()
    const jobs = [...this.jobs.values()]
    for (const job of jobs)
      if (performance.now() - (job.endedMs ?? performance.now()) > SETTLED_MS) this.settle(job)
    return jobs.reduce((sums, job) => this.added(sums, job), this.settled)
  }

  /** Nothing more comes of it. */
  private settle(job: FleetJob): void {
    this.jobs.delete(job.round)
    this.settled = this.added(this.settled, job)
  }

  private added(sums: FleetSums, { state, starts, endedBy, tookMs = 0 }: FleetJob): FleetSums {
    const isTwice = endedBy.filter((pid) => !this.killed.has(pid)).length > 1
    const one = (isIt: boolean) => (isIt ? 1 : 0)
    return {
      submitted: sums.submitted + 1,
      completed: sums.completed + one(state === 'completed'),
      underWay: sums.underWay + one(state === 'under way'),
      failed: sums.failed + one(state === 'failed'),
      twice: sums.twice + one(isTwice),
      again: sums.again + one(starts > 1),
      slowestMs: Math.max(sums.slowestMs, tookMs),
    }
  }

  private async run(): Promise<void> {
    for (let n = 1; !this.stopping.signal.aborted; n += 1) {
      await this.submit(`job-${n}`, {}).catch(() => undefined)
      await pause(SUBMIT_EVERY_MS, this.stopping.signal)
    }
  }

  private async submit(round: string, data: object): Promise<FleetJob> {
    const job: FleetJob = { round, starts: 0, lastPid: 0, endedBy: [], state: 'under way' }
    const startedMs = performance.now()
    // It may write that it has begun before the answer is here.
    this.jobs.set(round, job)
    await this.client.submit(SYSTEM, round, { worker: POOL_WORKER, data }).catch((error: unknown) => {
      this.jobs.delete(round)
      throw error
    })
    const waited = this.untilEnded(job, startedMs).finally(() => this.waiting.delete(waited))
    this.waiting.add(waited)
    return job
  }

  private async untilEnded(job: FleetJob, startedMs: number): Promise<void> {
    const found = await this.client.wait(SYSTEM, job.round, { timeout: WAITED_MS }).catch(() => undefined)
    if (found?.state !== 'completed' && found?.state !== 'failed') return
    job.state = found.state
    job.endedMs = performance.now()
    job.tookMs = job.endedMs - startedMs
  }

  /** What was written since. */
  private read(): void {
    let text = ''
    try {
      const file = openSync(this.path, 'r')
      const bytes = Buffer.alloc(fstatSync(file).size - this.readBytes)
      text = this.rest + bytes.toString('utf8', 0, readSync(file, bytes, 0, bytes.length, this.readBytes))
      closeSync(file)
      this.readBytes += bytes.length
    } catch {
      // Nothing has begun yet.
      return
    }
    const lines = text.split('\n')
    this.rest = lines.pop() ?? ''
    for (const line of lines) this.note(line)
  }

  private note(line: string): void {
    const [what, round = '', , pid] = line.split(' ')
    const job = this.jobs.get(round)
    if (job === undefined) return
    if (what === 'start') {
      job.starts += 1
      job.lastPid = Number(pid)
    } else job.endedBy.push(Number(pid))
  }
}
