import type { RoundId } from '../../core/rounds/round.ts'
import type { RoundNews, Sighting } from '../../core/rounds/round-ports.ts'

/** What is heard of a call's end, from before it is made: so that whoever waits need neither subscribe nor look. */
export class CallEar {
  /** Forgets the call. */
  readonly leave: () => void
  private seen: Sighting | undefined
  private ring = () => {}

  constructor(
    /** What the terms of the call are to say, for it to be heard here. */
    readonly name: string,
    news: Required<Pick<RoundNews, 'hear'>>,
    id: RoundId,
  ) {
    this.leave = news.hear(id, (seen) => {
      this.seen = seen
      this.ring()
    })
  }

  /** @param made the call as it was when it was made */
  listen(made: Sighting, onEnd: () => void): void {
    this.seen ??= made
    this.ring = onEnd
  }

  /** What was seen since it was last asked for. */
  next(): Sighting | undefined {
    const { seen } = this
    this.seen = undefined
    return seen
  }
}
