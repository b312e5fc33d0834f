/** A job as it is handed to an executor that speaks HTTP alone. */
export interface TakenJson {
  readonly system: string
  readonly round: string
  readonly worker: string
  /** What was submitted. */
  readonly data: unknown
  /** From 1; a new one follows a failure. */
  readonly attempt: number
  /** To be shown with each report, and where the effect lands. */
  readonly fence: number
  /** How long it may be kept without being renewed. */
  readonly lease: string
  /** How long the attempt may take. */
  readonly timeout?: string
  /** What begins in this attempt is part of this: its run, where the server tells of traces, else the submission's trace. */
  readonly traceparent?: string
}
