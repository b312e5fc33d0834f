import { describe, expect, it } from 'vitest'
import { GoneError } from '../../src/errors.ts'
import { whenAnswered } from '../../src/redis/readiness.ts'

describe('what a start asks of Redis', () => {
  it('is asked again where Redis did not answer in time', async () => {
    let asked = 0
    const answer = await whenAnswered(async () => {
      asked += 1
      if (asked < 3) throw new GoneError('STORE_UNAVAILABLE', 'Redis did not answer in time')
      return 'an answer'
    })
    expect(answer).toBe('an answer')
    expect(asked).toBe(3)
  })

  it.each([new GoneError('CONFIG', 'there is no such database'), new TypeError('not of Redis at all')])(
    'is not asked again where an answer says no: %s',
    async (error) => {
      let asked = 0
      const asking = whenAnswered(async () => {
        asked += 1
        throw error
      })
      await expect(asking).rejects.toBe(error)
      expect(asked).toBe(1)
    },
  )
})
