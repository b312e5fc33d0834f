import { describe, expect, it } from 'vitest'
import { isDeeperThan } from '../../src/http/access/json-depth.ts'

const MAX = 64

describe('the depth of JSON', () => {
  it.each([
    ['[]', 0, true],
    ['[]', 1, false],
    ['{"a":[{}]}', 2, true],
    ['{"a":[{}]}', 3, false],
    ['[[],[],[]]', 2, false],
    ['"[[[["', 0, false],
    ['["\\"[[["]', 1, false],
    ['["\\\\",[]]', 1, true],
    ['"\\', 0, false],
    ['é[ü', 0, true],
    ['', 0, false],
  ])('of %s is told beyond %i: %s', (json, max, isDeeper) => {
    expect(isDeeperThan(max, Buffer.from(json))).toBe(isDeeper)
  })

  const hostile: [string, string][] = [
    ['quotes that never close', '"\\'],
    ['quotes alone', '"'],
    ['quotes that are escaped', '\\"'],
    ['backslashes', '\\'],
    ['a quote and its letter', '"a'],
    ['brackets that open and close', '[]'],
    ['brackets that close', ']'],
    ['brackets that open', '['],
    ['brackets in strings', '"[",'],
    ['spaces', ' '],
  ]

  it.each(hostile)('is told in one look at each byte: %s', (_, part) => {
    for (const bytes of [16_384, 65_536]) {
      const { json, looks } = counted(Buffer.from(part.repeat(bytes / part.length)))
      isDeeperThan(MAX, json)
      expect(looks()).toBeLessThanOrEqual(json.length)
    }
  })
})

/** The same bytes, and how often one was looked at. */
function counted(bytes: Buffer): { readonly json: ArrayLike<number>; readonly looks: () => number } {
  let looks = 0
  const json = new Proxy(bytes, {
    get(target, name) {
      if (name !== 'length') looks += 1
      return Reflect.get(target, name, target)
    },
  })
  return { json, looks: () => looks }
}
