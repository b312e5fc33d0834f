import type { LogLevel } from './log-level.ts'

/** A line that an instance has printed, as it is answered. */
export interface LogLineJson {
  readonly instance: string
  /** When it was printed, by the store's clock. */
  readonly at: string
  readonly text: string
  /** Printed to stderr. */
  readonly error?: true
  /** Where the line says one. */
  readonly level?: LogLevel
}

/** What instances have printed since a mark, and what of it is not there. */
export interface FleetLogJson {
  /** By time; those of one instance as it has printed them. */
  readonly lines: readonly LogLineJson[]
  /** Lines that were left out, because their instance printed more than is kept; how many, where that is known. */
  readonly dropped: readonly { readonly instance: string; readonly lines?: number }[]
  /** Selected instances whose supervisor has not sent anything of late. */
  readonly silent: readonly string[]
  /** How many of the selected run without a supervisor, so that nobody reads what they print. */
  readonly unread: number
  /** How many of the selected were not asked, because there are too many. */
  readonly leftOut: number
  /** Where to read on. */
  readonly at: string
  /** What was read before is not of this store: this begins anew. */
  readonly reset?: true
  readonly now: string
}
