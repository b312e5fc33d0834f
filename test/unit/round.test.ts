import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isWorkerName } from '../../src/core/rounds/job.ts'
import { escapePart, parseRoundKey, roundId, roundKey, unescapePart } from '../../src/core/rounds/round.ts'
import { anyIdentifier } from '../support/identifiers.ts'

const round = fc.record({ system: anyIdentifier, round: anyIdentifier })

describe('round keys', () => {
  it('are different for different rounds', () => {
    fc.assert(
      fc.property(round, round, (a, b) => {
        const same = a.system === b.system && a.round === b.round
        expect(roundKey(a) === roundKey(b)).toBe(same)
      }),
      { numRuns: 20_000 },
    )
  })

  it.each([
    [
      { system: 'a~b', round: 'c' },
      { system: 'a', round: 'b~c' },
    ],
    [
      { system: 'a%7Eb', round: 'c' },
      { system: 'a~b', round: 'c' },
    ],
    [
      { system: 'a:b', round: 'c' },
      { system: 'a', round: 'b:c' },
    ],
    [
      { system: 'é', round: 'c' },
      { system: '%C3%A9', round: 'c' },
    ],
    [
      { system: 'A', round: 'c' },
      { system: 'a', round: 'c' },
    ],
  ])('keep %j and %j apart', (a, b) => {
    expect(roundKey(a)).not.toBe(roundKey(b))
  })

  it('lead back to the round', () => {
    fc.assert(
      fc.property(round, (id) => {
        expect(parseRoundKey(roundKey(id))).toEqual(id)
      }),
      { numRuns: 5_000 },
    )
  })

  it('are job ids that BullMQ takes: no ":", not digits alone, none of its own words, no Cluster braces', () => {
    fc.assert(
      fc.property(round, (id) => {
        expect(roundKey(id)).toMatch(/^[A-Za-z0-9_.%-]+~[A-Za-z0-9_.%-]+$/)
      }),
      { numRuns: 5_000 },
    )
  })

  it('read like the names they are made of', () => {
    expect(roundKey({ system: 'cleaner', round: '2020-10-18-0800' })).toBe('cleaner~2020-10-18-0800')
    expect(escapePart('08:15 é')).toBe('08%3A15%20%C3%A9')
    expect(unescapePart('08%3A15%20%C3%A9')).toBe('08:15 é')
  })

  it.each([
    '',
    'a',
    'a~b~c',
    '~',
    'a~',
    '~b',
    'a~b%2Fc',
    'a~b%',
    'a~b%zz',
    'a~%41',
    'a~b c',
    'a~.',
    'a~%c3%a9',
  ])('refuse %j, which is none', (key) => {
    expect(() => parseRoundKey(key)).toThrow('expected a round key')
  })
})

describe('a worker', () => {
  it.each(['mailer', 'caf%C3%A9', 'a.b-c_d'])('may be called %j', (name) => {
    expect(isWorkerName(name)).toBe(true)
  })

  it.each(['', 'a b', 'a/b', '50%', 'a%b', 'a%zz', 'a%41', 'a%c3%a9', '%C3', 'rounds'])(
    'may not be called %j',
    (name) => {
      expect(isWorkerName(name)).toBe(false)
    },
  )
})

describe('identifiers', () => {
  it('accept every name that keeps the rules', () => {
    fc.assert(
      fc.property(round, (id) => {
        expect(roundId(id.system, id.round)).toEqual(id)
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    '__proto__',
    'constructor',
    'wait',
    'completed',
    'meta',
    '123',
    'a:b',
    '*',
    '...',
    'Ω',
    '日本',
    '😀',
    'x'.repeat(128),
  ])('accept %j', (name) => {
    expect(roundId(name, name)).toEqual({ system: name, round: name })
  })

  it.each([
    ['', 'expected 1 to 128 bytes, got 0'],
    ['x'.repeat(129), 'expected 1 to 128 bytes, got 129'],
    ['é'.repeat(65), 'expected 1 to 128 bytes, got 130'],
    ['.', 'stands for a folder'],
    ['..', 'stands for a folder'],
    ['a/b', 'must not contain "/"'],
    ['\ud800', 'expected valid UTF-8'],
    ['a\0', 'U+0000'],
    ['a\nb', 'U+000A'],
    ['a b', 'U+0020'],
    ['a\u00a0b', 'U+00A0'],
    ['a\u2028b', 'U+2028'],
    ['a\u200bb', 'U+200B'],
    ['a\u202eb', 'U+202E'],
    ['\ufeffa', 'U+FEFF'],
    ['e\u0301', 'expected NFC-normalised text'],
  ])('refuse %j and say why', (name, why) => {
    expect(() => roundId('system', name)).toThrow(why)
    expect(() => roundId(name, 'round')).toThrow('system: ')
  })
})
