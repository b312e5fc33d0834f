import type { ProblemJson } from '../../core/rounds/round-wire.ts'
import { about, choice, integer, objectOf, text, truth } from '../../core/shape.ts'
import { ERROR_CODES } from '../../errors.ts'

/** An error: RFC 9457. */
export const PROBLEM = objectOf<ProblemJson>('Problem', {
  title: about('What the code means.', text()),
  status: about('The status of the answer.', integer(400, 599)),
  detail: about('What was wrong this time.', text()),
  code: about('Stable: match this, and no text.', choice<string>(Object.keys(ERROR_CODES))),
  retryable: about('Whether the same call may be tried again.', truth()),
})
