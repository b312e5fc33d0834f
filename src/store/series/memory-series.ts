import {
  beginOf,
  CLOSED_AFTER_MS,
  HOUR_MS,
  inTurn,
  MINUTE_MS,
  together,
  type WorkSum,
} from '../../core/fleet/series.ts'
import type {
  MinuteReport,
  ReleaseMark,
  SaidMark,
  SeriesQuery,
  SeriesRead,
  SeriesStore,
} from '../../core/fleet/series-ports.ts'

interface Told {
  readonly worker: string
  readonly minuteMs: number
  readonly sums: Map<string, WorkSum>
}

/** Series in memory, by the rules of the Lua scripts, and without their bounds: for tests without Redis. */
export class MemorySeries implements SeriesStore {
  private readonly open = new Map<string, Told>()
  private readonly folded = new Map<string, Map<number, WorkSum>>()
  private readonly marks = new Map<string, ReleaseMark[]>()
  private readonly said: SaidMark[] = []

  constructor(private readonly nowMs: () => number) {}

  async now(): Promise<number> {
    return this.nowMs()
  }

  async tell({ minuteMs, worker, instance, release, sum, begins = false }: MinuteReport) {
    const nowMs = this.nowMs()
    const isOpen = nowMs < minuteMs + MINUTE_MS + CLOSED_AFTER_MS && nowMs >= minuteMs - MINUTE_MS
    if (!isOpen) return { isTaken: false, nowMs }
    const key = `${worker} ${minuteMs}`
    const told = this.open.get(key) ?? { worker, minuteMs, sums: new Map() }
    this.open.set(key, told)
    told.sums.set(instance, sum)
    const marks = this.marks.get(worker) ?? []
    this.marks.set(worker, marks)
    const isKnown = marks.some((one) => one.release === release)
    const isAgain = begins && marks.at(-1)?.release !== release
    if (release !== '' && (isAgain || !isKnown)) marks.push({ release, atMs: nowMs })
    return { isTaken: true, nowMs }
  }

  async fold(): Promise<number> {
    let folded = 0
    for (const [key, { worker, minuteMs, sums }] of this.open) {
      if (minuteMs > this.nowMs() - MINUTE_MS - CLOSED_AFTER_MS) continue
      this.open.delete(key)
      const sum = together([...sums.values()])
      this.add('minute', worker, minuteMs, sum)
      this.add('hour', worker, beginOf(minuteMs, HOUR_MS), sum)
      folded += 1
    }
    return folded
  }

  private add(unit: string, worker: string, atMs: number, sum: WorkSum): void {
    const key = `${unit} ${worker}`
    const kept = this.folded.get(key) ?? new Map<number, WorkSum>()
    this.folded.set(key, kept)
    const before = kept.get(atMs)
    kept.set(atMs, before ? inTurn([before, sum]) : sum)
  }

  async mark(said: Omit<SaidMark, 'atMs'>): Promise<SaidMark> {
    const mark = { atMs: this.nowMs(), ...said }
    this.said.push(mark)
    return mark
  }

  async read({ worker, fromMs, toMs, unit, marksFromMs }: SeriesQuery): Promise<SeriesRead> {
    const kept = new Map<number, WorkSum[]>()
    const add = (atMs: number, sum: WorkSum) => {
      if (atMs >= fromMs && atMs <= toMs) kept.set(atMs, [...(kept.get(atMs) ?? []), sum])
    }
    for (const [atMs, sum] of this.folded.get(`${unit} ${worker}`) ?? []) add(atMs, sum)
    for (const { worker: of, minuteMs, sums } of this.open.values())
      if (of === worker)
        add(unit === 'hour' ? beginOf(minuteMs, HOUR_MS) : minuteMs, together([...sums.values()]))
    const isAsked = ({ atMs }: { readonly atMs: number }) => atMs >= marksFromMs && atMs <= toMs
    const marks = (this.marks.get(worker) ?? []).filter(isAsked)
    const said = this.said.filter((one) => isAsked(one) && (one.worker ?? worker) === worker)
    return { nowMs: this.nowMs(), kept, marks, said }
  }
}
