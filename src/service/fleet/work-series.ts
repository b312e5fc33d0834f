import { count } from '../../core/fleet/histogram.ts'
import { beginOf, MINUTE_MS, NOTHING_DONE, sumText, type WorkSum } from '../../core/fleet/series.ts'
import type { SeriesStore, WorkTally } from '../../core/fleet/series-ports.ts'
import type { Log } from '../../core/rounds/round-ports.ts'
import { Loop, type Work } from '../loop.ts'

/** What a process uses, since its start. */
export interface ProcessTotals {
  readonly cpuMs: number
  readonly rssBytes: number
}

export interface WorkSeriesParts {
  readonly store: Pick<SeriesStore, 'tell' | 'now'>
  /** Differs in every process. */
  readonly id: string
  /** What it runs; empty: nothing that is released. */
  readonly release: string
  /** What this process runs all the time; none where it only counts what others do. */
  readonly workers: readonly string[]
  readonly totals: () => ProcessTotals
  readonly log: Log
  /** A clock that never goes back. */
  readonly nowMs: () => number
}

interface Counted {
  readonly worker: string
  /** Undefined until the store's clock is known. */
  minuteMs: number | undefined
  readonly sum: {
    -readonly [K in keyof WorkSum]: WorkSum[K] extends number ? WorkSum[K] : Map<number, number>
  }
  /** As the store has it. */
  told: string
}

/** A minute can be told of for three after its begin, and each end of it is to be in the graph soon. */
const TELL_EVERY_MS = 15_000
const OVER_MS = 5_000
/** Of more workers than anybody has, no more are counted. */
const MAX_COUNTED = 4_000

/** Counts in memory what is done here, by minutes of the store's clock, and tells it now and then. Jobs never wait for it. */
export class WorkSeries implements Work, WorkTally {
  private readonly counted = new Map<string, Counted>()
  /** Those of which the store knows that this process has begun to run them. */
  private readonly begun = new Set<string>()
  private storeAheadMs: number | undefined
  private seen: ProcessTotals & { readonly atMs: number }
  private readonly loop: Loop

  constructor(private readonly parts: WorkSeriesParts) {
    const putOff = (cause: string) => parts.log.debug({ cause }, 'what was done is not told yet')
    this.loop = new Loop({ everyMs: TELL_EVERY_MS, work: () => this.tell(), putOff })
    this.seen = { ...parts.totals(), atMs: parts.nowMs() }
  }

  start(): void {
    this.loop.start()
  }

  /** Tells what is left. */
  async stop(): Promise<void> {
    await this.loop.stop()
    const lost = (error: unknown) =>
      this.parts.log.debug({ cause: String(error) }, 'what was done last is not told')
    await this.tell().catch(lost)
  }

  waited(worker: string, ms: number): void {
    const counted = this.of(worker)
    if (counted) count(counted.sum.waited, ms)
  }

  ended(worker: string, kind: 'done' | 'failed', ranMs?: number): void {
    const counted = this.of(worker)
    if (counted === undefined) return
    counted.sum[kind] += 1
    if (ranMs !== undefined) count(counted.sum.ran, ranMs)
  }

  private async tell(): Promise<void> {
    const { store, id, release, nowMs } = this.parts
    if (this.storeAheadMs === undefined) await this.learn(store.now())
    this.notePresence()
    await Promise.all(
      [...this.counted].map(async ([key, counted]) => {
        const { worker, minuteMs = this.minute() ?? 0, sum } = counted
        const text = sumText(sum)
        // What is over does not change any more; how far the clocks differ is known to a few ms.
        const isOver = minuteMs + MINUTE_MS + OVER_MS <= nowMs() + (this.storeAheadMs ?? 0)
        const isBegin = this.parts.workers.includes(worker) && !this.begun.has(worker)
        const begins = isBegin && { begins: true }
        const report = { minuteMs, worker, instance: id, release, sum: { ...sum }, ...begins }
        const isTaken = text === counted.told || (await this.learn(store.tell(report))).isTaken
        if (isTaken) {
          counted.told = text
          if (isBegin) this.begun.add(worker)
        }
        // What is refused is too late, and would be the next time.
        if (isOver || !isTaken) this.counted.delete(key)
      }),
    )
  }

  /** How far the store's clock is ahead, by its answer. */
  private async learn<T extends number | { readonly nowMs: number }>(asked: Promise<T>): Promise<T> {
    const answer = await asked
    const storeMs = typeof answer === 'number' ? answer : answer.nowMs
    const isFirst = this.storeAheadMs === undefined
    this.storeAheadMs = storeMs - this.parts.nowMs()
    if (isFirst) this.place()
    return answer
  }

  /** What was counted before the store's clock was known is of this minute. */
  private place(): void {
    for (const [key, counted] of [...this.counted]) {
      this.counted.delete(key)
      counted.minuteMs = this.minute()
      this.counted.set(`${counted.minuteMs} ${counted.worker}`, counted)
    }
  }

  /** That this process is there, and what it used since it was last noted. */
  private notePresence(): void {
    const now = { ...this.parts.totals(), atMs: this.parts.nowMs() }
    for (const worker of this.parts.workers) {
      const counted = this.of(worker)
      if (counted === undefined) continue
      counted.sum.instances = 1
      counted.sum.cpuMs += now.cpuMs - this.seen.cpuMs
      counted.sum.upMs += now.atMs - this.seen.atMs
      counted.sum.rssBytes = now.rssBytes
    }
    this.seen = now
  }

  private minute(): number | undefined {
    if (this.storeAheadMs === undefined) return undefined
    return beginOf(this.parts.nowMs() + this.storeAheadMs, MINUTE_MS)
  }

  private of(worker: string): Counted | undefined {
    const minuteMs = this.minute()
    const key = `${minuteMs ?? ''} ${worker}`
    const known = this.counted.get(key)
    if (known) return known
    if (this.counted.size >= MAX_COUNTED) return undefined
    const counted: Counted = { worker, minuteMs, sum: nothing(), told: '' }
    this.counted.set(key, counted)
    return counted
  }
}

function nothing(): Counted['sum'] {
  return { ...NOTHING_DONE, minutes: 1, waited: new Map(), ran: new Map() }
}
