import type { Log, StoreBeat, StoreLoss, StoreMark, StoreMarks } from '../core/ports.ts'
import { iso } from '../core/wire.ts'
import { repeat } from './repeat.ts'

const LOOK_EVERY_MS = 1_000

const WHAT: Readonly<Record<StoreLoss, string>> = {
  emptied: 'it is empty, as after FLUSHALL or a start without its data',
  setBack:
    'it is back at an earlier state, as after a restored backup or a failover to a replica that lagged',
  another: 'it has another mark: another server has found that it lost something, or it is another Redis',
}

const MEANING =
  'rounds of that time may be led again, under fences that were given before; schedules, expectations, jobs and API keys of ' +
  'that time may be gone: apply them again, and look where effects land (docs/redis.md)'

interface WatchedStore {
  readonly marks: StoreMarks
  /** Called at each loss, so that what is taken to be in the store is written there again. */
  readonly onLoss: () => void
  readonly log: Log
}

/**
 * Notices that the store has lost what it had acknowledged, which nothing can undo: says so once, and goes on. Runs in every
 * facade process. What was lost and written within a moment may go unnoticed; trouble is no loss.
 */
export class StoreWatch {
  private readonly known = new Map<string, StoreMark>()
  private readonly stopping = new AbortController()
  private running: Promise<void> | undefined
  private lossCount = 0
  private lastLoss: string | undefined

  constructor(private readonly store: WatchedStore) {}

  /** How many losses this process has noticed. */
  get losses(): number {
    return this.lossCount
  }

  /** The last of them, for people. */
  get loss(): string | undefined {
    return this.lastLoss
  }

  start(): void {
    this.running ??= repeat(
      this.stopping.signal,
      LOOK_EVERY_MS,
      () => this.look(),
      (cause) => this.store.log.debug({ cause }, 'look at the store put off'),
    )
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await this.running
  }

  /** Looks at every part once. Parts that are lost together are one loss. */
  async look(): Promise<void> {
    const beats = await Promise.all(this.store.marks.parts.map((part) => this.beat(part)))
    this.tell(beats.flatMap((beat) => beat ?? []))
  }

  private async beat(part: string): Promise<StoreBeat | undefined> {
    const { marks, log } = this.store
    try {
      const beat = await marks.beat(part, this.known.get(part))
      this.known.set(part, beat.mark)
      return beat
    } catch (error) {
      log.debug({ part, cause: String(error) }, 'store not looked at')
      return undefined
    }
  }

  private tell(beats: readonly StoreBeat[]): void {
    const found = beats.find((beat) => beat.loss !== undefined)
    if (found?.loss === undefined) return
    const { loss, nowMs, keptAtMs } = found
    const noticedAt = iso(nowMs)
    const since =
      loss === 'setBack' && keptAtMs !== undefined ? `since ${iso(keptAtMs)}` : `before ${noticedAt}`
    this.lossCount += 1
    this.lastLoss = `noticed ${noticedAt}: Redis has lost what it acknowledged ${since}: ${WHAT[loss]}; ${MEANING}`
    this.store.log.error({ loss, noticedAt, since }, this.lastLoss)
    this.store.onLoss()
  }
}
