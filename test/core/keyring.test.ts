import { describe, expect, it } from 'vitest'
import { type ApiKey, type ApiKeys, formatKey, keyDigest } from '../../src/core/api-key.ts'
import { GoneError } from '../../src/errors.ts'
import { RateLimit } from '../../src/http/rate-limit.ts'
import { Keyring } from '../../src/service/keyring.ts'
import { silentLog } from '../support/log.ts'

const text = formatKey({ id: Buffer.alloc(6, 1), secret: Buffer.alloc(32, 2) })
const key: ApiKey = {
  id: text.slice(5, 17),
  name: 'a',
  actions: ['read'],
  systems: ['*'],
  digest: keyDigest(text),
  createdAtMs: 0,
}

function world({ isRequired = false } = {}) {
  const state = { keys: [] as ApiKey[], isDown: false, nowMs: 0 }
  const store: ApiKeys = {
    async read() {
      if (state.isDown) throw new GoneError('STORE_UNAVAILABLE', 'down')
      return { keys: state.keys }
    },
    add: async () => undefined,
    remove: async () => false,
    keepSessionSecret: async (fresh) => fresh,
  }
  return { state, keyring: new Keyring({ store, isRequired, nowMs: () => state.nowMs, log: silentLog }) }
}

describe('the keyring', () => {
  it('is open until there is a key, and never again', async () => {
    const { state, keyring } = world()
    await keyring.read()
    expect(keyring.isOpen).toBe(true)
    state.keys = [key]
    await keyring.read()
    expect(keyring.isOpen).toBe(false)
    state.keys = []
    await keyring.read()
    expect(keyring.isOpen).toBe(false)
    expect(keyring.find(text)).toEqual({ kind: 'unknown' })
  })

  it('is never open where keys are required', async () => {
    const { keyring } = world({ isRequired: true })
    await keyring.read()
    expect(keyring.isOpen).toBe(false)
  })

  it('believes what it read for 9 s and no longer, so that a revocation holds within 10 s', async () => {
    const { state, keyring } = world()
    state.keys = [key]
    await keyring.read()
    state.isDown = true
    state.nowMs = 9_000
    await expect(keyring.read()).rejects.toThrow('down')
    expect(keyring.find(text)).toMatchObject({ kind: 'known', key: { id: key.id } })
    state.nowMs = 9_001
    expect(keyring.find(text)).toEqual({ kind: 'unsure' })
    state.isDown = false
    await keyring.read()
    expect(keyring.find(text).kind).toBe('known')
  })

  it('knows no other secret of the same id, and no key that is over', async () => {
    const { state, keyring } = world()
    state.keys = [{ ...key, expiresAtMs: Date.now() + 60_000 }]
    await keyring.read()
    expect(keyring.find(text).kind).toBe('known')
    expect(keyring.find(formatKey({ id: Buffer.alloc(6, 1), secret: Buffer.alloc(32, 3) }))).toEqual({
      kind: 'unknown',
    })
    state.keys = [{ ...key, expiresAtMs: Date.now() - 1 }]
    await keyring.read()
    expect(keyring.find(text)).toEqual({ kind: 'unknown' })
  })
})

describe('a rate limit', () => {
  it('admits ten seconds worth at once, then exactly its rate', () => {
    let nowMs = 0
    const limit = new RateLimit(5, () => nowMs)
    const admitted = (count: number) =>
      Array.from({ length: count }, () => limit.admits('a')).filter(Boolean).length
    expect(admitted(100)).toBe(50)
    nowMs = 1_000
    expect(admitted(100)).toBe(5)
    expect(limit.admits('b')).toBe(true)
    nowMs = 1_000_000
    expect(admitted(100)).toBe(50)
  })
})
