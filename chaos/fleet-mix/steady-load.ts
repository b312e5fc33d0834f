import { pause } from '../../src/waiting.ts'
import { Caller } from '../caller.ts'
import type { Random } from '../random.ts'
import type { World } from '../world.ts'
import type { Job, Kind } from './stories.ts'
import type { SteadyData } from './workers/steady.ts'

export const SYSTEM = 'steady'
export const WORKER = 'steady'

export interface SteadyLoadParts {
  readonly world: World
  readonly random: Random
  /** Of each server that takes jobs. */
  readonly urls: readonly string[]
  readonly perSecond: number
  readonly nowMs: () => number
  /** What one of them is; default: short ones, and a few of all kinds. */
  readonly draw?: (random: Random) => Drawn
}

export interface Drawn {
  readonly kind: Kind
  readonly data: SteadyData
  readonly more?: object
}

const TURN_MS = 10
const RETRY_MS = 100
const TRIES = 300
/** More than that wait for an answer only where nobody answers: then submitting waits, too. */
const MOST_UNDER_WAY = 600

/** Submits so many jobs a second, whatever becomes of them, each until a server has taken it. */
export class SteadyLoad {
  readonly jobs: Job[] = []
  calls = 0
  unknown = 0
  private readonly callers: readonly Caller[]
  private readonly underWay = new Set<Promise<void>>()
  private running: Promise<void> | undefined
  private isOver = false
  private startedMs = 0
  private endedMs = 0

  constructor(private readonly parts: SteadyLoadParts) {
    // A line of the history for each of a hundred thousand calls would say nothing that a job's story does not.
    const pen = {
      invoke: () => 0,
      return: (answer: object) => ({ kind: 'return', atMs: 0, ...answer }) as never,
    }
    this.callers = parts.urls.map((url) => new Caller(pen, url, SYSTEM))
    parts.world.onEnd(() => {
      for (const caller of this.callers) caller.close()
    })
  }

  start(): void {
    this.startedMs = this.parts.nowMs()
    this.running ??= this.run()
    this.running.catch(() => undefined)
  }

  /** Returns when all that was submitted is taken, or nobody takes it. */
  async stop(): Promise<void> {
    this.isOver = true
    await this.running
    this.endedMs = this.parts.nowMs()
    await Promise.all(this.underWay)
  }

  /** How many a second it has come to. */
  get rate(): number {
    return (this.jobs.length * 1_000) / ((this.endedMs || this.parts.nowMs()) - this.startedMs)
  }

  /** Submits one more, beside the others. */
  ask({ kind, data, more }: Drawn): Job {
    const round = `${kind}-${this.jobs.length}`
    const job: Job = { round, kind, submittedMs: this.parts.nowMs(), isTold: false, firsts: 0 }
    this.jobs.push(job)
    const submitted = this.submit(job, { worker: WORKER, data, ...more }).finally(() =>
      this.underWay.delete(submitted),
    )
    this.underWay.add(submitted)
    return job
  }

  private async run(): Promise<void> {
    const { perSecond, random, draw = drawn, nowMs, world } = this.parts
    let count = 0
    while (!this.isOver && !world.isEnded) {
      const due = Math.floor(((nowMs() - this.startedMs) * perSecond) / 1_000)
      for (; count < due && this.underWay.size < MOST_UNDER_WAY; count += 1) this.ask(draw(random))
      await pause(TURN_MS)
    }
  }

  private async submit(job: Job, body: object): Promise<void> {
    for (let left = TRIES; left > 0 && !this.parts.world.isEnded; left -= 1) {
      // Not drawn: how often it is asked is not the seed's to say.
      const caller = this.callers[Math.floor(Math.random() * this.callers.length)]
      const answer = await caller?.call('submit', job.round, { body })
      this.calls += 1
      if (answer?.result === 'ok') {
        job.isTold = true
        if (answer.status === 202) job.firsts += 1
        return
      }
      if (answer?.result === 'unknown') this.unknown += 1
      const status = answer?.status ?? 0
      if (status >= 400 && status < 500) return
      await pause(RETRY_MS)
    }
  }
}

/** Most take some ms, a few some seconds; some fail, some may be started once, and some name one of these regions. */
export function drawn(random: Random, regions: readonly string[] = []): Drawn {
  const lot = random.next()
  if (lot < 0.01) return { kind: 'long', data: { sleepMs: random.int(6_000, 12_000) } }
  if (lot < 0.05) return { kind: 'slow', data: { sleepMs: random.int(500, 2_500) } }
  if (lot < 0.09)
    return { kind: 'once', data: { sleepMs: random.int(20, 1_500) }, more: { ifExecutorDies: 'fail' } }
  if (lot < 0.1) return { kind: 'fails', data: { sleepMs: 20, fails: 1 }, more: { attempts: 1 } }
  if (lot < 0.12) return { kind: 'fails-first', data: { sleepMs: 20, fails: 1 } }
  const isRegional = regions.length > 0 && lot < 0.17
  const more = isRegional && { more: { region: random.pick(regions) } }
  return { kind: 'brief', data: { sleepMs: random.int(5, 80) }, ...more }
}
