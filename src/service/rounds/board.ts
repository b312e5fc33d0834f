import type { Log, OutboxStep, Records, RoundQueue, SeenRound } from '../../core/rounds/round-ports.ts'
import { pause } from '../../waiting.ts'
import { orLater } from '../or-later.ts'

export interface BoardParts {
  readonly records: Pick<Records, 'acknowledge'>
  readonly queue: RoundQueue
  readonly log: Log
}

interface Told {
  readonly seen: SeenRound
  readonly step: OutboxStep
}

/** So many at once: one script each time, which keeps Redis from all else for a ms. */
const MAX_AT_ONCE = 100
/** What comes meanwhile is told together. */
const GATHER_MS = 10
/** Whoever tells more than that waits for room: so much a server has memory for. */
const MAX_BEHIND = 10_000
/** Where there is none by then the sweeper tells it, from the outbox. */
const ROOM_WITHIN_MS = 2_000

/**
 * Tells the board what a step has noted in the outbox, behind the answer to whoever asked for the step: in batches, in the order in which it
 * happened. What fails, or is lost with the process, is told by the sweeper.
 */
export class Board {
  private behind: Told[] = []
  private telling: Promise<void> | undefined
  private isStopping = false
  /** Who waits for room; the one that came first is first. */
  private readonly waiting = new Set<AbortController>()

  constructor(private readonly parts: BoardParts) {}

  /** How many rounds are still to be told. */
  get backlog(): number {
    return this.behind.length
  }

  /** Resolves at once, unless too much is still to be told; then within 2 s. Never rejects. */
  async tell(seen: SeenRound, step: OutboxStep): Promise<void> {
    if (this.backlog >= MAX_BEHIND) await this.room()
    if (this.backlog >= MAX_BEHIND) return
    this.behind.push({ seen, step })
    this.telling ??= this.tellAll()
  }

  private async room(): Promise<void> {
    const waiter = new AbortController()
    this.waiting.add(waiter)
    await pause(ROOM_WITHIN_MS, waiter.signal)
    this.waiting.delete(waiter)
  }

  /** Resolves when all is told, or left to the sweeper. */
  async stop(): Promise<void> {
    this.isStopping = true
    await this.telling
  }

  private async tellAll(): Promise<void> {
    while (this.backlog > 0) {
      if (this.backlog < MAX_AT_ONCE && !this.isStopping) await pause(GATHER_MS)
      await this.tellSome(this.behind.slice(0, MAX_AT_ONCE))
    }
    this.telling = undefined
  }

  private async tellSome(some: readonly Told[]): Promise<void> {
    const { records, queue, log } = this.parts
    const words = 'rounds not shown on the board yet; the sweeper will'
    await orLater(log, { rounds: some.length }, words, async () => {
      const shown = await queue.show(some.map(({ seen }) => seen))
      for (const [index, { seen, step }] of some.entries())
        if (shown[index]) records.acknowledge(seen.id, step, seen)
    })
    this.behind.splice(0, some.length)
    for (const waiter of [...this.waiting].slice(0, some.length)) waiter.abort()
  }
}
