import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Action,
  covers,
  permits,
  permitsWorker,
  readActions,
  readSystems,
  readWorkers,
} from '../../src/core/api-key.ts'
import { processorMs } from '../support/processor-time.ts'

describe('a pattern of systems', () => {
  it.each([
    ['cleaner', 'cleaner', true],
    ['cleaner', 'cleaner2', false],
    ['cleaner', 'Cleaner', false],
    ['*', '', true],
    ['*', 'any', true],
    ['team-*', 'team-', true],
    ['team-*', 'team-blue', true],
    ['team-*', 'xteam-blue', false],
    ['*-team', 'blue-team', true],
    ['*-team', 'blue-teams', false],
    ['a*b', 'ab', true],
    ['a*b', 'a', false],
    ['ab*ba', 'aba', false],
    ['ab*ba', 'abba', true],
    ['a*b*c', 'a-b-c', true],
    ['a*b*c', 'abc', true],
    ['a*b*c', 'acb', false],
    ['a*bc*c', 'abc', false],
    ['**', 'x', true],
    ['a.c', 'abc', false],
    ['[a]', 'a', false],
  ])('%s and %s: %s', (pattern, name, expected) => {
    expect(covers(pattern, name)).toBe(expected)
  })

  it('agrees with a regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 })
    fc.assert(
      fc.property(text, text, (pattern, name) => {
        const parts = pattern.split('*').map((part) => part.replace(/\./g, '\\.'))
        expect(covers(pattern, name)).toBe(new RegExp(`^${parts.join('[^]*')}$`).test(name))
      }),
      { numRuns: 5_000 },
    )
  })

  it('takes no time to refuse what is made to take long', async () => {
    const tookMs = await processorMs(() => {
      expect(covers('a*'.repeat(60), 'a'.repeat(4_000).slice(0, -1).concat('b').repeat(20))).toBe(true)
      expect(covers(`${'a*'.repeat(60)}c`, 'a'.repeat(100_000))).toBe(false)
    })
    expect(tookMs).toBeLessThan(100)
  })
})

describe('a key', () => {
  const key = (actions: Action[], systems: string[]) => ({ actions, systems })

  it('permits its actions on its systems, an admin all actions there', () => {
    expect(permits(key(['read'], ['a']), 'read', { system: 'a' })).toBe(true)
    expect(permits(key(['read'], ['a']), 'elect', { system: 'a' })).toBe(false)
    expect(permits(key(['read'], ['a']), 'read', { system: 'b' })).toBe(false)
    expect(permits(key(['admin'], ['a']), 'elect', { system: 'a' })).toBe(true)
    expect(permits(key(['admin'], ['a']), 'admin', { system: 'b' })).toBe(false)
    expect(permits(key([], ['*']), 'read', { system: 'a' })).toBe(false)
  })

  it('permits what is about all systems only with a star, and what says it later to whoever has the action', () => {
    expect(permits(key(['read'], ['*']), 'read', 'all')).toBe(true)
    expect(permits(key(['read'], ['a*', 'b']), 'read', 'all')).toBe(false)
    expect(permits(key(['submit'], ['a']), 'submit', 'unknown')).toBe(true)
    expect(permits(key(['read'], ['*']), 'submit', 'unknown')).toBe(false)
  })

  it('permits the workers that it names', () => {
    const permitted = (workers: string[], worker: string) => permitsWorker({ workers }, worker)
    expect([permitted(['*'], 'any'), permitted(['mail', 'web-*'], 'web-1')]).toEqual([true, true])
    expect([permitted(['mail'], 'mail2'), permitted(['mail'], 'Mail'), permitted([], 'a')]).toEqual([
      false,
      false,
      false,
    ])
  })

  it('is told its terms in lists', () => {
    expect(readActions('elect, read,elect')).toEqual(['elect', 'read'])
    expect(readSystems(' cleaner ,team-*')).toEqual(['cleaner', 'team-*'])
    for (const wrong of ['', 'write', 'elect,constructor'])
      expect(() => readActions(wrong)).toThrow(/^actions: expected/)
    for (const wrong of ['', 'a/b', 'a b', 'a\u200b', 'a'.repeat(129)])
      expect(() => readSystems(wrong)).toThrow(/^systems: expected/)
    expect(readWorkers('mail, web-*,team%20blue')).toEqual(['mail', 'web-*', 'team%20blue'])
    for (const wrong of ['', 'a/b', 'a b', 'é', 'a'.repeat(385)])
      expect(() => readWorkers(wrong)).toThrow(/^workers: expected/)
  })
})
