import { closeSync, openSync, writeSync } from 'node:fs'
import type { RoundJson } from '../src/core/rounds/round-wire.ts'

export type Operation =
  | 'elect'
  | 'elected'
  | 'renew'
  | 'complete'
  | 'completed'
  | 'fail'
  | 'submit'
  /** GET rounds: the record as Redis has it. */
  | 'round'

/** A call as it was sent. Times are ms of a monotonic clock that all processes of the machine share. */
export interface Invocation {
  readonly kind: 'invoke'
  readonly atMs: number
  readonly call: number
  readonly op: Operation
  readonly system: string
  readonly round: string
  readonly to: string
  readonly token?: string
  readonly fence?: number
  readonly leaseMs?: number
  readonly waitMs?: number
  /** True for what is read back when all faults are over. */
  readonly isFinal?: true
}

/**
 * How a call ended. `ok`: answered as asked, also if the answer is "you do not lead". `fail`: refused, nothing was
 * changed. `unknown`: no answer, or one that says that it could not be told (5xx): it may have happened.
 */
export interface Return {
  readonly kind: 'return'
  readonly atMs: number
  readonly call: number
  readonly result: 'ok' | 'fail' | 'unknown'
  readonly status?: number
  /** `Gone-Leader`, `Gone-Fence` and `Gone-State`. */
  readonly leader?: string
  readonly fence?: number
  readonly state?: string
  /** The address that elected and completed answer. */
  readonly text?: string
  /** The error's code, or the socket's. */
  readonly code?: string
  readonly record?: RoundJson
}

/** What a worker's handler did, told past Redis. */
export interface Effect {
  readonly kind: 'effect'
  readonly atMs: number
  readonly system: string
  readonly round: string
  readonly fence: number
  readonly phase: 'start' | 'end'
  readonly pid: number
}

/** The state of a round's job on the board, once nothing is expected to move any more. */
export interface Shown {
  readonly kind: 'shown'
  readonly atMs: number
  readonly system: string
  readonly round: string
  readonly state: string
  /** Why it is red. */
  readonly reason?: string
}

export interface Fault {
  readonly kind: 'fault'
  readonly atMs: number
  readonly what: string
}

/** All faults are over from here on. */
export interface Healed {
  readonly kind: 'healed'
  readonly atMs: number
}

export type Event = Invocation | Return | Effect | Shown | Fault | Healed

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** Writes what happens, one JSON line an event, as it happens; and keeps it for the checker. */
export class Recorder {
  readonly events: Event[] = []
  private readonly file: number
  private calls = 0

  constructor(readonly path: string) {
    this.file = openSync(path, 'w')
  }

  invoke(call: Omit<Invocation, 'kind' | 'atMs' | 'call'>): number {
    this.calls += 1
    this.add({ kind: 'invoke', atMs: monotonicMs(), call: this.calls, ...call })
    return this.calls
  }

  return(answer: Omit<Return, 'kind' | 'atMs'>): Return {
    const event: Return = { kind: 'return', atMs: monotonicMs(), ...answer }
    this.add(event)
    return event
  }

  note(event: DistributiveOmit<Effect | Shown | Fault | Healed, 'atMs'> & { atMs?: number }): void {
    this.add({ atMs: monotonicMs(), ...event } as Event)
  }

  /** Adds calls that another process has recorded, under numbers of their own. */
  adopt(events: readonly (Invocation | Return)[]): void {
    const base = this.calls
    for (const event of events) {
      this.calls = Math.max(this.calls, base + event.call)
      this.add({ ...event, call: base + event.call })
    }
  }

  close(): void {
    closeSync(this.file)
  }

  private add(event: Event): void {
    this.events.push(event)
    writeSync(this.file, `${JSON.stringify(event)}\n`)
  }
}

export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}
