import type { SlotNowJson } from '../core/rounds/round-wire.ts'
import type { CallOptions } from './ask.ts'
import { durationText } from './duration.ts'
import type { NominalTime, Times } from './slot.ts'
import { send, type TransportOptions, timer } from './transport.ts'

/** The slot that is now by the servers' clock. */
export interface ServerSlot extends NominalTime {
  readonly next?: NominalTime
  /** The servers' clock when it was answered. */
  readonly now: Date
}

export interface SlotCalls {
  /** The slot that is now by the servers' clock. `slot` computes the same by the clock here, and asks nobody. */
  slot(times: Times, options?: CallOptions): Promise<ServerSlot>
}

/** @throws GoneError with the server's code, `SERVER_UNREACHABLE` */
export async function askSlot(
  transport: TransportOptions,
  { every, ...times }: Times,
  { signal }: CallOptions = {},
): Promise<ServerSlot> {
  const reply = await send(transport, {
    method: 'GET',
    path: '/api/v1/slot',
    query: { ...times, every: durationText(every) },
    headers: { accept: 'application/json' },
    accepts: [200],
    isAnswer: isSlotNow,
    isRepeatable: true,
    ...(signal && { signal }),
  })
  const { slot, at, next, now } = reply.json as Answer
  return {
    slot,
    at: new Date(at),
    ...(next && { next: { slot: next.slot, at: new Date(next.at) } }),
    now: new Date(now),
  }
}

type Answer = SlotNowJson & { readonly slot: string; readonly at: string }

function isSlotNow(json: unknown): json is Answer {
  if (typeof json !== 'object' || json === null) return false
  const { slot, at, now } = json as Partial<Record<keyof SlotNowJson, unknown>>
  return [slot, at, now].every((member) => typeof member === 'string')
}

const FRESH_MS = 600_000
/** Not to ask a server that is down with each look at the clock. */
const ASK_AGAIN_MS = 15_000
/** An answer that took longer says too little of the time. */
const PATIENCE_MS = 2_000
/** By how much this machine's clock may run away from its own stopwatch before it counts as set, or as having slept. */
const DRIFT_MS = 500
/** By how much a machine's stopwatch may be too fast, as a share: what a clock is slewed by at most. */
const TOO_FAST = 0.0005

/**
 * The servers' clock as it can be told from here, so that replicas whose clocks differ act at one moment: late by an answer's
 * way and a little more the longer ago that was, and never early. Where no server has answered yet it is the clock here.
 */
export class ServerClock {
  private offsetMs = 0
  /** What the servers' clock showed at the least, and what the stopwatch here did. */
  private seen: { readonly serverMs: number; readonly atMs: number } | undefined
  private driftMs = drift()
  private askAgainMs = Number.NEGATIVE_INFINITY
  private asking: Promise<void> | undefined

  constructor(private readonly client: SlotCalls) {}

  nowMs(): number {
    if (!this.seen) return Date.now() + this.offsetMs
    return this.seen.serverMs + (performance.now() - this.seen.atMs) * (1 - TOO_FAST)
  }

  /** True if it was not asked for long. */
  isStale(): boolean {
    return performance.now() >= this.askAgainMs
  }

  /** True if the clock here was set, or this machine has slept: then it may be any time. */
  isDoubtful(): boolean {
    return Math.abs(drift() - this.driftMs) > DRIFT_MS
  }

  /** Asks a server, for 2 s at most. Leaves everything as it was where none answers. */
  sync(signal?: AbortSignal): Promise<void> {
    this.asking ??= this.ask(signal).finally(() => {
      this.asking = undefined
    })
    return this.asking
  }

  private async ask(signal: AbortSignal | undefined): Promise<void> {
    // The stopwatch stands still while the machine sleeps, so for now the clock here tells more.
    if (this.isDoubtful()) this.seen = undefined
    this.driftMs = drift()
    this.askAgainMs = performance.now() + ASK_AGAIN_MS
    const patience = timer(PATIENCE_MS, signal)
    try {
      const { now } = await this.client.slot({ every: '1s' }, { signal: patience.signal })
      if (this.isDoubtful()) return
      // It was read before it was sent, so it is later there now by what its way here took, which nobody knows.
      this.seen = { serverMs: now.getTime(), atMs: performance.now() }
      this.offsetMs = now.getTime() - Date.now()
      this.askAgainMs = performance.now() + FRESH_MS
    } catch {
      // The clock that is known will do.
    } finally {
      patience.stop()
    }
  }
}

function drift(): number {
  return Date.now() - performance.now()
}
