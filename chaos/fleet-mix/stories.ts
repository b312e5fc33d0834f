/** What jobs of the load are to come to. */
export const KINDS = {
  brief: 'completed',
  slow: 'completed',
  long: 'completed',
  'fails-first': 'completed',
  leaks: 'completed',
  prints: 'completed',
  fails: 'failed',
  /** `ifExecutorDies: fail`. */
  once: 'completed, or failed where its executor died',
} as const

export type Kind = keyof typeof KINDS

/** A job as it was submitted. Times are ms of the clock that all processes share. */
export interface Job {
  readonly round: string
  readonly kind: Kind
  readonly submittedMs: number
  /** A server has acknowledged it. */
  isTold: boolean
  /** How often a server said that it is new. */
  firsts: number
}

/** What a handler has written down. `cut`: it was told to end before its time. */
export interface Run {
  readonly atMs: number
  readonly round: string
  readonly phase: 'start' | 'end' | 'fail' | 'cut'
  readonly fence: number
  readonly attempt: number
  readonly pid: number
}

/** What was done to processes, for how long: what they run meanwhile may be cut off, and started again. */
export interface Harm {
  readonly what: string
  /** Missing: all. */
  readonly pids?: readonly number[]
  readonly fromMs: number
  /** Infinite where they have ended by it. */
  readonly untilMs: number
  /** Its supervisor saw it die: what it ran is handed back. */
  readonly isKill?: true
}

/** What is read back of a job when all is over. */
export interface Kept {
  readonly state: string
  readonly fence?: number
  readonly reason?: string
  readonly endedAtMs?: number
}

/** What the servers say of it, and what was written of it past Redis. */
export interface Stories {
  readonly jobs: readonly Job[]
  readonly runs: readonly Run[]
  readonly kept: ReadonlyMap<string, Kept>
  readonly harms: readonly Harm[]
  /** So soon what a killed instance ran is to begin elsewhere, or to end failed. */
  readonly soonMs: number
}
