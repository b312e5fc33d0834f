import type { ServerFacts } from './servers.ts'

/** How a request looked to the server: what a proxy has made of it. */
export interface CallerJson {
  /** Whom the server takes the caller for. */
  readonly address: string
  /** By which name it was asked. */
  readonly host?: string
  /** The caller's end of the way is encrypted, as far as the server knows. */
  readonly secure: boolean
  /** A proxy has said whom it asks for; `ignored`: it is none of `GONE_TRUSTED_PROXIES`. Missing: none has. */
  readonly proxy?: 'believed' | 'ignored'
}

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
  /** Whoever asked. */
  readonly caller: CallerJson
  readonly now: string
}
