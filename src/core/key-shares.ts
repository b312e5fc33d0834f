/** What a key may use up, where it was made with other shares than are usual. */
export interface KeyShares {
  /** Requests a second, ten times as many at once. Usual: `GONE_RATE_LIMIT`. */
  readonly rate?: number
  /** Requests that wait at once. */
  readonly waits?: number
  /** Submissions a minute, as many at once. Usual: any number. */
  readonly submissions?: number
  /** Schedules, and as many expectations, that it has set and nobody has removed. */
  readonly schedules?: number
  /** Bytes of data of jobs that it has submitted and that have not ended. */
  readonly queuedBytes?: number
}

/** Of the 1,000 requests that may wait at a server 250: four greedy keys leave nothing, one does not. */
export const USUAL_SHARES = { waits: 250, schedules: 1_000, queuedBytes: 64 * 1024 * 1024 } as const

/** A job weighs so much whatever its data: that is what it takes in Redis. */
export const MIN_JOB_BYTES = 512

/** What is kept for a key until it ends or is removed. */
export type ShareKind = 'schedules' | 'expectations' | 'queuedBytes'

export const SHARE_KINDS: readonly ShareKind[] = ['schedules', 'expectations', 'queuedBytes']

/** One thing that counts for a key. */
export interface Share {
  readonly keyId: string
  readonly kind: ShareKind
  /** Which it is, without a space. */
  readonly name: string
  readonly weight: number
}

/**
 * What counts for which key, in the store that all facades share. It is told of what begins, and looks itself for what
 * has ended.
 */
export interface ShareLedger {
  /** Counts it, once; false, and nothing is counted, where all that counts would be more than `limit`. */
  claim(share: Share, limit: number): Promise<boolean>
  /** Those that nobody has looked at for a minute, the longest ago first. */
  oldest(of: Pick<Share, 'keyId' | 'kind'>, limit: number): Promise<readonly Share[]>
  /** Counts these no more. */
  release(shares: readonly Share[]): Promise<void>
  /** Notes that these were looked at and are still there. */
  keep(shares: readonly Share[]): Promise<void>
}
