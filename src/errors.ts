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
  COMPLETION_REFUSED: { status: 400, retryable: false, title: 'another leader has recorded the completion' },
  BAD_REQUEST: { status: 400, retryable: false, title: 'the request is not valid HTTP' },
  UNAUTHORIZED: { status: 401, retryable: false, title: 'no key, or not one that is known' },
  FORBIDDEN: { status: 403, retryable: false, title: 'the key does not permit this' },
  FOREIGN_ORIGIN: { status: 403, retryable: false, title: 'pages take changes only from themselves' },
  NOT_FOUND: { status: 404, retryable: false, title: 'no such path' },
  NOT_LED: { status: 404, retryable: false, title: 'nobody has led this round' },
  NO_SUCH_SCHEDULE: { status: 404, retryable: false, title: 'there is no such schedule' },
  NO_SUCH_EXPECTATION: { status: 404, retryable: false, title: 'there is no such expectation' },
  METHOD_NOT_ALLOWED: { status: 405, retryable: false, title: 'the path does not take this method' },
  REQUEST_TIMEOUT: { status: 408, retryable: true, title: 'the request did not arrive in time' },
  SUPERSEDED: { status: 409, retryable: false, title: 'another candidate leads this round now' },
  ROUND_FINISHED: { status: 409, retryable: false, title: 'the round is finished' },
  BODY_TOO_LARGE: { status: 413, retryable: false, title: 'the body is too large' },
  URI_TOO_LONG: { status: 414, retryable: false, title: 'the path and query are too long' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, retryable: false, title: 'the body is not JSON' },
  RATE_LIMITED: { status: 429, retryable: true, title: 'too many requests' },
  HEADERS_TOO_LARGE: { status: 431, retryable: false, title: 'the headers are too large' },
  INTERNAL: { status: 500, retryable: true, title: 'a defect of the server' },
  STORE_UNAVAILABLE: { status: 500, retryable: true, title: 'Redis could not answer' },
  GATE_NO_MAJORITY: { status: 500, retryable: true, title: 'the gate nodes disagree' },
  GATE_UNREACHABLE: { status: 500, retryable: true, title: 'too few gate nodes answered' },
  LEASE_LOST: { status: 0, retryable: true, title: 'the lead was lost before its end was recorded' },
  GATE_LOST: { status: 0, retryable: true, title: 'a worker could not hold the gate while it ran' },
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

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }

  get status(): number {
    return ERROR_CODES[this.code].status
  }

  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable
  }
}
