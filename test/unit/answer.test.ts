import { expect, it } from 'vitest'
import { isJobFailed, laterMsOf } from '../../src/core/rounds/job-failed.ts'
import { expectTaken } from '../../src/hook/answer.ts'

const NOW = Date.parse('2026-11-22T08:00:00Z')

function endOf(status: number, retryAfter?: string) {
  try {
    expectTaken('POST https://x', { status, tail: '', ...(retryAfter !== undefined && { retryAfter }) }, NOW)
    return 'taken'
  } catch (error) {
    return isJobFailed(error) ? 'never' : (laterMsOf(error) ?? 'later')
  }
}

it.each([
  [200, undefined, 'taken'],
  [204, '60', 'taken'],
  [503, '5', 5_000],
  [503, '0', 1_000],
  [503, '86400', 3_600_000],
  [503, '999999999', 3_600_000],
  [429, ' 7 ', 7_000],
  [408, '2', 2_000],
  [425, undefined, 'later'],
  [500, 'Sun, 22 Nov 2026 08:00:30 GMT', 30_000],
  [500, 'Sun, 22 Nov 2026 07:00:00 GMT', 1_000],
  [500, 'Mon, 22 Nov 2027 08:00:00 GMT', 3_600_000],
  // What is no form of RFC 9110 says nothing.
  [503, 'soon', 'later'],
  [503, '-5', 'later'],
  [503, '1.5', 'later'],
  [503, '2026-11-22T08:00:30Z', 'later'],
  [503, '', 'later'],
  [400, '5', 'never'],
  [401, undefined, 'never'],
  [403, undefined, 'never'],
  [404, undefined, 'never'],
  [409, undefined, 'never'],
  [410, '5', 'never'],
  [413, '5', 'never'],
  [422, undefined, 'never'],
  [301, '5', 'never'],
])('an answer %i with Retry-After %j is %j', (status, retryAfter, end) => {
  expect(endOf(status, retryAfter)).toBe(end)
})
