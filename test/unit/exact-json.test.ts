import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exactJson, lossOf } from '../../src/core/exact-json.ts'

describe('a number of JSON', () => {
  it.each([
    ...['0', '-0', '7', '-1.5', '0.1', '1.10', '1e3', '1E+3', '5e-324', '1.7976931348623157e308', '0e999'],
    // As others write doubles: in 17 digits, in all of them, with zeros.
    ...[
      '0.10000000000000001',
      '0.1000000000000000055511151231257827',
      '3.141592653589793',
      '2.50000000000000000000',
    ],
    ...['9007199254740991', '9007199254740992', '-9007199254740994', '9007199254740993e3', '1e22', '1e23'],
    ...['100000000000000000000', `1${'0'.repeat(300)}`],
  ])('is kept: %s', (number) => {
    expect(lossOf(number)).toBeUndefined()
  })

  it.each([
    ...[
      '9007199254740993',
      '-9007199254740993',
      '9007199254740993.0',
      '9.007199254740993e15',
      '90071992547409930e-1',
    ],
    ...[
      '12345678901234567890',
      '18446744073709551616',
      '1e400',
      '-1e400',
      '1e-400',
      '1e99999999999999999999',
    ],
    ...[
      '12345678901234.567',
      '0.12345678901234567891',
      '3.141592653589793238462643383279',
      `0.${'1'.repeat(101)}`,
    ],
    ...[`1${'0'.repeat(400)}`, `0.${'0'.repeat(400)}1`],
  ])('is refused, because it would be another: %s', (number) => {
    expect(lossOf(`{"data":{"id":${number}}}`)).toMatch(/^data\.id: .* cannot be kept exactly as a number/)
  })

  it('is what every double is, however it is written', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer({ min: 17, max: 40 }),
        (double, digits) => {
          expect(lossOf(JSON.stringify(double))).toBeUndefined()
          if (!Number.isInteger(double)) expect(lossOf(double.toPrecision(digits))).toBeUndefined()
        },
      ),
    )
  })

  it('is kept as a whole one if and only if it is the same as a bigint', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (whole) => {
        expect(lossOf(String(whole)) === undefined).toBe(
          String(BigInt(Math.round(Number(whole)))) === String(whole) && isWrittenSo(whole),
        )
      }),
    )
  })

  /** Beyond 2^53 doubles are written with zeros for the digits that do not tell them apart. */
  function isWrittenSo(whole: bigint): boolean {
    return (
      BigInt(JSON.parse(JSON.stringify(Number(whole)))) === whole &&
      BigInt(Number(whole).toLocaleString('fullwide', { useGrouping: false })) === whole
    )
  }
})

describe('what is lost', () => {
  it.each([
    ['[1,[2,{"a b":[0,1e400]}]]', '[1][1]."a b"[1]: 1e400'],
    ['{"a":"1e400, \\" 1e400","b":[true,false,null,""],"c":1e400}', 'c: 1e400'],
    ['{"a":{"x":1},"b":{"x":1},"a":2}', 'a: given twice'],
    ['{"rows":[{"id":1},{"id":1,"i\\u0064":2}]}', 'rows[1].id: given twice'],
    ['1e400', 'the body: 1e400'],
    [`{"id":${'9'.repeat(100)}}`, `id: ${'9'.repeat(40)}… cannot`],
  ])('of %s is named', (json, begin) => {
    expect(lossOf(json)?.slice(0, begin.length)).toBe(begin)
    expect(lossOf(json, 'data')).toMatch(/^data[.[:]/)
  })

  it('is nothing in what was written by JSON.stringify', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(lossOf(JSON.stringify(value))).toBeUndefined()
      }),
    )
  })

  it('is found in a long text at once', () => {
    const json = JSON.stringify({
      a: '\\"'.repeat(50_000),
      b: Array.from({ length: 10_000 }, (_, n) => n / 7),
    })
    const startMs = performance.now()
    expect(lossOf(json)).toBeUndefined()
    expect(lossOf(`0.${'0'.repeat(200_000)}1${'0'.repeat(200_000)}`)).toBeDefined()
    expect(performance.now() - startMs).toBeLessThan(5_000)
  })
})

describe('JSON of a value', () => {
  it.each([
    [{ data: { rate: Number.NaN } }, 'data.rate: NaN cannot be written as JSON'],
    [{ rows: [1, { id: 7n }] }, 'rows[1].id: the BigInt 7 cannot be written as JSON'],
    [[-Infinity], '[0]: -Infinity cannot be written as JSON'],
    [Number.NaN, 'the body: NaN cannot be written as JSON'],
  ])('names what it has no number for (%#)', (value, message) => {
    expect(() => exactJson(value)).toThrow(message)
  })

  it('names what is deep in it by the whole way there', () => {
    let value: unknown = { last: Number.NaN }
    for (let level = 0; level < 1_000; level += 1) value = level % 2 ? { in: value } : [value]
    expect(() => exactJson(value, 'result')).toThrow(`result${'.in[0]'.repeat(500)}.last: NaN cannot`)
  })

  it('is what JSON.stringify writes', () => {
    const shared = { at: new Date(0) }
    const value = { one: shared, other: shared, list: [undefined, 'x', -0], none: undefined }
    expect(exactJson(value)).toBe(JSON.stringify(value))
    expect(exactJson(undefined)).toBeUndefined()
  })
})
