import { checkIdentifier } from '../core/rounds/round.ts'
import type { Slot, Timetable } from '../core/time/timetable.ts'
import { GoneError } from '../errors.ts'
import { pause } from '../waiting.ts'
import type { GoneClient } from './client.ts'
import type { Duration } from './duration.ts'
import type { Lead, OnceOptions } from './once.ts'
import { ServerClock } from './server-clock.ts'
import { type Times, timesOf, timetableOf } from './slot.ts'
import { randomToken } from './token.ts'

export interface EveryOptions
  extends Pick<Times, 'tz' | 'gap' | 'overlap'>,
    Pick<OnceOptions, 'lease' | 'wait' | 'deadline'> {
  readonly client: Pick<GoneClient, 'once' | 'slot'>
  /** The name that the replicas share. */
  readonly system: string
  /** Tells several of one system apart: the round is then `<name>@<slot>`, else `<slot>`. */
  readonly name?: string
  /** Ends it as `stop` does, and aborts what runs. */
  readonly signal?: AbortSignal
  /** Told of what the handler threw, and of a slot that nobody could be asked about. Default: `console.error`. */
  readonly onError?: (error: unknown, slot: SlotRun) => void
}

/** Which slot, and the round it is. */
export interface SlotRun {
  /** The nominal time, such as `2026-11-22T08:00:00+01:00`. */
  readonly slot: string
  /** When it was due. */
  readonly at: Date
  readonly system: string
  readonly round: string
}

/** What the handler is given. */
export interface Turn extends SlotRun, Lead {}

export interface Every {
  /** Begins no further slot, and resolves when what runs here has ended. May be called twice. */
  stop(): Promise<void>
  /** Resolves when it has ended: stopped, or no slot is to come. */
  readonly ended: Promise<void>
}

/** However far the next slot is: a clock that is set, or a machine that wakes, is noticed after so long. */
const MAX_PAUSE_MS = 15_000
/** So shortly before a slot nothing is waited for that may know the time better. */
const NEAR_MS = 3_000
const FIRST_RETRY_MS = 500
const MAX_RETRY_MS = 10_000

/**
 * Runs `handler` for each slot in one of the replicas that call this with the same words: all ask for the slot's round when
 * it is due, and the one that is elected runs it. Its lease is renewed, and its end reported, as by `client.once`.
 *
 * The first slot is the next one. Where no server answers, it is asked again until the next slot is due. Of the slots that
 * passed while the machine slept only the latest is asked for. A slot does not wait for the one before.
 *
 * @param times a cron expression, or a duration such as `15m`
 * @throws GoneError `INVALID_PARAMETER`, `INVALID_IDENTIFIER`
 */
export function every(
  times: Duration,
  options: EveryOptions,
  handler: (turn: Turn) => Promise<unknown> | unknown,
): Every {
  const timetable = timetableOf({ ...timesOf(times), ...zoneOf(options) })
  checkIdentifier('system', options.system)
  checkIdentifier('round', roundOf(options, 'YYYY-MM-DDThh:mm:ss+hh:mm'))
  return new SlotLoop(timetable, options, handler)
}

function zoneOf({ tz, gap, overlap }: EveryOptions): Times {
  return { ...(tz !== undefined && { tz }), ...(gap && { gap }), ...(overlap && { overlap }) }
}

function roundOf({ name }: EveryOptions, slot: string): string {
  return name === undefined ? slot : `${name}@${slot}`
}

class SlotLoop implements Every {
  readonly ended: Promise<void>
  private readonly clock: ServerClock
  private readonly stopping = new AbortController()
  private readonly runs = new Set<Promise<void>>()
  private cursorMs = 0

  constructor(
    private readonly timetable: Timetable,
    private readonly options: EveryOptions,
    private readonly handler: (turn: Turn) => Promise<unknown> | unknown,
  ) {
    this.clock = new ServerClock(options.client)
    const { signal } = options
    const release = signal && onAbort(signal, () => this.stopping.abort())
    this.ended = this.loop().finally(release)
  }

  stop(): Promise<void> {
    this.stopping.abort()
    return this.ended
  }

