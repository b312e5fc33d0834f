import { describe, expect, it } from 'vitest'
import { failureOf, resultText } from '../../src/core/rounds/handler-end.ts'
import { JobFailed } from '../../src/core/rounds/job-failed.ts'

const refuse = () => {
  throw new Error('not to be looked at')
}
const unlookable = new Proxy(Object.freeze({}), { get: refuse, getPrototypeOf: refuse, has: refuse })

describe('what a handler threw', () => {
  it.each([
    [new Error('no mail server'), 'no mail server'],
    ['a text', 'a text'],
    ['', 'failed without a reason'],
    [new Error(), 'failed without a reason'],
    [undefined, 'it threw undefined'],
    [null, 'it threw null'],
    [7, 'it threw 7'],
    [7n, 'it threw 7'],
    [Symbol('seven'), 'it threw Symbol(seven)'],
    [() => undefined, 'it threw a function'],
    [{ code: 5 }, 'it threw {"code":5}'],
    [Object.create(null), 'it threw {}'],
    [Object.assign(Object.create(null), { message: 'bare' }), 'bare'],
    [{ message: { code: 5 } }, 'it threw an error whose message is {"code":5}'],
    [Object.assign(new Error(), { message: 7n }), 'it threw an error whose message is 7'],
    [Object.defineProperty(new Error(), 'message', { get: refuse }), 'it threw what cannot be read'],
    [unlookable, 'it threw what cannot be read'],
    [{ toJSON: refuse }, 'it threw an object'],
  ])('%# is told in words', (thrown, reason) => {
    expect(failureOf(thrown)).toMatchObject({ reason, isFinal: false })
  })

  it('wants no further attempt if it is a JobFailed', () => {
    expect(failureOf(new JobFailed('no such mailbox'))).toMatchObject({
      reason: 'no such mailbox',
      isFinal: true,
    })
  })

  it('is told in a thousand characters, and where it was thrown in four thousand', () => {
    const error = Object.assign(new Error('x'.repeat(2_000)), { stack: 'y'.repeat(5_000) })
    const { reason, stack } = failureOf(error)
    expect([reason.length, stack?.length]).toEqual([1_000, 4_000])
    const cut = failureOf(`${'x'.repeat(999)}😀`).reason
    expect(cut.isWellFormed()).toBe(true)
  })
})

describe('what a handler returned', () => {
  it('is its JSON, or nothing', () => {
    expect(resultText(undefined)).toBe('')
    expect(resultText(null)).toBe('null')
    expect(resultText({ sent: 1, at: new Date(0) })).toBe('{"sent":1,"at":"1970-01-01T00:00:00.000Z"}')
  })

  it.each([
    [7n, 'BigInt'],
    [circle(), 'circular'],
    [{ toJSON: refuse }, 'not to be looked at'],
    [
      {
        get sent() {
          return refuse()
        },
      },
      'not to be looked at',
    ],
    [deep(20_000), 'Maximum call stack'],
    [() => undefined, 'a function'],
    [Symbol('seven'), 'a symbol'],
    [unlookable, 'not to be looked at'],
  ])('%# is refused with the reason', (result, why) => {
    expect(() => resultText(result)).toThrow(/^its result is not JSON: /)
    expect(() => resultText(result)).toThrow(why)
  })
})

function circle(): object {
  const circle: Record<string, unknown> = {}
  circle.round = circle
  return circle
}

function deep(levels: number): unknown {
  let nested: unknown = []
  for (let level = 0; level < levels; level += 1) nested = [nested]
  return nested
}
