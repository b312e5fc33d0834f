import type { RoundId } from '../../core/rounds/round.ts'

/** The job that a token was given. */
export interface Noted {
  readonly queue: string
  readonly id: RoundId
}

/** A call that waits. */
export interface WaitingCall {
  readonly value: string
  noted?: Noted | undefined
}

const EVERY_MS = 2_000
/** So that no command is a long one. */
const MOST_AT_ONCE = 1_000

/** What tokens were given by other calls while they wait here: looked up for all of them together, however many wait. */
export class LookBack {
  private readonly waiting = new Set<WaitingCall>()
  private lookedAtMs = Number.NEGATIVE_INFINITY

  /** @param noted what is answered under each of these values */
  constructor(
    private readonly noted: (values: readonly string[]) => Promise<readonly (Noted | undefined)[]>,
    private readonly nowMs: () => number,
  ) {}

  enter(value: string): WaitingCall {
    const call = { value }
    this.waiting.add(call)
    return call
  }

  leave(call: WaitingCall): void {
    this.waiting.delete(call)
  }

  /** What the last look has found for this call, once; whoever comes first when it is time looks for all. */
  async found(call: WaitingCall): Promise<Noted | undefined> {
    if (this.nowMs() - this.lookedAtMs >= EVERY_MS) {
      this.lookedAtMs = this.nowMs()
      await this.look([...this.waiting])
    }
    const { noted } = call
    call.noted = undefined
    return noted
  }

  private async look(calls: readonly WaitingCall[]): Promise<void> {
    for (let from = 0; from < calls.length; from += MOST_AT_ONCE) {
      const some = calls.slice(from, from + MOST_AT_ONCE)
      const found = await this.noted(some.map(({ value }) => value))
      for (const [index, call] of some.entries()) call.noted = found[index]
    }
  }
}
