import { describe, expect, it } from 'vitest'
import { type ApiKey, type ApiKeys, formatKey, keyDigest } from '../../src/core/api-key.ts'
import { GoneError } from '../../src/errors.ts'
import { RateLimit } from '../../src/http/access/rate-limit.ts'
import { Calm } from '../../src/service/calm.ts'
import { Keyring } from '../../src/service/keyring.ts'
import { silentLog } from '../support/log.ts'

const text = formatKey({ id: Buffer.alloc(6, 1), secret: Buffer.alloc(32, 2) })
const key: ApiKey = {
  id: text.slice(5, 17),
  name: 'a',
  actions: ['read'],
  systems: ['*'],
  workers: ['*'],
  shares: {},
  digest: keyDigest(text),
  createdAtMs: 0,
}

function world({ isRequired = false } = {}) {
  const state = { keys: [] as ApiKey[], areInUse: false, isNoted: false, isDown: false, nowMs: 0 }
  const store: ApiKeys = {
    async read() {
      if (state.isDown) throw new GoneError('STORE_UNAVAILABLE', 'down')
      return { keys: state.keys, areInUse: state.areInUse }
    },
    add: async () => undefined,
    remove: async () => false,
    setInUse: async (areInUse) => {
      state.areInUse = areInUse
    },
  }
  const note = {
    isThere: () => state.isNoted,
    leave() {
      state.isNoted = true
    },
  }
  const open = () => new Keyring({ store, isRequired, nowMs: () => state.nowMs, log: silentLog, note })
  return { state, keyring: open(), open }
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

  it.each<[string, { areInUse?: boolean; isNoted?: boolean }]>([
    ['the store', { isNoted: false }],
    ['the data folder', { areInUse: false }],
  ])('is not open after a restart without keys, by what %s knows alone', async (_, lost) => {
    const { state, keyring, open } = world()
    state.keys = [key]
    await keyring.read()
    Object.assign(state, { keys: [], ...lost })
    const restarted = open()
    await restarted.read()
    expect(restarted.isOpen).toBe(false)
    Object.assign(state, { areInUse: false, isNoted: false })
    const told = open()
    await told.read()
    expect(told.isOpen).toBe(true)
  })

  it('is stale from a calm on, until it was read again, once however many ask', async () => {
    const { state, keyring } = world()
    const calm = new Calm(() => state.nowMs)
    keyring.start(calm)
    await keyring.read()
    state.nowMs += 60_000
    calm.heard(false)
    state.nowMs += 60_000
    calm.heard(false)
    expect(calm.isNow).toBe(true)
    expect(keyring.isStale).toBe(true)
    await keyring.wake()
    expect(keyring.isStale).toBe(false)
    state.nowMs += 60_000
    expect(keyring.isStale).toBe(true)
    state.isDown = true
    calm.end()
    await expect(keyring.wake()).rejects.toThrow('down')
    expect(keyring.isStale).toBe(true)
    state.isDown = false
    await Promise.all([keyring.wake(), keyring.wake()])
    expect(keyring.isStale).toBe(false)
    await keyring.stop()
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
    const limit = new RateLimit(() => nowMs)
    const rate = { perSecond: 5, burst: 50 }
    const admitted = (count: number) =>
      Array.from({ length: count }, () => limit.wait('a', rate)).filter((ms) => ms === 0).length
    expect(admitted(100)).toBe(50)
    nowMs = 1_000
    expect(admitted(100)).toBe(5)
    expect(limit.wait('b', rate)).toBe(0)
    expect(limit.wait('a', rate)).toBe(200)
    limit.pay('b', rate, 50)
    expect(limit.wait('b', rate)).toBe(400)
    nowMs = 1_000_000
    expect(admitted(100)).toBe(50)
  })
})
