/** What a replica or a worker tells the demo. */
export type Told = { readonly kind: 'ready' } | RoundTold | JobTold

/** Of a round that is led. */
export type RoundTold =
  /** Its call was answered, `ms` after the moment it asked. */
  | { readonly kind: 'lost'; readonly round: string; readonly ms: number }
  | { readonly kind: 'leads'; readonly round: string; readonly fence: number; readonly leader: string }
  | {
      readonly kind: 'reported'
      readonly round: string
      readonly fence: number
      readonly isRecorded: boolean
    }
  | { readonly kind: 'trouble'; readonly round: string; readonly message: string }
  /** It has no more to do with the round. */
  | { readonly kind: 'left'; readonly round: string }

/** Of the job that a round was submitted as. */
export type JobTold =
  | { readonly kind: 'submitted'; readonly round: string; readonly isFirst: boolean }
  | { readonly kind: 'notSubmitted'; readonly round: string; readonly message: string }
  | { readonly kind: 'runs'; readonly round: string; readonly fence: number }
  /** The handler came to its end. */
  | { readonly kind: 'ran'; readonly round: string; readonly fence: number }

/** What replicas and workers need to begin. */
export interface Orders {
  readonly url: string
  readonly everyMs: number
  readonly notBeforeMs: number
  /** Missing: the socket in the data folder. */
  readonly redisUrl?: string
}

/** What the demo tells a replica or a worker. */
export type Order = ({ readonly kind: 'begin' } & Orders) | { readonly kind: 'end' }

export const SYSTEM = 'demo'
/** Of the rounds that are submitted: each system counts its own fences. */
export const JOB_SYSTEM = 'demo-jobs'
/** The queue of the jobs. */
export const JOB_WORKER = 'demo-job'
export const LEASE_MS = 1_500
export const WORK_MS = 1_000
export const WARM_UP_MS = 300

/** Of `gone demo --fleet`: the pool and its worker, and in the data folder its releases and what its jobs write of themselves. */
export const POOL = 'demo'
export const POOL_WORKER = 'demo-work'
export const POOL_SIZE = 6
export const RELEASES = 'releases'
export const JOURNAL = 'journal'
export const HOSTS = ['a', 'b'] as const
/** More than half of the pool each, for whoever kills a host. */
export const HOST_LIMITS = { most: POOL_SIZE, memoryBytes: 220 * 1_048_576, hungMs: 6_000 } as const
