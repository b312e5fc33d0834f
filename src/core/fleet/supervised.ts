import type { InstanceFacts } from './instance.ts'
import type { Pressure } from './pressure.ts'

/** How a process has ended. Both null: it could not be started. */
export interface Exit {
  readonly code: number | null
  /** The signal that ended it; null where it ended by itself. */
  readonly signal: string | null
}

/** What an instance exits with that has not reached the store as it began: EX_UNAVAILABLE of sysexits. */
export const WITHOUT_STORE = 69

/** How busy an instance is, since it last said so. */
export type Busy = Readonly<Record<Exclude<Pressure, 'load'>, number>>

/** What an instance says to its supervisor. */
export type FromInstance =
  /** It is about to be listed. `locks` has of each of its queues what the lock of a job begins with that it runs. */
  | {
      readonly kind: 'begins'
      readonly facts: InstanceFacts
      readonly locks: Readonly<Record<string, string>>
    }
  /** It is listed, and works. */
  | { readonly kind: 'ready'; readonly facts: InstanceFacts; readonly rssBytes: number }
  /** Each second, from its event loop: so it is not blocked. */
  | {
      readonly kind: 'tick'
      readonly facts: InstanceFacts
      readonly running: number
      readonly done: number
      readonly rssBytes: number
      readonly busy: Busy
    }
  /** An order has it restart or stop, which is its supervisor's to do. */
  | { readonly kind: 'ordered'; readonly how: 'restart' | 'stop' }

/** What an instance hears from its supervisor. */
export type ToInstance =
  /** It takes no more jobs, and is told to end when those that it runs have ended. */
  | { readonly kind: 'rest' }
  /** It takes no jobs as long as it is under pressure; without a cause, it is no longer. */
  | { readonly kind: 'press'; readonly cause?: Pressure }
  /** What it was ordered is not done. */
  | { readonly kind: 'refused'; readonly why: string }
  /** Others were told of it what is no longer so. */
  | { readonly kind: 'retell' }

/** The process of an instance, as its supervisor has it. */
export interface InstanceProcess {
  readonly pid: number
  tell(word: ToInstance): void
  /** Asks it to end: its jobs have the time that they have at any stop. */
  end(): void
  kill(): void
  /** Once it has ended: ends what it has started and left behind. */
  endLeft(): Promise<void>
}

export interface InstanceListener {
  onWord(word: FromInstance): void
  /** A line that it has printed. */
  onLine(line: string, isError: boolean): void
  /** Once, after all that it has said. */
  onEnd(exit: Exit): void
}

/** Of a place of a supervisor: its number, or of a pool's as in `mail/2`. */
export type PlaceName = number | string

/** Starts the process of an instance, for one of the places of a supervisor. */
export type StartInstance = (place: PlaceName, listener: InstanceListener) => InstanceProcess

/** How an exit is told to people. */
export function exitText({ code, signal }: Exit): string {
  if (signal !== null) return signal
  return code === null ? 'it could not be started' : `exit code ${code}`
}
