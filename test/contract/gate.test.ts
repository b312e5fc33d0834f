import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RoundId } from '../../src/core/rounds/round.ts'
import type { Gate } from '../../src/core/rounds/round-ports.ts'
import { MemoryGate } from '../../src/gate/memory-gate.ts'
import { RedlockGate } from '../../src/gate/redlock-gate.ts'
import type { RedisClient } from '../../src/redis/connections.ts'
import { silentLog } from '../support/log.ts'
import { startRedisClient } from '../support/redis-client.ts'

interface World {
  readonly gate: Gate
  passTime(ms: number): Promise<void>
}

let nodes: RedisClient[]

beforeAll(async () => {
  nodes = await Promise.all([1, 2, 3].map(() => startRedisClient()))
})

const redlockOver = (count: number) => () => ({
  gate: new RedlockGate(nodes.slice(0, count), silentLog),
  // Locks end by the nodes' own clocks, which only real time moves.
  passTime: (ms: number) => sleep(ms + 2),
})

const worlds: Record<string, () => World> = {
  'in memory': () => {
    let nowMs = 1_000_000
    return {
      gate: new MemoryGate(() => nowMs),
      async passTime(ms) {
        nowMs += ms
      },
    }
  },
  'on one Redis': redlockOver(1),
  'on three Redis nodes': redlockOver(3),
}

const LONG_MS = 60_000

describe.each(Object.entries(worlds))('a gate %s', (_, makeWorld) => {
  let gate: Gate
  let passTime: World['passTime']
  let id: RoundId

  beforeEach(() => {
    const world = makeWorld()
    gate = world.gate
    passTime = world.passTime
    id = { system: 'gated', round: randomUUID() }
  })

  async function passed(ttlMs = LONG_MS): Promise<string> {
    const pass = await gate.pass(id, ttlMs)
    if (pass.kind !== 'passed') throw new Error(`expected to pass, got ${JSON.stringify(pass)}`)
    return pass.value
  }

  it('lets one pass and says to all others that it is held', async () => {
    await passed()
    const others = await Promise.all(Array.from({ length: 10 }, () => gate.pass(id, LONG_MS)))
    expect(others).toEqual(Array(10).fill({ kind: 'held' }))
  })

  it('is one for each round', async () => {
    await passed()
    const others = [
      { ...id, round: `${id.round} ` },
      { ...id, system: 'other' },
      { system: `${id.system}~${id.round}`, round: '' },
    ]
    for (const other of others) expect((await gate.pass(other, LONG_MS)).kind).toBe('passed')
  })

  it('lets the next one pass, under another value, once it was released, and not before', async () => {
    const first = await passed()
    await gate.release(id, 'another value')
    expect(await gate.pass(id, LONG_MS)).toEqual({ kind: 'held' })
    await gate.release(id, first)
    expect(await passed()).not.toBe(first)
  })

  it('can be released twice, and takes nothing from whoever passed since', async () => {
    const first = await passed()
    await gate.release(id, first)
    await passed()
    await gate.release(id, first)
    expect(await gate.pass(id, LONG_MS)).toEqual({ kind: 'held' })
  })

  it('ends by itself', async () => {
    const first = await passed(80)
    await passTime(80)
    expect(await passed()).not.toBe(first)
  })

  it('is extended by whoever knows its value, from now on, and by nobody else', async () => {
    const value = await passed(200)
    expect(await gate.extend(id, 'another value', LONG_MS)).toBe(false)
    expect(await gate.extend(id, value, LONG_MS)).toBe(true)
    await passTime(200)
    expect(await gate.pass(id, LONG_MS)).toEqual({ kind: 'held' })
    expect(await gate.extend(id, value, 80)).toBe(true)
    await passTime(80)
    await passed()
    expect(await gate.extend(id, value, LONG_MS)).toBe(false)
  })

  it('is held again by whoever knows its value once it was given back or has ended, where nobody has passed since', async () => {
    const value = await passed()
    await gate.release(id, value)
    expect(await gate.extend(id, value, 80)).toBe(true)
    expect(await gate.pass(id, LONG_MS)).toEqual({ kind: 'held' })
    await passTime(80)
    expect(await gate.extend(id, value, LONG_MS)).toBe(true)
    expect(await gate.pass(id, LONG_MS)).toEqual({ kind: 'held' })
  })
})

it.each([1, 3])(
  'a gate on %d nodes is released for a process that is no more, and for no other',
  async (count) => {
    const id = { system: 'gated', round: randomUUID() }
    const own = new RedlockGate(nodes.slice(0, count), silentLog, false, 'a1')
    const others = new RedlockGate(nodes.slice(0, count), silentLog)
    expect(await own.pass(id, LONG_MS)).toMatchObject({ kind: 'passed' })
    await others.releaseOf(id, 'a')
    await others.releaseOf(id, 'a11')
    expect(await others.pass(id, LONG_MS)).toEqual({ kind: 'held' })
    await others.releaseOf(id, 'a1')
    expect(await others.pass(id, LONG_MS)).toMatchObject({ kind: 'passed' })
  },
)
