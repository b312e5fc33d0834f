/** How far ahead of its rate somebody may be: so many seconds' worth of requests at once. */
const BURST_S = 10
const MAX_CALLERS = 50_000

/**
 * At most so many requests a second from each caller, and ten times as many at once. Exact: no windows at whose edges
 * twice as many pass. By itself because a plugin is a hook, which on a loser's answer costs as much as the answer.
 *
 * @see https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
 */
export class RateLimit {
  /** When each caller will have used up what it asked for. Whoever asked last is last. */
  private readonly paidUntilMs = new Map<string, number>()
  private readonly costMs: number

  constructor(
    perSecond: number,
    private readonly nowMs: () => number,
  ) {
    this.costMs = 1_000 / perSecond
  }

  /** False if the caller has had too many. Who is refused may come again after a second. */
  admits(caller: string): boolean {
    const now = this.nowMs()
    const paidUntilMs = Math.max(this.paidUntilMs.get(caller) ?? 0, now) + this.costMs
    if (paidUntilMs - now > BURST_S * 1_000) return false
    this.paidUntilMs.delete(caller)
    this.paidUntilMs.set(caller, paidUntilMs)
    if (this.paidUntilMs.size > MAX_CALLERS) this.forgetOne()
    return true
  }

  private forgetOne(): void {
    const [oldest] = this.paidUntilMs.keys()
    if (oldest !== undefined) this.paidUntilMs.delete(oldest)
  }
}
