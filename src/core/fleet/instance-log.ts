/** A line that an instance has printed, as its supervisor has read it. */
export interface PrintedLine {
  /** Which line of the instance it is, from 1. */
  readonly number: number
  /** By the supervisor's own clock. */
  readonly atMs: number
  /** Printed to stderr. */
  readonly isError: boolean
  readonly text: string
}

/** The same on its way to the store, whose clock the supervisor does not have. */
export interface SentLine {
  readonly agoMs: number
  readonly isError: boolean
  readonly text: string
}

/** Lines of one instance that follow one another. */
export interface LogBatch {
  readonly instance: string
  /** The number of the first of them. */
  readonly first: number
  readonly lines: readonly SentLine[]
}

/** A batch as it is kept. */
export interface LogEntry {
  readonly instance: string
  /** From 1, over all logs, in the order in which they came. */
  readonly number: number
  /** The entry of the same log before it; 0: none. */
  readonly before: number
  /** How many lines were printed between that and this, and never sent. */
  readonly dropped: number
  readonly lines: readonly { readonly atMs: number; readonly isError: boolean; readonly text: string }[]
}

/** Up to where somebody has read. */
export interface LogMark {
  readonly number: number
  /** Differs where the store has lost its count. */
  readonly epoch: string
}

/** What is kept of a log, here and by its supervisor. */
export const LOG_LINES = 1_000
export const LOG_BYTES = 131_072
/** A line is cut there. */
export const MAX_LOG_LINE = 4_096
/** What supervisors are poked by, when somebody begins to look. No instance has such an id. */
export const LOGS_POKE = '~logs'
/** Supervisors that send what they read are silent for no longer. */
export const HEARD_WITHIN_MS = 5_000

/**
 * What instances print, for those of which somebody wants to see it. Supervisors bring it, and servers read it.
 *
 * Every method throws GoneError `STORE_UNAVAILABLE`; the same call again is harmless.
 */
export interface InstanceLogs {
  /**
   * Has supervisors send what these instances print, for so long.
   *
   * @returns the store's time, and those of which nobody wanted to see it before
   */
  watch(ids: readonly string[], forMs: number): Promise<{ nowMs: number; fresh: readonly string[] }>
  /**
   * Asked by supervisors, all the time.
   *
   * @param ids its instances, and whether all that each had printed is sent
   * @returns those of which somebody wants to see the log
   */
  watched(ids: ReadonlyMap<string, boolean>): Promise<ReadonlySet<string>>
  /**
   * Adds to a log.
   *
   * @param isMore lines before these were sent
   * @returns the number of the line that the log goes on with; where that is not the one after the batch, nothing was added,
   *   and it is to be sent from there on. 0: what was sent before is not there any more
   */
  add(batch: LogBatch, isMore: boolean): Promise<number>
  latest(): Promise<LogMark & { readonly nowMs: number }>
  /** Whose supervisor has sent, since then, all that they had printed. */
  heard(sinceMs: number): Promise<ReadonlySet<string>>
  /** The logs that have grown after this entry. */
  grown(after: number): Promise<readonly string[]>
  /** The entries of these logs from `after` on, up to `last`; in no order between logs. */
  read(ids: readonly string[], after: number, last: number): Promise<readonly LogEntry[]>
}
