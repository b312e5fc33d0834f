/** Thrown by a handler: no further attempt is made, and the round ends failed with this message as its reason. */
export class JobFailed extends Error {
  override readonly name = 'JobFailed'
}

/** True for JobFailed, also one of another copy of this package: a worker may have been installed with its own. */
export function isJobFailed(error: unknown): boolean {
  return error instanceof Error && error.name === 'JobFailed'
}

/** Thrown where a later attempt may succeed, and when that is is known. */
export class JobLater extends Error {
  override readonly name = 'JobLater'

  /** @param afterMs how long to wait before it; missing: as long as is usual */
  constructor(
    message: string,
    readonly afterMs?: number,
  ) {
    super(message)
  }
}

/** How long an attempt wants the next one to wait. */
export function laterMsOf(error: unknown): number | undefined {
  return error instanceof JobLater ? error.afterMs : undefined
}
