import { describe, expect, it } from 'vitest'
import { members, oneOf, type Rule, span, takeJson, takeText, whole } from '../../src/core/expect.ts'

const toError = (message: string) => new RangeError(message)
const fromText = (rule: Rule<unknown>) => (text: string) => takeText('it', rule, text, toError)
const fromJson = (rule: Rule<unknown>) => (value: unknown) => takeJson('it', rule, value, toError)

describe('an integer', () => {
  const rule = whole(1, 100)

  it('is digits in a text, and a number in JSON', () => {
    expect(fromText(rule)('007')).toBe(7)
    expect(fromJson(rule)(100)).toBe(100)
  })

  it.each(['', '0', '101', '-1', '+1', '1.0', '1e1', '0x1', ' 1', '1 ', '١', '9'.repeat(17)])(
    'is not the text %j',
    (text) => {
      const message = `it: expected an integer from 1 to 100, got ${JSON.stringify(text)}`
      expect(() => fromText(rule)(text)).toThrow(new RangeError(message))
    },
  )

  it.each([0, 101, 1.5, '7', null, undefined, true, [7], Number.NaN])('is not the value %j', (value) => {
    expect(() => fromJson(rule)(value)).toThrow('it: expected an integer from 1 to 100, got ')
  })
})

describe('a span', () => {
  const rule = span(1_000, 86_400_000)

  it('is a text, in JSON too', () => {
    expect(fromText(rule)('90s')).toBe(90_000)
    expect(fromJson(rule)('1d')).toBe(86_400_000)
  })

  it.each([
    [fromText(rule), '999ms', 'it: expected a duration like 30s or 10m, from 1 s to 1 d, got "999ms"'],
    [fromText(rule), '1', 'it: expected a duration like 30s or 10m, from 1 s to 1 d, got "1"'],
    [fromJson(rule), '2d', 'it: expected a duration like "30s" or "10m", from 1 s to 1 d, got "2d"'],
    [fromJson(rule), 30, 'it: expected a duration like "30s" or "10m", from 1 s to 1 d, got 30'],
    [fromJson(rule), undefined, 'it: expected a duration like "30s" or "10m", from 1 s to 1 d, got nothing'],
  ])('is refused with what would be right (%#)', (take, given, message) => {
    expect(() => take(given as string)).toThrow(new RangeError(message))
  })
})

describe('a choice', () => {
  const rule = oneOf(['first', 'both'])

  it('is one of the texts', () => {
    expect(fromText(rule)('both')).toBe('both')
    expect(() => fromText(rule)('First')).toThrow('it: expected one of first, both, got "First"')
    expect(() => fromJson(rule)(['both'])).toThrow('it: expected one of "first", "both", got ["both"]')
  })
})

describe('members', () => {
  const read = (value: unknown, name = '') =>
    members({ name, owner: 'a schedule' }, value, ['cron', 'every'], toError)

  it('may be missing', () => {
    expect(read(undefined)).toEqual({})
    expect(read({ cron: 1 })).toEqual({ cron: 1 })
  })

  it.each([
    [[], '', 'expected a JSON object'],
    ['x', 'job', 'job: expected an object, got "x"'],
    [{ at: 1 }, '', '"at": no such member; a schedule takes: cron, every'],
    [{ at: 1 }, 'job', '"job.at": no such member; job takes: cron, every'],
    [JSON.parse('{"__proto__": 1}'), '', '"__proto__": no such member; a schedule takes: cron, every'],
  ])('refuses %j of %j', (value, name, message) => {
    expect(() => read(value, name)).toThrow(new RangeError(message))
  })
})

it('shows the begin of a long value, and names nothing where the message is shown beside the name', () => {
  expect(() => takeText('', whole(0, 1), 'x'.repeat(100), toError)).toThrow(
    `expected an integer from 0 to 1, got "${'x'.repeat(63)}…`,
  )
})
