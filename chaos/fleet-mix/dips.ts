/** Why fewer may be registered for a while. */
export interface Excuse {
  readonly fromMs: number
  readonly untilMs: number
}

export interface Dip {
  readonly fromMs: number
  tookMs: number
  fewest: number
  /** What it may last by: so long after its begin, or until what was done may last. */
  deadlineMs: number
}

/** Watches how many are registered: never fewer than asked for, for longer than is said. */
export class Dips {
  readonly all: Dip[] = []
  readonly violations: string[] = []
  private readonly excuses: Excuse[] = []
  private dip: Dip | undefined
  private isTold = false

  /** @param soonMs so long it may be without any excuse */
  constructor(
    private readonly asked: number,
    private readonly soonMs: number,
  ) {}

  excuse(excuse: Excuse): void {
    this.excuses.push(excuse)
  }

  /** @param text who is there, for people */
  see(nowMs: number, registered: number, text: () => string): void {
    if (registered >= this.asked) {
      this.dip = undefined
      this.isTold = false
      return
    }
    if (this.dip === undefined) {
      this.dip = { fromMs: nowMs, tookMs: 0, fewest: registered, deadlineMs: nowMs + this.soonMs }
      this.all.push(this.dip)
    }
    const { dip } = this
    dip.tookMs = nowMs - dip.fromMs
    dip.fewest = Math.min(dip.fewest, registered)
    // What ended before it says nothing about it.
    for (const { fromMs, untilMs } of this.excuses)
      if (untilMs > dip.fromMs && fromMs <= nowMs) dip.deadlineMs = Math.max(dip.deadlineMs, untilMs)
    if (nowMs <= dip.deadlineMs || this.isTold) return
    this.isTold = true
    this.violations.push(
      `fewer than ${this.asked} were registered for ${Math.round(dip.tookMs)} ms and longer: ${text()}`,
    )
  }
}
