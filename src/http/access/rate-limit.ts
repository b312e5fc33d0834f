import { LRUCache } from 'lru-cache'

const MAX_CALLERS = 50_000

export interface Rate {
  readonly perSecond: number
  /** How many at once. */
  readonly burst: number
}

/**
 * At most so many a second from each caller, and so many at once. Exact: no windows at whose edges twice as many pass. By
 * itself because a plugin is a hook, which on a loser's answer costs as much as the answer.
 *
 * @see https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
 */
export class RateLimit {
  /** When each caller will have used up what it asked for. Of too many, the one that has been silent longest is forgotten. Made with the first. */
  private callers: LRUCache<string, number> | undefined

  constructor(private readonly nowMs: () => number) {}

  /** After how many ms the caller may come again; 0 where it is let in. */
  wait(caller: string, { perSecond, burst }: Rate): number {
    const now = this.nowMs()
    const costMs = 1_000 / perSecond
    const paidUntilMs = Math.max(this.paid.get(caller) ?? 0, now) + costMs
    const tooEarlyMs = paidUntilMs - now - burst * costMs
    // What a sum of fractions is off by is not the caller's.
    if (tooEarlyMs > 0.001) return tooEarlyMs
    this.paid.set(caller, paidUntilMs)
    return 0
  }

  /** Lets the caller pay for so many more, which have happened already. */
  pay(caller: string, { perSecond }: Rate, count: number): void {
    const paidUntilMs = Math.max(this.paid.get(caller) ?? 0, this.nowMs())
    this.paid.set(caller, paidUntilMs + (count * 1_000) / perSecond)
  }

  private get paid(): LRUCache<string, number> {
    this.callers ??= new LRUCache({ max: MAX_CALLERS })
    return this.callers
  }
}
