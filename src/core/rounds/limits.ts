/** What the protocol takes at most: said once for servers, SDK, commands and workers. */

/** A result is kept with the record, which must stay small; a job keeps a larger one of its own. */
export const MAX_RESULT_BYTES = 4_096

/** Of what a handler returned, as JSON: a job keeps no larger one, which its queue's events tell too. */
export const MAX_JOB_RESULT_BYTES = 65_536

/** Of a progress, as JSON: a larger one is not shown. */
export const MAX_PROGRESS_BYTES = 4_096

/** Of a line in a job's log: the rest of it is cut off. How many lines there may be is a setting. */
export const MAX_LOG_LINE_BYTES = 4_096

/** Characters of the reason for a failure, an order or a cancellation. */
export const MAX_REASON = 1_000

/** What may be asked for: common proxies end a request after a minute. */
export const MAX_WAIT_MS = 60_000

/** How long a call takes at most, waiting included: where nothing is said, and what may be said, far less than it is kept. */
export const CALL_MS = 10_000
export const MAX_CALL_MS = 600_000

/** How many calls may wait one for the other. */
export const MAX_CALL_DEPTH = 5
