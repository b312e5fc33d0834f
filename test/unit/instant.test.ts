import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { instant, takeJson, wholeSecond } from '../../src/core/expect.ts'
import { parseInstant } from '../../src/core/time/instant.ts'

describe('a time of RFC 3339', () => {
  it.each([
    ['2026-11-22T08:00:00Z', '2026-11-22T08:00:00.000Z'],
    ['2026-11-22t08:00:00z', '2026-11-22T08:00:00.000Z'],
    ['2026-11-22T08:00:00.5+01:00', '2026-11-22T07:00:00.500Z'],
    ['2026-11-22T08:00:00.123456789-05:30', '2026-11-22T13:30:00.123Z'],
    ['2026-11-22T08:00:00-00:00', '2026-11-22T08:00:00.000Z'],
    ['2026-12-31T23:59:59-23:59', '2027-01-01T23:58:59.000Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
    ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
    ['0099-12-31T00:00:00Z', '0099-12-31T00:00:00.000Z'],
    ['0000-02-29T00:00:00Z', '0000-02-29T00:00:00.000Z'],
  ])('%s is %s', (text, iso) => {
    expect(new Date(parseInstant(text) ?? Number.NaN).toISOString()).toBe(iso)
  })

  it.each([
    ...['2027-02-29T08:00:00Z', '2100-02-29T08:00:00Z', '2026-02-30T08:00:00Z', '2026-04-31T08:00:00Z'],
    ...['2026-06-31T08:00:00Z', '2026-09-31T08:00:00Z', '2026-11-31T08:00:00Z', '2026-01-32T08:00:00Z'],
    ...['2026-00-01T08:00:00Z', '2026-13-01T08:00:00Z', '2026-01-00T08:00:00Z'],
    ...['2026-11-22T24:00:00Z', '2026-11-22T08:60:00Z', '2026-11-22T08:00:60Z', '2016-12-31T23:59:60Z'],
    ...[
      '2026-11-22T08:00:00+24:00',
      '2026-11-22T08:00:00+01:60',
      '2026-11-22T08:00:00+0100',
      '2026-11-22T08:00:00+01',
    ],
    ...[
      '2026-11-22T08:00Z',
      '2026-11-22T08:00:00',
      '2026-11-22 08:00:00Z',
      '2026-11-22',
      '2026-11-22T08:00:00.Z',
    ],
    ...['2026-11-22T08:00:00,5Z', '2026-W47-7T08:00:00Z', '+002026-11-22T08:00:00Z', '20261122T080000Z'],
    ...[' 2026-11-22T08:00:00Z', '2026-11-22T08:00:00Z ', '', '1795334400', 'now', '٢٠٢٦-11-22T08:00:00Z'],
  ])('%j is none', (text) => {
    expect(parseInstant(text)).toBeUndefined()
  })

  it('is what Date writes, in any offset', () => {
    const date = fc.date({
      min: new Date('0001-01-02T00:00:00Z'),
      max: new Date('9999-12-30T00:00:00Z'),
      noInvalidDate: true,
    })
    fc.assert(
      fc.property(date, fc.integer({ min: -1_439, max: 1_439 }), (at, minutes) => {
        const wall = new Date(at.getTime() + minutes * 60_000).toISOString().slice(0, -1)
        const two = (n: number) => String(Math.floor(Math.abs(n))).padStart(2, '0')
        const offset = `${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`
        expect(parseInstant(`${wall}${offset}`)).toBe(at.getTime())
      }),
    )
  })
})

describe('a member that is a time', () => {
  const toError = (message: string) => new RangeError(message)

  it.each([
    [
      wholeSecond(),
      '2026-11-22T08:00:00.5Z',
      'at: expected an RFC 3339 time with its zone, in whole seconds, like "2026-11-22T08:00:00Z"',
    ],
    [
      wholeSecond(),
      '2026-11-22T08:00:00.0001Z',
      'at: expected an RFC 3339 time with its zone, in whole seconds',
    ],
    [wholeSecond(), 1_795_334_400, 'at: expected an RFC 3339 time'],
    [
      instant({ ms: 0, words: 'at most 7 d ahead' }),
      '2026-11-22T08:00:00Z',
      'at: expected an RFC 3339 time with its zone, at most 7 d ahead, like',
    ],
    [
      instant(),
      '2027-02-29T08:00:00Z',
      'at: expected an RFC 3339 time with its zone, like "2026-11-22T08:00:00Z", got "2027-02-29T08:00:00Z"',
    ],
  ])('is refused with what would be right (%#)', (rule, value, message) => {
    expect(() => takeJson('at', rule, value, toError)).toThrow(message)
  })

  it('may have zeros for a fraction where seconds are whole', () => {
    expect(takeJson('at', wholeSecond(), '2026-11-22T08:00:00.000Z', toError)).toBe(
      Date.parse('2026-11-22T08:00:00Z'),
    )
  })
})
