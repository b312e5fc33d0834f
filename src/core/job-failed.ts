/** Thrown by a handler: no further attempt is made, and the round ends failed with this message as its reason. */
export class JobFailed extends Error {
  override readonly name = 'JobFailed'
}
