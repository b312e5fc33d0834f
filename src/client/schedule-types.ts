/** A slot that is to come. */
export interface NextSlotJson {
  /** The nominal time that was meant, in the schedule's zone: such as `2026-11-22T08:00:00+01:00`. Its key. */
  readonly slot: string
  readonly round: string
  /** When it is due, in UTC. */
  readonly at: string
  /** The same moment in the schedule's zone. */
  readonly local: string
}

/** What came of the latest slot. */
export interface LastSlotJson {
  readonly slot: string
  readonly round: string
  readonly at: string
  readonly submittedAt: string
  readonly latenessMs: number
  /** How many slots were submitted so far, and how many were left out by policy. */
  readonly submitted: number
  readonly skipped: number
}

/** A schedule as HTTP shows it: what was put, with defaults filled in, and how it stands. */
export interface ScheduleJson {
  readonly system: string
  readonly name: string
  readonly cron?: string
  readonly every?: string
  readonly at?: string
  readonly tz: string
  readonly dst: { readonly gap: 'skip' | 'run-after'; readonly overlap: 'first' | 'second' | 'both' }
  readonly jitter?: string
  readonly catchUp: { readonly window: string; readonly max: number }
  readonly overlap: 'allow' | 'skip' | 'queue' | 'cancel-previous'
  readonly startAt?: string
  readonly endAt?: string
  readonly job: {
    readonly worker?: string
    readonly data?: unknown
    readonly attempts?: number
    readonly backoff?: { readonly type: 'fixed' | 'exponential'; readonly delay: string }
    readonly timeout?: string
    readonly priority?: number
    readonly deadline?: string
    readonly ifExecutorDies?: 'rerun' | 'fail'
  }
  readonly expect?: { readonly grace: string }
  readonly paused: boolean
  readonly createdAt: string
  readonly updatedAt: string
  readonly next: NextSlotJson | null
  readonly last: LastSlotJson | null
  readonly now: string
}