  private async loop(): Promise<void> {
    const { signal } = this.stopping
    const startedMs = performance.now()
    await this.clock.sync(signal)
    this.cursorMs = this.clock.nowMs() - (performance.now() - startedMs)
    while (!signal.aborted) {
      const next = this.timetable.after(this.cursorMs)
      if (!next) break
      const nowMs = await this.timeNear(next.dueMs)
      // The clock was set back. A slot that is asked for again is no other round.
      if (nowMs < this.cursorMs - MAX_PAUSE_MS) this.cursorMs = nowMs
      else if (nowMs >= next.dueMs) this.begin(nowMs)
      else await pause(Math.min(Math.ceil(next.dueMs - nowMs), MAX_PAUSE_MS), signal)
    }
    while (this.runs.size > 0) await Promise.all(this.runs)
  }

  /** The time. Where a server was not asked for long, its answer is waited for only if there is time for that. */
  private async timeNear(dueMs: number): Promise<number> {
    const isFar = dueMs - this.clock.nowMs() >= NEAR_MS
    if (this.clock.isDoubtful()) await this.clock.sync(this.stopping.signal)
    else if (this.clock.isStale()) {
      const syncing = this.clock.sync(this.stopping.signal)
      if (isFar) await syncing
    }
    return this.clock.nowMs()
  }

  /** Asks for the latest slot that has come, and whichever are due with it; those before it have passed. */
  private begin(nowMs: number): void {
    const last = this.timetable.last(nowMs)
    if (!last || last.dueMs <= this.cursorMs || this.stopping.signal.aborted) return
    for (const slot of this.timetable.between(last.dueMs - 1, last.dueMs, 1)) {
      const run: Promise<void> = this.run(slot).finally(() => this.runs.delete(run))
      this.runs.add(run)
    }
    this.cursorMs = last.dueMs
  }

  private async run({ key, dueMs }: Slot): Promise<void> {
    const { system, onError } = this.options
    const about: SlotRun = { slot: key, at: new Date(dueMs), system, round: roundOf(this.options, key) }
    try {
      await this.elect(about, this.timetable.after(dueMs)?.dueMs ?? Number.POSITIVE_INFINITY)
    } catch (error) {
      try {
        if (!onError) throw error
        onError(error, about)
      } catch (untold) {
        console.error(`gone: ${system} ${about.round}:`, untold)
      }
    }
  }

  /** Until somebody answers, or the next slot is due. */
  private async elect(about: SlotRun, endMs: number): Promise<void> {
    const { client, lease, wait, deadline } = this.options
    // The same with each attempt: one whose answer got lost may have been elected.
    const candidate = randomToken()
    for (let attempt = 1; ; attempt++) {
      const patience = this.patience()
      let hasBegun = false
      const work = (lead: Lead) => {
        hasBegun = true
        patience.begin()
        return this.handler({ ...about, ...lead })
      }
      try {
        await client.once(about.system, about.round, work, {
          candidate,
          signal: patience.signal,
          ...(lease !== undefined && { lease }),
          ...(wait !== undefined && { wait }),
          ...(deadline !== undefined && { deadline }),
        })
        return
      } catch (error) {
        if (hasBegun) throw error
        if (this.stopping.signal.aborted) return
        const pauseMs =
          Math.min(FIRST_RETRY_MS * 2 ** (attempt - 1), MAX_RETRY_MS) * (0.5 + Math.random() / 2)
        const isWorthwhile = error instanceof GoneError && error.retryable
        if (!isWorthwhile || this.clock.nowMs() + pauseMs >= endMs) throw error
        await pause(pauseMs, this.stopping.signal)
        if (this.stopping.signal.aborted) return
      } finally {
        patience.release()
      }
    }
  }

  /**
   * Aborted with the caller's signal; and by a stop where it stands by, which may take long, until the work begins. An
   * election is not given up: a leader that does not know of it would hold the round until its lease is over.
   */
  private patience(): { readonly signal: AbortSignal; begin(): void; release(): void } {
    const { signal, wait } = this.options
    const controller = new AbortController()
    const by = (one: AbortSignal) => onAbort(one, () => controller.abort(one.reason))
    const begin = wait === undefined ? () => {} : by(this.stopping.signal)
    const end = signal && by(signal)
    const release = () => {
      begin()
      end?.()
    }
    return { signal: controller.signal, begin, release }
  }
}

/** @returns what takes the listener away */
function onAbort(signal: AbortSignal, listener: () => void): () => void {
  signal.addEventListener('abort', listener)
  if (signal.aborted) listener()
  return () => signal.removeEventListener('abort', listener)
}
