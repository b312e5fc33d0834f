/** What an error code means to a caller: the HTTP status it is answered with and whether the same call may be tried again. */
interface ErrorClass {
  /** 0 for what never goes over HTTP: the SDK's own trouble, and what stops a start. */
  readonly status: number
  readonly retryable: boolean
  readonly title: string
}

/**
 * The closed list of error codes. HTTP, the SDK and the CLI read this table; nobody matches message text.
 * Losing an election is an outcome and has no code here.
 */
export const ERROR_CODES = {
  INVALID_IDENTIFIER: { status: 400, retryable: false, title: 'a system or round name breaks a rule' },
  INVALID_PARAMETER: {
    status: 400,
    retryable: false,
    title: 'a query parameter or header is not understood',
  },
  INVALID_BODY: { status: 400, retryable: false, title: 'the body is not understood' },
  INVALID_URL: { status: 400, retryable: false, title: 'the path is not valid percent-encoded UTF-8' },
  EMPTY_SELECTION: { status: 400, retryable: false, title: 'the order would reach no instance' },
  COMPLETION_REFUSED: { status: 400, retryable: false, title: 'another leader has recorded the completion' },
  BAD_REQUEST: { status: 400, retryable: false, title: 'the request is not valid HTTP' },
  UNAUTHORIZED: { status: 401, retryable: false, title: 'no key, or not one that is known' },
  FORBIDDEN: { status: 403, retryable: false, title: 'the key does not permit this' },
  FOREIGN_ORIGIN: { status: 403, retryable: false, title: 'a page of another site has sent this' },
  UNKNOWN_HOST: { status: 403, retryable: false, title: 'the server is not known by this name' },
  NOT_FOUND: { status: 404, retryable: false, title: 'no such path' },
  NOT_LED: { status: 404, retryable: false, title: 'nobody has led this round' },
  NO_SUCH_SCHEDULE: { status: 404, retryable: false, title: 'there is no such schedule' },
  NO_SUCH_EXPECTATION: { status: 404, retryable: false, title: 'there is no such expectation' },
  NO_SUCH_INSTANCE: { status: 404, retryable: false, title: 'there is no such instance' },
  NO_SUCH_SETTINGS: { status: 404, retryable: false, title: 'nothing of the kind is set' },
  NO_SUCH_POOL: { status: 404, retryable: false, title: 'there is no such pool' },
  NO_SUCH_ORDER: { status: 404, retryable: false, title: 'there is no such order' },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, title: 'the path does not take this method' },
  REQUEST_TIMEOUT: { status: 408, retryable: true, title: 'the request did not arrive in time' },
  SUPERSEDED: { status: 409, retryable: false, title: 'another candidate leads this round now' },
  SELECTION_CHANGED: { status: 409, retryable: false, title: 'other instances are selected than were shown' },
  NO_SUCH_RELEASE: { status: 409, retryable: false, title: 'a host does not have the release' },
  ROLLOUT_UNDERWAY: { status: 409, retryable: false, title: 'the pool is changing what it runs' },
  TOO_MANY_SETTINGS: { status: 409, retryable: false, title: 'more is set than may be' },
  CALL_CONFLICT: { status: 409, retryable: false, title: "the call's token was used for another call" },
  CALL_TOO_DEEP: { status: 409, retryable: false, title: 'too many calls wait one for the other' },
  CALL_DEADLOCK: {
    status: 409,
    retryable: false,
    title: 'the call could never begin: all that could run it waits for it',
  },
  MIN_REGISTERED: {
    status: 409,
    retryable: false,
    title: 'too few instances would be left for a worker',
  },
  ROUND_NOT_ENDED: {
    status: 409,
    retryable: false,
    title: 'the round has neither failed nor is it overdue',
  },
  JOB_GONE: { status: 409, retryable: false, title: "nobody knows any more what the round's job does" },
  ROUND_FINISHED: { status: 409, retryable: false, title: 'the round is finished' },
  CHANGED_MEANWHILE: { status: 412, retryable: false, title: 'it is not as it was when you looked' },
  BODY_TOO_LARGE: { status: 413, retryable: false, title: 'the body is too large' },
  URI_TOO_LONG: { status: 414, retryable: false, title: 'the path and query are too long' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false, title: 'the body is not JSON' },
  RATE_LIMITED: { status: 429, retryable: true, title: 'too many requests' },
  QUOTA_EXCEEDED: { status: 429, retryable: false, title: 'as much is kept here as may be' },
  HEADERS_TOO_LARGE: { status: 431, retryable: false, title: 'the headers are too large' },
  INTERNAL: { status: 500, retryable: true, title: 'a defect of the server' },
  STORE_UNAVAILABLE: { status: 500, retryable: true, title: 'Redis could not answer' },
  GATE_NO_MAJORITY: { status: 500, retryable: true, title: 'the gate nodes disagree' },
  GATE_UNREACHABLE: { status: 500, retryable: true, title: 'too few gate nodes answered' },
  LEASE_LOST: { status: 0, retryable: true, title: 'the lead was lost before its end was recorded' },
  GATE_LOST: { status: 0, retryable: true, title: 'a worker could not hold the gate while it ran' },
  CALL_FAILED: { status: 0, retryable: false, title: "the call's handler has failed" },
  CALL_GIVEN_UP: { status: 0, retryable: true, title: 'the call had no end in its time' },
  NO_WORKER: { status: 503, retryable: true, title: 'nobody takes the jobs of the worker that is called' },
  SHUTTING_DOWN: { status: 503, retryable: true, title: 'this server is stopping; ask another' },
  TOO_MANY_STANDBYS: { status: 503, retryable: true, title: 'too many requests are waiting' },
  SERVER_UNREACHABLE: { status: 0, retryable: true, title: 'the gone server could not be reached' },
  CONFIG: { status: 0, retryable: false, title: 'the configuration is not valid' },
  REDIS_NOT_FOUND: { status: 0, retryable: false, title: 'no Redis to use or start' },
  DATA_DIR_IN_USE: { status: 0, retryable: false, title: 'another server uses the data folder' },
} as const satisfies Record<string, ErrorClass>

export type ErrorCode = keyof typeof ERROR_CODES

/** The one error class: a code from the closed list, a message that names the thing and the value, and the cause kept. */
export class GoneError extends Error {
  override readonly name = 'GoneError'
  /** After how many seconds it may be tried again, where that is known. */
  readonly retryAfterS?: number

  constructor(
    readonly code: ErrorCode,
    message: string,
    { retryAfterS, ...options }: { cause?: unknown; retryAfterS?: number } = {},
  ) {
    super(message, options)
    if (retryAfterS !== undefined) this.retryAfterS = retryAfterS
  }

  get status(): number {
    return ERROR_CODES[this.code].status
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable
  }
}
