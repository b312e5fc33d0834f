import type { Log, StoreBeat, StoreLoss, StoreMark, StoreMarks } from '../core/rounds/round-ports.ts'
import { iso } from '../core/rounds/round-wire.ts'
import type { Calm } from './calm.ts'
import { Loop, type Work } from './loop.ts'

const CHECK_EVERY_MS = 1_000
/** How rarely, however many servers there are that look while it is calm: all of them together about once a second. */
const MAX_PAUSE_MS = 5_000

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
  /** Told at each look whether something is to be done. */
  readonly calm: Calm
  /** False as long as something may be to be done that the store does not tell. */
  readonly isSettled: () => boolean
  readonly log: Log
}

/**
 * Notices that the store has lost what it had acknowledged, which nothing can undo: says so once, and goes on. Tells also
 * whether it is calm. Runs in every facade process. What was lost and written within a moment may go unnoticed; trouble is no loss.
 */
export class StoreWatch implements Work {
  private readonly known = new Map<string, StoreMark>()
  private readonly loop = new Loop({
    everyMs: () => this.pauseMs,
    work: () => this.check(),
    putOff: (cause) => this.store.log.debug({ cause }, 'check of the store put off'),
  })
  /** How often others have counted on since this process last did, and it itself. */
  private beats = 1
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

  /** Never rests: it is this that ends the calm. */
  start(): void {
    this.loop.start()
  }

  stop(): Promise<void> {
    return this.loop.stop()
  }

  /** Checks every part once. Parts that are lost together are one loss. */
  async check(): Promise<void> {
    const beats = await Promise.all(this.store.marks.parts.map((part) => this.beat(part)))
    const { calm, isSettled } = this.store
    // What is not known may be wanted.
    calm.heard(!isSettled() || beats.some((beat) => beat === undefined || beat.isWanted))
    this.tell(beats.flatMap((beat) => beat ?? []))
  }

  private get pauseMs(): number {
    return this.store.calm.isNow ? Math.min(this.beats * CHECK_EVERY_MS, MAX_PAUSE_MS) : CHECK_EVERY_MS
  }

  private async beat(part: string): Promise<StoreBeat | undefined> {
    const { marks, log } = this.store
    try {
      const known = this.known.get(part)
      const beat = await marks.beat(part, known)
      if (known) this.beats = Math.max(1, beat.mark.beat - known.beat)
      this.known.set(part, beat.mark)
      return beat
    } catch (error) {
      log.debug({ part, cause: String(error) }, 'store not checked')
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
