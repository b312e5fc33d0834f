/** Thrown by a handler: no further attempt is made, and the round ends failed with this message as its reason. */
export class JobFailed extends Error {
  override readonly name = 'JobFailed'
}

/** True for JobFailed, also one of another copy of this package: a worker may have been installed with its own. */
export function isJobFailed(error: unknown): boolean {
  return error instanceof Error && error.name === 'JobFailed'
}
