/** So long nothing has to be wanted before it is calm: what follows from it, such as a judgement of the fleet, is done by then. */
const CALM_AFTER_MS = 15_000

/**
 * Whether nothing is to be done: nobody asks this server to do anything, and the store knows of nothing that is to be done now or
 * in the next seconds. What works by itself rests then, because the store is asked that one question for all of it.
 */
export class Calm {
  private isCalm = false
  private isWanted = true
  private wantedAtMs = 0
  private readonly followers = new Set<(isCalm: boolean) => void>()

  /** @param nowMs a clock that never goes back */
  constructor(private readonly nowMs: () => number) {}

  get isNow(): boolean {
    return this.isCalm
  }

  /** Something is to be done. Costs next to nothing, because each request says it. */
  end(): void {
    this.isWanted = true
    if (this.isCalm) this.set(false)
  }

  /** What the store says. */
  heard(isWanted: boolean): void {
    if (isWanted) this.end()
    const nowMs = this.nowMs()
    if (this.isWanted) this.wantedAtMs = nowMs
    this.isWanted = false
    if (!this.isCalm && nowMs - this.wantedAtMs >= CALM_AFTER_MS) this.set(true)
  }

  /**
   * Tells each time that it becomes calm, and that it is no more.
   *
   * @returns what ends that
   */
  follow(follower: (isCalm: boolean) => void): () => void {
    this.followers.add(follower)
    return () => this.followers.delete(follower)
  }

  /** Resolves as soon as it is not calm, or the signal is aborted. */
  over(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (!this.isCalm || signal.aborted) return resolve()
      const done = () => {
        unfollow()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const unfollow = this.follow(done)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  private set(isCalm: boolean): void {
    this.isCalm = isCalm
    for (const follower of [...this.followers]) follower(isCalm)
  }
}
