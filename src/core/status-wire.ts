import type { ServerFacts } from './servers.ts'

/** What the status of a whole gone is told by, besides what the lists of its parts tell. */
export interface StatusJson {
  readonly servers: readonly ServerFacts[]
  readonly redis: {
    /** Whether rounds can be decided; `trouble` says why not. */
    readonly ready: boolean
    readonly trouble?: string
    /** What it has lost that it had acknowledged. */
    readonly warning?: string
    readonly version?: string
    readonly role?: string
    readonly usedMemoryBytes?: number
    /** 0: no limit. */
    readonly maxMemoryBytes?: number
    readonly hasAof?: boolean
  }
  /** Rounds whose deadline has passed without a report. */
  readonly overdue: number
  readonly now: string
}
